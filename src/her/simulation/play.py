"""play: a scene acted out, one speaker a round (HER §6.2).

Owns the order of speaking and the growing history. It scores nothing. Every actor is shown the scene through the one
builder that training and serving use, so nobody sees another's thoughts and no history differs from training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Literal

from her.errors import InputError
from her.schema import ENVIRONMENT, Dialogue, Record, Scene, Turn
from her.simulation.actor import Actor, Spoken
from her.simulation.environment import Environment
from her.simulation.next_speaker import END_CHAT, Call, NextSpeaker

MAY_END_AFTER = 5
"""Rounds before a model may end the scene (HER §6.2)."""


class Move(Record):
    """One round: who was called, and what came of it."""

    round: int
    call: Call
    turn_id: str
    spoken: Spoken | None
    """None for the Environment, whose replies are not examined."""
    kept: bool
    """Did a turn enter the scene? False: the reply could not be read."""


class Played(Record):
    """A scene that was played."""

    dialogue: Dialogue
    opening: int
    """How many of the first turns were given; all later ones were played."""
    moves: tuple[Move, ...]
    unread: int
    """Rounds whose reply could not be read and added no turn."""
    drawn: int
    """Rounds whose next-speaker reply could not be read and a seeded draw decided."""
    ended: Literal["rounds", "model"]

    @property
    def spoken(self) -> tuple[Spoken, ...]:
        """What the characters' models said, in order."""
        return tuple(m.spoken for m in self.moves if m.spoken is not None)


async def play(
    scene: Scene,
    actors: Mapping[str, Actor],
    *,
    rounds: int,
    seed: int,
    opening: Sequence[Turn] = (),
    next_speaker: Literal["round_robin", "random"] | NextSpeaker = "round_robin",
    environment: Environment | None = None,
    dialogue_id: str | None = None,
) -> Played:
    """Play `rounds` turns after `opening`. All draws and all samples follow from `seed`.

    The Environment, where there is one, is called by a draw or by the next-speaker model, never by turns in order. A
    reply that cannot be read adds no turn and is counted: an empty turn would be a lie about what was said.
    """
    cast = [name for name in scene.names() if name in actors]
    if strangers := sorted(set(actors) - set(cast)):
        raise InputError(f"scene {scene.id!r} has no {strangers[0]!r}; its cast is {', '.join(scene.names())}")
    if not cast:
        raise InputError(f"scene {scene.id!r} has nobody to play; give an actor for one of {', '.join(scene.names())}")
    seeded = {name: replace(actors[name], seed=seed) for name in cast}
    world = None if environment is None else replace(environment, seed=seed)
    caller = replace(next_speaker, seed=seed) if isinstance(next_speaker, NextSpeaker) else next_speaker
    draw = Random(f"{seed}:{scene.id}")
    history = list(opening)
    moves: list[Move] = []
    last = next((t.speaker for t in reversed(history) if t.speaker in (*cast, ENVIRONMENT)), None)
    ended: Literal["rounds", "model"] = "rounds"
    for number in range(rounds):
        speakers = [*cast, ENVIRONMENT] if world is not None and caller != "round_robin" else cast
        allowed = [n for n in speakers if n != last] or cast
        if last is None:
            call = Call(name=cast[0], by="order")  # the evaluator's first speaker is the first of the cast
        elif isinstance(caller, NextSpeaker):
            may_end = number >= MAY_END_AFTER
            call = await caller.call(scene, history, allowed=allowed, may_end=may_end, draw=draw)
        elif caller == "random":
            call = Call(name=draw.choice(allowed), by="draw")
        else:
            after = cast.index(last) + 1 if last in cast else 0
            call = Call(name=cast[after % len(cast)], by="order")
        if call.name == END_CHAT:
            ended = "model"
            break
        turn_id = f"play-{number + 1}"
        spoken: Spoken | None = None
        turn: Turn | None
        if call.name == ENVIRONMENT and world is not None:
            turn = await world.speak(scene, history, turn_id=turn_id, sample_index=number)
        else:
            actor = seeded[call.name]
            spoken = await actor.speak(scene, history, call.name, turn_id=turn_id, sample_index=number)
            turn = spoken.turn
        moves.append(Move(round=number + 1, call=call, turn_id=turn_id, spoken=spoken, kept=turn is not None))
        last = call.name
        if turn is not None:
            history.append(turn)
    name = dialogue_id or f"{scene.id}:play:{seed}"
    return Played(
        dialogue=Dialogue(id=name, scene=scene, turns=tuple(history), provenance="policy"),
        opening=len(opening),
        moves=tuple(moves),
        unread=sum(not m.kept for m in moves),
        drawn=sum(m.call.by == "draw_after_unread" for m in moves),
        ended=ended,
    )
