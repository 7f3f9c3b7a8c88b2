"""A small scene of our own and judges that do as told, for the reward tests."""

from collections.abc import Callable, Sequence

from her.llm.model import Score, ScoreItem
from her.renderers import render_turn
from her.schema import (
    Character,
    Comparison,
    Decided,
    Message,
    Part,
    Preference,
    RLPrompt,
    Scene,
    Turn,
    Unparsed,
    Verdict,
    Winner,
)

SCENE = Scene(
    id="mill",
    book_id=None,
    chapter=None,
    scenario="The mill at night. Rain. The miller's ledger lies open on the table.",
    characters=(
        Character(
            name="Ann",
            profile="The miller's daughter, quick and dry.",
            background="She sold the spare grindstone to a pedlar and hid the coins.",
            motivation="She wants her father to stop counting.",
        ),
        Character(name="Tom", profile="The miller, slow and exact.", background="He is going blind."),
    ),
)
HISTORY = (
    Turn(
        id="t1",
        speaker="Tom",
        system_thinking="Tom plans to catch her out.",
        parts=(
            Part(kind="thought", text="I can scarcely see the figures"),
            Part(kind="speech", text="There is a stone missing from the list."),
        ),
    ),
)


def turn(speech: str, *, thought: str | None = None, action: str | None = None, plan: str | None = None) -> Turn:
    """Ann's reply."""
    parts = [Part(kind="thought", text=thought)] if thought else []
    parts += [Part(kind="action", text=action)] if action else []
    return Turn(id="r", speaker="Ann", system_thinking=plan, parts=(*parts, Part(kind="speech", text=speech)))


def comparison(first: Turn, second: Turn, *, id: str = "c", scene: Scene = SCENE) -> Comparison:
    return Comparison(id=id, scene=scene, history=HISTORY, character="Ann", cand_1=first, cand_2=second)


def preference(
    first: Turn, second: Turn, winner: Winner, *, id: str = "c", scene: Scene = SCENE, principle: str = "Own Voice"
) -> Preference:
    return Preference(
        comparison=comparison(first, second, id=id, scene=scene),
        winner=winner,
        principle=principle,
        reason="by construction",
        labeller="gold",
    )


def prompt() -> RLPrompt:
    return RLPrompt(
        id="p",
        dialogue_id="d",
        turn_id="r",
        character="Ann",
        scene=SCENE,
        history=HISTORY,
        messages=(Message(role="user", content="x"),),
        reference=turn("It went where stones go, father."),
        split="train",
        provenance="gold",
        history_policy="drop_own_system",
        system_thinking=False,
    )


def text(reply: Turn) -> str:
    """A reply as a policy writes it."""
    return render_turn(reply)


class RuleJudge:
    """Applies a rule to the two candidates in the order given."""

    name = "rule"
    fingerprint = "rule"

    def __init__(self, rule: Callable[[Comparison], Winner | None], *, positional: bool = True) -> None:
        self.positional = positional
        self.rule = rule
        self.asked: list[Comparison] = []

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        self.asked += comparisons
        found = [self.rule(c) for c in comparisons]
        return [Unparsed(reason="silent") if w is None else Decided(winner=w) for w in found]


class WordScorer:
    """Scores by counting: each word of the reply that stands in the chat is likely, every other is not."""

    name = "scripted:words"
    fingerprint = "words-1"

    def __init__(self) -> None:
        self.items: list[ScoreItem] = []

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        self.items += items
        out = []
        for item in items:
            known = set(" ".join([*(m.content for m in item.messages), item.prefill]).lower().split())
            said = item.text.lower().split()
            out.append(Score(logprob=sum(-0.5 if w in known else -2.0 for w in said), tokens=len(said)))
        return out
