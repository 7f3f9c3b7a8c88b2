"""Scenes played by scripted models: who speaks when, what is counted, what nobody hears."""

import asyncio

import pytest

from her.errors import InputError
from her.llm.scripted import ScriptedModel, ScriptedReply
from her.schema import ENVIRONMENT, Part, Turn
from her.simulation import Actor, Environment, NextSpeaker, Played, play
from her.simulation.next_speaker import END_CHAT, read_name
from her.story import load_scenes

SCENE = next(s for s in load_scenes() if len(s.characters) >= 2)
ONE, TWO = SCENE.names()[:2]


def line(name: str) -> str:
    secret = f"secret-of-{name}"
    return (
        f"<system_thinking>plan-of-{name}</system_thinking>{name}: <role_thinking>{secret}</role_thinking>"
        f"<role_action>nods</role_action>I am {name}."
    )


def cast() -> tuple[dict[str, ScriptedModel], dict[str, Actor]]:
    models = {n: ScriptedModel([line(n)]) for n in SCENE.names()}
    return models, {n: Actor(m) for n, m in models.items()}


def test_round_robin_and_hidden_layers_stay_home() -> None:
    models, actors = cast()
    played = asyncio.run(play(SCENE, actors, rounds=5, seed=1))
    names = SCENE.names()
    assert [t.speaker for t in played.dialogue.turns] == [names[i % len(names)] for i in range(5)]
    assert played.dialogue.provenance == "policy"
    for name, model in models.items():
        heard = "".join(m.content for r in model.requests for m in r.messages)
        assert "plan-of" not in heard  # its own neither, under drop_own_system
        for other in names:
            assert (f"secret-of-{other}" in heard) <= (other == name)
    assert any("secret-of-" in m.content for r in models[ONE].requests for m in r.messages), "own thoughts are kept"


def test_same_seed_same_play() -> None:
    def once(seed: int) -> Played:
        return asyncio.run(play(SCENE, cast()[1], rounds=8, seed=seed, next_speaker="random"))

    assert once(3) == once(3)
    assert len({tuple(t.speaker for t in once(s).dialogue.turns) for s in range(4)}) >= (
        2 if len(SCENE.names()) > 2 else 1
    )


def test_unread_replies_add_no_turn_and_are_counted() -> None:
    _, actors = cast()
    actors[TWO] = Actor(ScriptedModel([""]))
    played = asyncio.run(play(SCENE, {n: actors[n] for n in (ONE, TWO)}, rounds=4, seed=1))
    assert [t.speaker for t in played.dialogue.turns] == [ONE, ONE]
    assert played.unread == 2
    assert [m.kept for m in played.moves] == [True, False, True, False]


def test_a_model_calls_the_next_speaker_exactly_or_a_draw_does() -> None:
    _, actors = cast()
    two = {n: actors[n] for n in (ONE, TWO)}
    exact = NextSpeaker(ScriptedModel([f'{{"next_speaker": "{TWO}"}}']))
    played = asyncio.run(play(SCENE, two, rounds=2, seed=1, next_speaker=exact))
    assert [m.call.by for m in played.moves] == ["order", "model"]
    vague = NextSpeaker(ScriptedModel([f"I think {TWO} should answer {ONE}."]))
    played = asyncio.run(play(SCENE, two, rounds=4, seed=1, next_speaker=vague))
    assert played.drawn == 3
    assert {m.call.by for m in played.moves[1:]} == {"draw_after_unread"}


def test_the_end_may_be_called_only_after_five_rounds() -> None:
    _, actors = cast()
    ending = NextSpeaker(ScriptedModel([END_CHAT]))
    played = asyncio.run(play(SCENE, {n: actors[n] for n in (ONE, TWO)}, rounds=20, seed=1, next_speaker=ending))
    assert (len(played.moves), played.ended, played.drawn) == (5, "model", 4)


def test_the_caller_and_the_environment_see_no_hidden_layer() -> None:
    _, actors = cast()
    caller = ScriptedModel([f'{{"next_speaker": "{ENVIRONMENT}"}}'])
    world = ScriptedModel(["<think>what now</think>The wind turns.", ScriptedReply(text="", match="wind turns")])
    played = asyncio.run(
        play(SCENE, actors, rounds=4, seed=1, next_speaker=NextSpeaker(caller), environment=Environment(world))
    )
    said = [t for t in played.dialogue.turns if t.speaker == ENVIRONMENT]
    assert said[0].system_thinking is None
    assert said[0].parts == (Part(kind="speech", text="The wind turns."),)
    assert len(played.spoken) == sum(m.call.name != ENVIRONMENT for m in played.moves)
    heard = "".join(m.content for model in (caller, world) for r in model.requests for m in r.messages)
    assert "secret-of" not in heard
    assert "plan-of" not in heard


def test_opening_is_kept_and_answered() -> None:
    opening = Turn(id="g1", speaker=ONE, parts=(Part(kind="speech", text="Well?"),))
    played = asyncio.run(play(SCENE, cast()[1], rounds=1, seed=1, opening=[opening]))
    assert played.opening == 1
    assert [t.speaker for t in played.dialogue.turns] == [ONE, TWO]


def test_strangers_and_empty_casts_are_refused() -> None:
    actor = Actor(ScriptedModel([line("x")]))
    with pytest.raises(InputError, match="Nobody"):
        asyncio.run(play(SCENE, {"Nobody": actor}, rounds=1, seed=1))
    with pytest.raises(InputError, match="nobody to play"):
        asyncio.run(play(SCENE, {}, rounds=1, seed=1))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"next_speaker": "Ann"}', "Ann"),
        (" Ann\n", "Ann"),
        ('"Ann"', "Ann"),
        ("[1]", ""),
        ("{}", ""),
        ("Joanne", "Joanne"),
    ],
)
def test_read_name(text: str, name: str) -> None:
    assert read_name(text) == name
