"""One model, one character, one turn: what is asked, what is read, what is shown."""

import asyncio

import pytest

from her.errors import InputError
from her.llm.scripted import ScriptedModel, ScriptedReply
from her.renderers.roleplay import chat
from her.renderers.stream import Piece
from her.schema import Part, Turn, Viewer
from her.simulation import Actor, Spoken
from her.story import load_scenes

SCENE = load_scenes()[0]
TOBIN, EDMUND = SCENE.names()[:2]
GOOD = (
    f"<system_thinking>He keeps his secret.</system_thinking>{TOBIN}: <role_thinking>He knows.</role_thinking>"
    "<role_action>spits in the river</role_action>Nine, always nine."
)


def speak(reply: ScriptedReply | str, **settings: bool) -> Spoken:
    actor = Actor(ScriptedModel([reply]), **settings)  # type: ignore[arg-type]
    return asyncio.run(actor.speak(SCENE, (), TOBIN, turn_id="t1"))


def test_reply_is_read_into_both_layers() -> None:
    spoken = speak(GOOD)
    assert spoken.form.ok
    assert spoken.turn is not None
    assert spoken.turn.system_thinking == "He keeps his secret."
    assert spoken.turn.layout() == "thought>action>speech"
    assert spoken.usage is not None


def test_request_is_the_shared_builder_and_cuts_no_foreign_speech() -> None:
    model = ScriptedModel([GOOD])
    said = Turn(
        id="t0", speaker=EDMUND, parts=(Part(kind="thought", text="Careful."), Part(kind="speech", text="Well?"))
    )
    actor = Actor(model, history_policy="keep_own_system", seed=3)
    asyncio.run(actor.speak(SCENE, (said,), TOBIN, turn_id="t1", sample_index=2))
    (request,) = model.requests
    assert request.messages == chat(SCENE, (said,), TOBIN, history_policy="keep_own_system", system_thinking=True)
    assert "Careful." not in "".join(m.content for m in request.messages)
    assert (request.stop, request.seed, request.sample_index) == ((), 3, 2)


@pytest.mark.parametrize(
    ("text", "reasoning", "unread"),
    [
        ("", None, "nothing"),
        ("  \n ", None, "nothing"),
        ("<system_thinking>only a plan</system_thinking>", None, "only_thinking"),
        ("<system_thinking>a plan that never ends", None, "only_thinking"),
        ("", "the endpoint thought, and said nothing", "only_thinking"),
    ],
)
def test_nothing_readable_is_an_outcome_not_an_empty_turn(text: str, reasoning: str | None, unread: str) -> None:
    spoken = speak(ScriptedReply(text=text, reasoning=reasoning))
    assert spoken.turn is None
    assert spoken.unread == unread
    assert not spoken.form.ok


def test_speaking_for_others_is_seen() -> None:
    spoken = speak(f"{TOBIN}: Nine.\n{EDMUND}: Nine? Are you sure?", system_thinking=False)
    assert "foreign_speech" in spoken.form.faults
    assert spoken.turn is not None


def test_reasoning_is_system_thinking() -> None:
    spoken = speak(ScriptedReply(text=f"{TOBIN}: Nine.", reasoning="He should lie."))
    assert spoken.turn is not None
    assert spoken.turn.system_thinking == "He should lie."
    assert spoken.form.ok, spoken.form.faults
    other = spoken.turn.seen_by(Viewer.character(EDMUND))
    assert other.system_thinking is None


async def _streamed(actor: Actor, viewer: Viewer) -> list[Piece | Spoken]:
    return [x async for x in actor.stream(SCENE, (), TOBIN, turn_id="t1", viewer=viewer)]


@pytest.mark.parametrize("reasoning", [None, "He should lie."])
def test_stream_shows_what_the_viewer_may_see_and_ends_as_speak_does(reasoning: str | None) -> None:
    reply = ScriptedReply(text=GOOD, reasoning=reasoning)
    actor = Actor(ScriptedModel([reply]))
    *pieces, last = asyncio.run(_streamed(actor, Viewer.reader()))
    assert last == speak(reply)
    shown = [p for p in pieces if isinstance(p, Piece)]
    assert {p.kind for p in shown} == {"action", "speech"}
    text = "".join(p.text for p in shown)
    assert "He" not in text
    assert "Nine, always nine." in text
    *pieces, _ = asyncio.run(_streamed(actor, Viewer.reader(system_thinking=True)))
    assert pieces[0] == Piece(kind="system_thinking", text=reasoning) if reasoning else pieces


def test_a_stranger_cannot_be_played() -> None:
    with pytest.raises(InputError, match=r"'Nobody' is not in scene.*choose one of"):
        asyncio.run(Actor(ScriptedModel([GOOD])).speak(SCENE, (), "Nobody", turn_id="t1"))
