"""The stages that ask a teacher: what it is shown, what is refused, what comes out."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from her.errors import EndpointError, InputError, TeacherError
from her.llm import Delta, Reply, Request, ScriptedModel, ScriptedReply, Usage
from her.schema import Book, Character, Dialogue, Part, Scene, Turn
from her.store import sha256_text
from her.synthesis import SynthConfig, SynthResult, book_of, read_curated, summary, synthesize
from her.synthesis.stages.role_thinking import question
from her.synthesis.stages.system_thinking import draft_question, rewrite_question
from her.synthesis.teacher import fill, read_fields
from her.synthesis.text.evidence import find, verify
from her.synthesis.text.passage import Passage

DATA = Path(os.environ.get("HER_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
CURATED = DATA / "coser" / "king-lear.full.json"

STORY = """The Mill

Chapter 1. The Wheel

Anna kept the mill alone since the flood. Paul was the carter who brought the grain, and he had known her as a girl.

"The wheel is cracked," said Anna. "I heard it in the night."

"Then it will not last the week," said Paul.

"It has to last. The baker waits for his flour." Anna wiped her hands on her apron.

"I could bring a smith from the town," said Paul. "He owes me for a barrel."

"And who would pay him? Not the mill," said Anna.

"I did not speak of paying," said Paul, and he looked at the water.

"You never do. Sit down, the soup is hot."

"I will see to the horse first," said Paul.

"The horse has more sense than you. It is standing in the barn."

