"""Replies: what a client may see of a model's answer, as it is written.

Owns the two channels, `content` (speech and action as display text) and `reasoning` (the hidden layers the viewer may
see), the stop strings and the count of running replies. Which text is hidden is decided by `renderers.stream` and
`Turn.seen_by`; what this file never receives it cannot leak. Both forms of answer are made from the same events, so a
whole answer is its stream, joined.
"""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from her.errors import ReplyError
from her.llm.model import ChatModel, Delta, FinishReason, Request, Usage
from her.schema import Viewer
from her.serve.exchange import Exchange
from her.serve.fault import ApiFault
from her.serve.settings import ServeSettings
from her.serve.voice import Shown, Voice
from her.serve.wire import ChatRequest

TEMPERATURE = 0.8
"""Where a client names none: what the actor of exams and chats uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The model has answered something; no more is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end. `segments` holds only what the viewer saw."""

    finish_reason: FinishReason
    usage: Usage | None
    segments: tuple[tuple[str, str], ...]
    repairs: int

    @property
    def empty(self) -> bool:
        """Was there nothing to see?"""
        return not self.segments

    def extension(self) -> dict[str, Any]:
        """`message.her`."""
        return {"segments": [{"kind": kind, "text": text} for kind, text in self.segments], "repairs": self.repairs}


Event = Begun | Shown | Finished


class Running:
    """How many replies are in the making. One more than allowed is refused, not queued: a queue hides the wait."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0

    def __enter__(self) -> None:
        if self._count >= self._limit:
            message = f"{self._limit} replies are being written; try again shortly"
            raise ApiFault(429, message, kind="rate_limit_error", code="busy")
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1


def asked(exchange: Exchange, request: ChatRequest, settings: ServeSettings) -> Request:
    """The call to the model. Stop strings stay here: met in a hidden thought they would cut off the whole reply."""
    allowance = settings.thinking_tokens if settings.system_thinking else 0
    visible = min(request.max_tokens or settings.max_tokens, settings.max_tokens)
    return Request(
        messages=exchange.messages,
        max_tokens=min(request.max_completion_tokens or visible + allowance, settings.max_tokens + allowance),
        temperature=TEMPERATURE if request.temperature is None else request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        seed=secrets.randbits(31) if request.seed is None else request.seed & 0x7FFFFFFF,
        prefill=exchange.prefill,
    )


async def replies(
    model: ChatModel,
    exchange: Exchange,
    *,
    request: ChatRequest,
    settings: ServeSettings,
    viewer: Viewer,
    running: Running,
) -> AsyncGenerator[Event, None]:
    """The events of one reply. Closing the generator stops the model."""
    voice = Voice(exchange, viewer=viewer, stops=request.stop, eager=settings.eager)
    finish: FinishReason | None = None
    usage: Usage | None = None
    begun = False
    with running:
        async with aclosing(_deltas(model, asked(exchange, request, settings))) as deltas:
            async for delta in deltas:
                if not begun:
                    begun = True
                    yield Begun()
                for event in voice.reasoning(delta.reasoning) + voice.text(delta.text):
                    yield event
                finish, usage = delta.finish_reason or finish, delta.usage or usage
                if voice.stopped:
                    finish = "stop"
                    break
        if finish is None:
            raise ReplyError(f"{model.name} broke off without a finish reason; ask again")
        for event in voice.close():
            yield event
        yield Finished(finish_reason=finish, usage=usage, segments=voice.segments(), repairs=voice.repairs)


async def _deltas(model: ChatModel, request: Request) -> AsyncGenerator[Delta, None]:
    """The model's stream, which is closed when this is, whatever kind of iterator the engine gives."""
    stream: AsyncIterator[Delta] = model.stream(request)
    try:
        async for delta in stream:
            yield delta
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
