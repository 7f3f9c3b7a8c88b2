"""The information barrier: whatever the dialogue, no request holds what it is not about."""

import asyncio
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strong_teacher import Strong

from her.llm import Request
from her.schema import Character, Dialogue, Part, Scene, Turn
from her.synthesis.result import SynthConfig
from her.synthesis.settings.demand import ask
from her.synthesis.worked import Task, work

FREE = SynthConfig(guided=False, seed=3, retries=0)
NAMES = ("Anna", "Paul", "Ruth")


@st.composite
def hostile(draw: st.DrawFn) -> Dialogue:
    """A dialogue in which every layer of every turn has a mark of its own."""
    n = draw(st.integers(min_value=2, max_value=9))
    turns = []
    for k in range(n):
        who = draw(st.sampled_from(NAMES))
        parts = [Part(kind="speech", text=f"SPEECH{k}X we spoke of the weather and the boats.")]
        if draw(st.booleans()):
            parts.insert(draw(st.integers(0, 1)), Part(kind="thought", text=f"THOUGHT{k}X is mine"))
        if draw(st.booleans()):
            parts.append(Part(kind="action", text=f"does ACTION{k}X"))
        turns.append(
            Turn(
                id=f"t{k}",
                speaker=who,
                system_thinking=f"PLAN{k}X of old" if draw(st.booleans()) else None,
                parts=tuple(parts),
            )
        )
    cast = tuple(
        Character(
            name=name, profile=f"{name} is a PROFILE{name}X.", background=f"BACK{name}X.", motivation=f"WANT{name}X."
        )
        for name in NAMES
    )
    scene = Scene(id="d", book_id=None, chapter=None, scenario="A harbour in the evening.", characters=cast)
    return Dialogue(id="d", scene=scene, turns=tuple(turns), provenance="imported")


def about(request: Request, kind: str, dialogue: Dialogue) -> tuple[str, int]:
    """Whose turn a request is about, and which: the one it shows for a plan or alone, else the first it does not."""
    last = request.messages[-1].content
    if kind == "plan":
        shown = last.rpartition("\nThe turn of ")[2]
    elif kind == "alone":
        shown = last.rpartition("\nThe turn:\n")[2]
    else:
        everything = "\n".join(m.content for m in request.messages)
        seen = [int(k) for k in re.findall(r"SPEECH(\d+)X", everything)]
        return played_by(request), max(seen, default=-1) + 1
    k = int(re.findall(r"SPEECH(\d+)X", shown)[0])
    return dialogue.turns[k].speaker, k


def played_by(request: Request) -> str:
    found = re.search(r"You are ([^\n.]+?)\.", request.messages[0].content)
    assert found is not None
    return found[1]


class Watched(Strong):
    """Fails at every turn of a conversation, so that each is asked for alone as well."""

    def row(self, row: dict[str, str]) -> dict[str, str]:
        return {**row, "turn": "Other words."}


@given(dialogue=hostile())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_request_about_a_turn_holds_what_its_speaker_cannot_know(dialogue: Dialogue) -> None:
    model = Watched()
    done = asyncio.run(work(model, Task(dialogue=dialogue, passage=None), config=FREE))
    made = {t.id: [p.text for p in t.parts if p.kind == "thought"] for t in done.dialogue.turns}
    plans = [t.system_thinking for t in done.dialogue.turns if t.system_thinking is not None]
    seen = 0
    for kind, request in model.requests:
        if kind in ("window", "setting"):
            continue
        seen += 1
        who, k = about(request, kind, dialogue)
        shown = "\n".join(m.content for m in request.messages)
        others = [name for name in NAMES if name != who]
        assert not any(f"{secret}{name}X" in shown for name in others for secret in ("BACK", "WANT"))
        assert not re.search(r"PLAN\d+X", shown), "an earlier plan"
        assert not any(plan in shown for plan in plans), "an earlier plan of this run"
        for j, turn in enumerate(dialogue.turns):
            hidden = [f"THOUGHT{j}X", *made[turn.id]]
            if turn.speaker != who:
                assert not any(h in shown for h in hidden), "another's thought"
            if j > k or (kind == "played" and j == k):
                late = [f"SPEECH{j}X", f"ACTION{j}X", *hidden]
                assert not any(h in shown for h in late), "a later turn"
    # Everybody who speaks has a draft and a rewrite for each turn, and was asked for alone once.
    assert seen == 3 * len(dialogue.turns)


@given(dialogue=hostile())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_setting_is_completed_from_what_can_be_heard_and_seen(dialogue: Dialogue) -> None:
    shown = "\n".join(m.content for m in ask(FREE, dialogue, source="| A source.").messages(""))
    assert not re.search(r"(?:THOUGHT|PLAN)\d+X", shown)
    assert all(f"SPEECH{k}X" in shown for k in range(len(dialogue.turns)))
