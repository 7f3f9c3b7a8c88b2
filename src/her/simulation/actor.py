"""Actor: a model playing one character for one turn. Exams, simulated scenes and chats all speak through it.

Owns the call and the reading of its answer. It builds no prompt of its own: `renderers.roleplay.chat` is what training
data, exams and serving share, so what is measured is what is served. No stop string cuts a reply where another name
begins: a model that speaks for others must be seen doing it (HER's evaluator lets such replies pass, §6.2).
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from her.errors import InputError, ReplyError, TagError
from her.llm.model import ChatModel, FinishReason, Reply, Request, Usage
from her.renderers.roleplay import chat
from her.renderers.stream import Piece, StreamReader
from her.renderers.tags import read_lenient
from her.renderers.wellformed import Form, check
from her.schema import ENVIRONMENT, HistoryPolicy, Message, Record, Scene, Turn, Viewer


class Spoken(Record):
    """What came of asking a model for a turn."""

    turn: Turn | None
    """The reply, read leniently; None where there was nothing that anyone in the scene could perceive or think."""
    unread: str | None
    """Why `turn` is None: `nothing` or `only_thinking`. None where it was read."""
    form: Form
    """What the strict reader says of the raw text."""
    raw: str
    """The text exactly as the model wrote it."""
    reasoning: str | None
    """What the endpoint returned apart from the text: a reasoning model's own thinking, which is system thinking."""
    finish_reason: FinishReason
    usage: Usage | None
    repairs: tuple[str, ...]
    """Kinds of repair the lenient reader made, in order."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A model with the settings under which it plays. It holds no history: a scene may be shared by many actors."""

    model: ChatModel
    history_policy: HistoryPolicy = field(default="drop_own_system", kw_only=True)
    system_thinking: bool = field(default=True, kw_only=True)
    max_tokens: int = field(default=400, kw_only=True)
    temperature: float = field(default=0.8, kw_only=True)
    top_p: float = field(default=1.0, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    def messages(self, scene: Scene, history: Sequence[Turn], character: str) -> tuple[Message, ...]:
        """The chat the character is shown."""
        if character not in scene.names():
            cast = ", ".join(scene.names())
            raise InputError(f"{character!r} is not in scene {scene.id!r}; choose one of: {cast}")
        return chat(scene, history, character, history_policy=self.history_policy, system_thinking=self.system_thinking)

    async def speak(
        self, scene: Scene, history: Sequence[Turn], character: str, *, turn_id: str, sample_index: int = 0
    ) -> Spoken:
        """One turn of `character`. A failed call raises; a reply that cannot be read is a `Spoken` without a turn."""
        reply = await self.model.reply(self._request(scene, history, character, sample_index))
        return self.read(reply, scene, character, turn_id=turn_id)

    async def stream(
        self,
        scene: Scene,
        history: Sequence[Turn],
        character: str,
        *,
        turn_id: str,
        viewer: Viewer,
        eager: bool = False,
        sample_index: int = 0,
    ) -> AsyncIterator[Piece | Spoken]:
        """The same turn as it is written: pieces that `viewer` may see, then the whole as a `Spoken`.

        `eager` is for a reader outside the scene who wants words before they are certain (see `StreamReader`).
        """
        reader = StreamReader(viewer, speaker=character, eager=eager)
        shows_reasoning = _sees_system_thinking(viewer, character)
        text: list[str] = []
        reasoning: list[str] = []
        finish: FinishReason | None = None
        usage: Usage | None = None
        async for delta in self.model.stream(self._request(scene, history, character, sample_index)):
            if delta.reasoning:
                if shows_reasoning:
                    yield Piece(kind="system_thinking", text=delta.reasoning, opens=not reasoning)
                reasoning.append(delta.reasoning)
            if delta.text:
                text.append(delta.text)
                for piece in reader.feed(delta.text):
                    yield piece
            finish = delta.finish_reason or finish
            usage = delta.usage or usage
        for piece in reader.close():
            yield piece
        if finish is None:
            raise ReplyError(
                f"{self.model.name} ended a stream without a finish reason; try again, or without streaming"
            )
        reply = Reply(text="".join(text), reasoning="".join(reasoning) or None, finish_reason=finish, usage=usage)
        yield self.read(reply, scene, character, turn_id=turn_id)

    def read(self, reply: Reply, scene: Scene, character: str, *, turn_id: str) -> Spoken:
        """Read a reply as a turn of `character`: leniently for the scene, strictly for the form."""
        reasoning = reply.reasoning.strip() if reply.reasoning and reply.reasoning.strip() else None
        turn: Turn | None = None
        unread: str | None = None
        repairs: tuple[str, ...] = ()
        in_text = False
        try:
            reading = read_lenient(reply.text, speaker=character, turn_id=turn_id)
        except TagError:
            unread = "nothing" if reasoning is None else "only_thinking"
        else:
            repairs = tuple(r.kind for r in reading.repairs)
            in_text = reading.turn.system_thinking is not None
            if reading.turn.parts:
                plan = reading.turn.system_thinking or reasoning
                turn = Turn(id=turn_id, speaker=character, system_thinking=plan, parts=reading.turn.parts)
            else:
                unread = "only_thinking"
        form = check(
            reply.text,
            speaker=character,
            others=[n for n in (*scene.names(), ENVIRONMENT) if n != character],
            # A reasoning model's own thinking is the first layer; asking for it twice would fail every such model.
            system_thinking=self.system_thinking and (in_text or reasoning is None),
            finish_reason=reply.finish_reason,
        )
        return Spoken(
            turn=turn,
            unread=unread,
            form=form,
            raw=reply.text,
            reasoning=reasoning,
            finish_reason=reply.finish_reason,
            usage=reply.usage,
            repairs=repairs,
        )

    def _request(self, scene: Scene, history: Sequence[Turn], character: str, sample_index: int) -> Request:
        return Request(
            messages=self.messages(scene, history, character),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            sample_index=sample_index,
        )


def _sees_system_thinking(viewer: Viewer, speaker: str) -> bool:
    """Ask the one law of visibility, rather than restate it."""
    probe = Turn(id="probe", speaker=speaker, system_thinking="plan", parts=())
    return probe.seen_by(viewer).system_thinking is not None
