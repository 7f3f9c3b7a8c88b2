"""The second reader: what it is shown, which of its claims count, and what is counted besides."""

import asyncio
import json

import pytest

from her.errors import DeadLetterError, EndpointError
from her.llm import ChatModel, Reply, Request, ScriptedModel, ScriptedReply
from her.schema import Character, Dialogue, Part, Scene, Turn
from her.synthesis import SecondReading, check, check_with_teacher
from her.synthesis.checks.second_reader import question
from her.synthesis.checks.standpoint import standpoint

THOUGHT = "All she wants is the orchard, and always was"
SECRET = "He sold the orchard to the railway in March."
_turns = (
    Turn(id="t1", speaker="Anna", parts=(Part(kind="speech", text="The apples are in."),)),
    Turn(
        id="t2",
        speaker="Paul",
        parts=(Part(kind="thought", text=THOUGHT), Part(kind="speech", text="So they are.")),
    ),
)
DIALOGUE = Dialogue(
    id="d",
    scene=Scene(
        id="s",
        book_id=None,
        chapter=None,
        scenario="An orchard.",
        characters=(Character(name="Anna"), Character(name="Paul", background=SECRET)),
    ),
    turns=_turns,
    provenance="teacher",
)


def _answer(*claims: tuple[str, str, str]) -> str:
    return json.dumps({"findings": [{"kind": k, "where": w, "quote": q} for k, w, q in claims]})


def _read(answer: str, *, finish: str = "stop") -> SecondReading:
    script = [
        ScriptedReply(match="turn of Paul have", text=answer, finish_reason=finish),  # type: ignore[arg-type]
        ScriptedReply(match="turn of Anna have", text=_answer()),
    ]
    return asyncio.run(check_with_teacher(ScriptedModel(script), DIALOGUE, check(DIALOGUE)))


def test_a_claim_counts_where_its_words_stand() -> None:
    read = _read(_answer(("mind_reading", "thought", "all she wants is the orchard.")))
    (finding,) = [f for f in read.findings if f not in check(DIALOGUE)]
    assert (finding.turn_id, finding.flag.kind, finding.flag.where) == ("t2", "mind_reading", "thought")
    assert (read.asked, read.unread, read.unverified) == (2, 0, 0)


@pytest.mark.parametrize(
    "claim",
    [
        ("mind_reading", "speech", "All she wants is the orchard"),  # the words are in another layer
        ("mind_reading", "thought", "She hates the railway"),  # nowhere
        ("mind_reading", "thought", "orchard"),  # one word proves nothing
        ("mind_reading", "system_thinking", "All she wants"),  # there is no plan
        ("thought_in_speech", "thought", THOUGHT),  # a thought is where it should be
    ],
)
def test_a_claim_that_cannot_be_verified_is_counted_and_dropped(claim: tuple[str, str, str]) -> None:
    read = _read(_answer(claim))
    assert read.findings == check(DIALOGUE)
    assert read.unverified == 1


def test_the_same_place_is_not_named_twice() -> None:
    claim = ("mind_reading", "thought", THOUGHT)
    assert len(_read(_answer(claim, claim)).findings) == len(check(DIALOGUE)) + 1


@pytest.mark.parametrize(
    "answer", ["", "No faults.", "[]", "{}", '{"findings": "none"}', _answer(("rudeness", "thought", THOUGHT))]
)
def test_an_answer_that_is_none_is_unread(answer: str) -> None:
    read = _read(answer)
    assert (read.asked, read.unread) == (2, 1)
    assert read.findings == check(DIALOGUE)


def test_a_cut_off_answer_is_unread() -> None:
    assert _read(_answer(("mind_reading", "thought", THOUGHT)), finish="length").unread == 1


class Failing(ScriptedModel):
    """An endpoint that fails as told."""

    def __init__(self, error: Exception) -> None:
        super().__init__([_answer()])
        self.error = error

    async def reply(self, request: Request) -> Reply:
        raise self.error


def test_a_dead_letter_is_counted_and_a_dead_endpoint_stops() -> None:
    dead = DeadLetterError("given up; see the ledger", reason="spent", attempts=6)
    model: ChatModel = Failing(dead)
    assert asyncio.run(check_with_teacher(model, DIALOGUE, ())).unread == 2
    with pytest.raises(EndpointError):
        asyncio.run(check_with_teacher(Failing(EndpointError("down; start it")), DIALOGUE, ()))


def test_the_question_keeps_known_and_hidden_apart() -> None:
    asked = question(standpoint(DIALOGUE, DIALOGUE.turns[0]))
    shown = asked.messages[-1].content
    known, hidden = shown.split("===Hidden from Anna===")
    assert SECRET not in known
    assert SECRET in hidden
    assert "So they are." not in shown, "what comes later is neither"
    assert asked.temperature == 0
    assert asked.json_schema is not None
    layers = json.loads(asked.json_schema)["properties"]["findings"]["items"]["properties"]["where"]["enum"]
    assert layers == ["speech"]
