"""Playing a scene as profile `fixed` does: on the stage that chats and training share (`her.simulation.play`).

Owns the way from its moves to our record. Nobody is shown another's thoughts, and a call that failed adds no turn: it
is counted.
"""

from collections.abc import AsyncIterator, Sequence

from her.evals.benchmarks.asked import Asked, Lost, ask_once
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.coser_scene import CoserItem, number, temperature
from her.evals.benchmarks.play import Line, Play
from her.evals.benchmarks.settings import Settings
from her.llm.model import ChatModel, Delta, Reply, Request
from her.schema import ENVIRONMENT, Turn, Viewer
from her.simulation import Actor, Environment, NextSpeaker, play

NOBODY = Viewer.reader()
"""What others in the scene see: speech and action."""
_FORM = {"thought": "[{}]", "action": "({})", "speech": "{}"}


class Witness:
    """A model that writes down every call. One that was given up answers nothing, which the stage reads as no turn."""

    def __init__(self, model: ChatModel, role: str, asked: list[Asked]) -> None:
        self.name, self.fingerprint = model.name, model.fingerprint
        self._model, self._role, self._asked = model, role, asked
        self._calls = 0

    async def reply(self, request: Request) -> Reply:
        """The reply, or an empty one where there is none; the reason is in the record."""
        self._calls += 1
        asked = await ask_once(self._model, request, key=f"{self._role}-{self._calls}", role=self._role)
        self._asked.append(asked)
        returned = asked.returned
        if isinstance(returned, Lost):
            return Reply(text="", finish_reason="stop")
        return Reply(text=returned.text, reasoning=returned.reasoning, finish_reason=returned.finish_reason)

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The whole reply in one piece."""
        reply = await self.reply(request)
        yield Delta(text=reply.text, reasoning=reply.reasoning or "", finish_reason=reply.finish_reason)

    async def close(self) -> None:
        """Nothing: whoever opened the model closes it."""


async def play_scene(item: CoserItem, cast: Cast, settings: Settings, *, repeat: int) -> Play:
    """The scene, played to its end or through its rounds."""
    asked: list[Asked] = []
    actor = Actor(
        Witness(cast.player, "player", asked),
        system_thinking=settings.system_thinking,
        max_tokens=number(settings, "max_tokens"),
        temperature=temperature(settings),
    )
    scene = item.scene()
    played = await play(
        scene,
        dict.fromkeys(scene.names(), actor),
        rounds=number(settings, "rounds"),
        seed=settings.seed_of(item.id, repeat),
        next_speaker=NextSpeaker(Witness(cast.of("next_speaker"), "next_speaker", asked)),
        environment=Environment(Witness(cast.of("environment"), "environment", asked)),
    )
    return Play(
        item_id=item.id,
        repeat=repeat,
        asked=tuple(asked),
        lines=tuple(_line(turn) for turn in played.dialogue.turns),
        counts={
            "rounds": len(played.moves),
            "unread_turns": played.unread,
            "drawn_speakers": played.drawn,
            "lost_replies": lost(asked),
            "ended_early": int(played.ended == "model"),
        },
    )


def acted(turn: Turn) -> str:
    """What is seen of a turn, in CoSER's brackets. For reading alone: brackets inside a part stay as they are."""
    return " ".join(_FORM[part.kind].format(part.text) for part in turn.parts)


def lost(asked: Sequence[Asked]) -> int:
    """Calls without a reply."""
    return sum(isinstance(a.returned, Lost) for a in asked)


def _line(turn: Turn) -> Line:
    world = turn.speaker == ENVIRONMENT
    return Line(
        speaker=turn.speaker,
        by="environment" if world else "player",
        visible=acted(turn.seen_by(NOBODY)),
        turn=None if world else turn,
    )