"So it is. Then I will sit," said Paul.
"""

SAID = {
    "People: ": '{"scenario": "Anna kept the mill alone since the flood; Paul brought grain.", "topic": "the wheel"}',
    "What does Anna want": '{"motivation": "Anna wants the cracked wheel to last, heard in the night."}',
    "What does Paul want": '{"motivation": "Paul wants the wheel to last the week."}',
    "Which sentence": '{"number": "1"}',
    "think and not say": '{"thought": "I must keep the mill and the wheel from the flood.", "action": "looks up"}',
    "How should Anna": '{"plan": "Anna is tired and must keep the mill going."}',
    "How should Paul": '{"plan": "Paul is calm and hopes to help Anna at the mill."}',
    "Better plan for Anna": '{"plan": "Anna is proud and hides her fear."}',
    "Better plan for Paul": '{"plan": "Paul is shy and tries to help Anna."}',
}
SCRIPT = [ScriptedReply(match=match, text=text) for match, text in SAID.items()]


THOUGHTS = (
    "I fear for the mill.", "My wheel was there before the flood.", "I wish the soup were hotter.",
    "I know the mill needs its carter.", "I should have seen to the wheel.", "I wish the horse were at the mill.",
    "I doubt that Anna kept any grain.",
)  # fmt: skip


class Echo:
    """A teacher that thinks a different thing each time it is asked, made of words it was shown."""

    name = "test:echo"
    fingerprint = "echo"

    def __init__(self, *, delay: bool = False) -> None:
        self.script = ScriptedModel(SCRIPT)
        self.requests: list[Request] = []
        self._delay = delay

    async def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        if self._delay:
            await asyncio.sleep((len(request.messages[-1].content) * 7919 % 13) / 2000)
        found = await self.script.reply(request)
        last = request.messages[-1].content
        if "think and not say" in last:
            thought = THOUGHTS[int(sha256_text(request.model_dump_json()), 16) % len(THOUGHTS)]
            mine = "at my mill" if "You are Anna" in last else "as a carter"
            thought = f"{thought[:-1]} {mine}."
            return Reply(
                text=json.dumps({"thought": thought, "action": "looks at the wheel"}),
                finish_reason="stop",
                usage=Usage(prompt_tokens=1, completion_tokens=1),
            )
        return found

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        yield Delta(text=(await self.reply(request)).text)

    async def close(self) -> None:
        """Nothing to close."""


def _run(model: object, *, source: Book | None = None, **config: object) -> SynthResult:
    settings_ = SynthConfig.model_validate({"seed": 3, **config})
    return asyncio.run(synthesize(source or book_of(STORY, stem="mill"), teacher=model, config=settings_))  # type: ignore[arg-type]


def test_a_story_becomes_two_layer_dialogues_with_verified_speech() -> None:
    result = _run(Echo(), retries=8)
    (dialogue,) = result.dialogues
    report = result.report
    assert dialogue.provenance == "teacher"
    assert [t.speaker for t in dialogue.turns] == ["Anna", "Paul"] * 5
    assert report.spans_verified == report.turns == 10
    assert report.spans_unverified == 0
    assert report.system_thinking_kept == 10
    assert report.thoughts_kept >= 7
    assert set(report.attributed) <= {"named", "pronoun", "beat", "alternation"}
    layouts = [t.layout() for t in dialogue.turns]
    assert not any(a == b == c for a, b, c in zip(layouts, layouts[1:], layouts[2:], strict=False))
    assert report.layouts_after.turns.distinct >= 5
    assert dialogue.scene.additions
    for addition in dialogue.scene.additions:
        assert addition.quote.text in " ".join(STORY.split())
    assert "| turns | 10 |" in summary(result)


def test_the_result_does_not_depend_on_concurrency() -> None:
    one = _run(Echo(), concurrency=1)
    many = _run(Echo(delay=True), concurrency=8)
    assert one.model_dump_json() == many.model_dump_json()


def test_what_the_teacher_cannot_do_is_rejected_and_the_turn_keeps_its_speech() -> None:
    script = [s for s in SCRIPT if "think and not say" not in (s.match or "")]
    bad = ScriptedReply(
        match="think and not say", text='{"thought": "The user wants me to think of the mill.", "action": "looks up"}'
    )
    result = _run(ScriptedModel([bad, *script]), retries=1)
    assert result.report.thoughts_kept == 0
    assert result.report.rejected["role_thinking.talks_of_user"] == 10
    assert result.report.refused_answers["role_thinking.talks_of_user"] == 20
    assert result.report.retries >= 10
    assert all(t.speech() for t in result.dialogues[0].turns)
    assert result.report.spans_verified == 10


def test_a_refused_action_is_counted_and_its_thought_stays() -> None:
    class Talker(Echo):
        async def reply(self, request: Request) -> Reply:
            found = await super().reply(request)
            return found.model_copy(update={"text": found.text.replace("looks at the wheel", "says nothing")})

    result = _run(Talker(), retries=8, actions=1.0)
    asked = result.report.rejected["role_thinking.action_speech_in_action"]
    refused = {r.item_id: r for r in result.rejects if r.reason == "action_speech_in_action"}
    assert asked == len(refused) >= 4
    for dialogue in result.dialogues:
        for turn in dialogue.turns:
            if reject := refused.get(f"{dialogue.id}/{turn.id}"):
                assert (reject.stage, reject.detail) == ("role_thinking", "says nothing")
                assert {p.kind for p in turn.parts} == {"thought", "speech"}


def test_a_plan_that_repeats_itself_or_anothers_thought_is_refused() -> None:
    plan = "Paul is calm and tries to help Anna with the cracked mill wheel."
    thought = "I know he tries to help Anna with the cracked mill wheel."
    said = Part(kind="speech", text="The mill wheel is cracked.")
    paul = Turn(id="t1", speaker="Paul", system_thinking=plan, parts=(said,))
    anna = Turn(id="t1", speaker="Anna", parts=(Part(kind="thought", text=thought), said))
    scene = Scene(id="s", book_id=None, chapter=None, scenario="Anna and Paul at the mill.", characters=())
    for before, reason in (([paul], "repeats"), ([anna], "reads_minds")):
        ask = draft_question(SynthConfig(), scene=scene, before=before, name="Paul", item_id="d/t")
        with pytest.raises(TeacherError) as refused:
            ask.check({"plan": plan})
        assert refused.value.reason == reason
        assert plan not in ask.values["history"]


def test_limits_are_counted_not_silent() -> None:
    result = _run(Echo(), max_turns=4)
    assert len(result.dialogues[0].turns) == 4
    assert result.report.rejected["scene.over_max_turns"] == 1


@pytest.mark.parametrize("choice", ["7", "x", "1-x"])
def test_a_wrong_choice_of_chapters_says_what_there_is(choice: str) -> None:
    with pytest.raises(InputError, match="chapter"):
        _run(Echo(), chapters=choice)


def test_a_teacher_that_is_down_stops_the_work() -> None:
    class Down(Echo):
        async def reply(self, request: Request) -> Reply:
            raise EndpointError("http://127.0.0.1:9 is down; start it", None)

    with pytest.raises(EndpointError, match="is down"):
        _run(Down())


SECRET, REPLY = "SENTINEL", "THE-REPLY"
_word = st.text(alphabet="abcdefghij", min_size=3, max_size=8)


@st.composite
def _dialogues(draw: st.DrawFn) -> tuple[Dialogue, int]:
    """A dialogue in which everything that turn k may not know carries the sentinel."""
    n = draw(st.integers(min_value=2, max_value=8))
    k = draw(st.integers(min_value=0, max_value=n - 1))
    speakers = draw(st.lists(st.sampled_from(["Anna", "Paul", "Ruth"]), min_size=n, max_size=n))
    turns = []
    for i, who in enumerate(speakers):
        mine, past = who == speakers[k], i < k
        parts = []
        if draw(st.booleans()):
            known = mine and (past or i == k)
            parts.append(Part(kind="thought", text=draw(_word) if known else SECRET + draw(_word)))
        if draw(st.booleans()):
            parts.append(Part(kind="action", text=draw(_word) if i <= k else SECRET + draw(_word)))
        mark = "" if i < k else REPLY if i == k else SECRET
        parts.append(Part(kind="speech", text=mark + draw(_word)))
        turns.append(Turn(id=f"t{i}", speaker=who, system_thinking=SECRET + draw(_word), parts=tuple(parts)))
    cast = tuple(
        Character(
            name=name,
            profile="Somebody.",
            background="Here." if name == speakers[k] else SECRET,
            motivation="To be. " if name == speakers[k] else SECRET,
        )
        for name in ("Anna", "Paul", "Ruth")
    )
    scene = Scene(id="s", book_id=None, chapter=None, scenario="A mill.", characters=cast)
    return Dialogue(id="d", scene=scene, turns=tuple(turns), provenance="book"), k


@given(case=_dialogues())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_request_about_a_turn_holds_what_the_character_cannot_know(case: tuple[Dialogue, int]) -> None:
    dialogue, k = case
    turn, before = dialogue.turns[k], dialogue.turns[:k]
    config = SynthConfig(history_turns=20)
    asks = (
        question(config, scene=dialogue.scene, before=before, turn=turn, item_id="d/t", action=True),
        draft_question(config, scene=dialogue.scene, before=before, name=turn.speaker, item_id="d/t"),
        rewrite_question(config, scene=dialogue.scene, before=before, turn=turn, item_id="d/t", draft="A plan."),
    )
    for ask in asks:
        shown = "\n".join(m.content for m in fill(ask.prompt, {**ask.values, "fault": ""}))
        assert SECRET not in shown
    drafted = "\n".join(m.content for m in fill(asks[1].prompt, {**asks[1].values, "fault": ""}))
    assert REPLY not in drafted, "a draft is made without the reply"
    assert asks[2].values["reply"].endswith(turn.speech())


def test_the_requests_of_a_whole_run_never_hold_another_thought() -> None:
    model = Echo()
    result = _run(model)
    for dialogue in result.dialogues:
        for i, turn in enumerate(dialogue.turns):
            thoughts = [p.text for p in turn.parts if p.kind == "thought"]
            for request in model.requests:
                shown = request.messages[-1].content
                if not re.search(r"(?:not say|played now|Better plan for \w+)\?$", shown):
                    continue
                about = re.search(r"(?:does|should|for) (Anna|Paul)\b(?=[^\n]*$)", shown)
                assert about is not None
                if about[1] != turn.speaker:
                    assert not any(t in shown for t in thoughts), (i, shown)


def test_a_quote_is_found_whatever_its_spacing_and_refused_where_it_is_not() -> None:
    book = book_of(
        "Chapter 1.\n\nPaul  was\nthe carter. " + "More words. " * 12 + "\n\nChapter 2.\n\n" + "Other. " * 30, stem="x"
    )
    first = book.chapters[0].span
    passage = Passage(start=first.start, text=book.read(first), quotable=first)
    quote = find(passage, "Paul was the carter.")
    assert book.text[quote.span.start : quote.span.end] == "Paul  was\nthe carter."
    assert verify(book, book.chapters[0], text=quote.text, span=quote.span) == quote
    for text in ("Paul was the smith.", "aul was the carter.", ""):
        with pytest.raises(TeacherError) as refused:
            find(passage, text)
        assert refused.value.reason == "quote_not_found"
    with pytest.raises(TeacherError):
        verify(book, book.chapters[1], text=quote.text, span=quote.span)


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        ('{"thought": "I see."}', "stop", "I see."),
        ('Sure!\n```json\n{"thought": "I \\"see\\"."}\n```', "stop", 'I "see".'),
        ('{"thought": "I see. I will', "length", "I see. I will"),
    ],
)
def test_imperfect_answers_are_read(text: str, finish: str, expected: str) -> None:
    reply = Reply.model_validate({"text": text, "finish_reason": finish})
    assert read_fields(reply, ("thought",)) == {"thought": expected}


@pytest.mark.parametrize("text", ["", "I see.", "{}", '{"thought": ""}', "[1, 2]", '{"thought": ["a"]}'])
def test_answers_that_are_no_answers_are_refused(text: str) -> None:
    with pytest.raises(TeacherError):
        read_fields(Reply(text=text, finish_reason="stop"), ("thought",))


def test_braces_in_a_book_are_not_holes() -> None:
    values = {"before": "{{names}} {{here}}", "here": "h", "after": "", "names": "Anna", "fault": ""}
    assert "{{names}} {{here}}" in fill("speaker", values)[-1].content


def test_curated_input_is_read_tolerantly(tmp_path: Path) -> None:
    data = {
        "plots": [
            {"text": "", "conversation": [], "i_p": 0},
            {
                "text": "A mill by the river.",
                "i_p": 7,
                "conversation": [
                    {
                        "scenario": "A mill.",
                        "i_c": 2,
                        "key_characters": [{"name": "Anna", "thought": "To mend the wheel."}],
                        "dialogues": [
                            {"character": "Environment", "message": "Rain."},
                            {"character": "Anna", "message": "[I am tired] (sighs) The wheel is cracked."},
                            {"character": "Anna", "message": "It will break."},
                            {"character": "", "message": "lost"},
                            {"character": "Paul", "message": ""},
                            {"character": "Paul", "message": "Then mend it."},
                        ],
                    }
                ],
            },
        ]
    }
    path = tmp_path / "mill.full.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    curated = read_curated(path)
    (dialogue,) = curated.dialogues
    assert dialogue.id == "mill.p7.c2"
    assert [(t.id, t.speaker) for t in dialogue.turns] == [("t000", "Environment"), ("t001", "Anna"), ("t005", "Paul")]
    assert dialogue.turns[1].layout() == "thought>action>speech"
    assert dialogue.turns[1].speech() == "The wheel is cracked. It will break."
    assert dialogue.scene.character("Anna").motivation == "To mend the wheel."
    assert sorted(r.reason for r in curated.rejects) == ["empty", "no_conversation", "no_speaker"]
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="plots"):
        read_curated(path)


@pytest.mark.skipif(not CURATED.is_file(), reason=f"no shared data at {DATA}")
def test_curated_file_of_a_real_play_goes_through_all_stages() -> None:
    curated = read_curated(CURATED)
    assert len({d.id for d in curated.dialogues}) == len(curated.dialogues) == 19
    plan = '{"plan": "%s is proud, but wants to be heard in the hall."}'
    names = {t.speaker for d in curated.dialogues for t in d.turns}
    script = [ScriptedReply(match=rf"(?:should {n} be|plan for {n}\?)", text=plan % n) for n in sorted(names)]
    think = ScriptedReply(match="think and not say", text='{"thought": "I must not show what I feel."}')
    config = SynthConfig(max_scenes=3, retries=0)
    result = asyncio.run(synthesize(curated, teacher=ScriptedModel([think, *script]), config=config))
    assert result.report.scenes == 3
    assert result.report.turns > 15
    assert result.report.rejected["curated.no_conversation"] == 2
    for before, after in zip(curated.dialogues, result.dialogues, strict=False):
        assert [t.id for t in before.turns] == [t.id for t in after.turns]
        assert [t.speech() for t in before.turns] == [t.speech() for t in after.turns]
