"""Answers in the OpenAI shape: one JSON document, or server-sent events.

Owns the order on the wire (role, then reasoning and content as they come, never both in one delta, then the finish,
then usage where asked for, then `[DONE]`) and that a client which goes away stops the model. It is given text that
the client may see, and nothing else.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from her.errors import HerError
from her.llm.model import Usage
from her.serve.fault import ApiFault, from_error, unread
from her.serve.reply import Begun, Event, Finished
from her.serve.voice import Shown

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What every piece of one answer repeats."""

    id: str
    created: int
    model: str


class Gone(Exception):
    """The client went away before the answer began."""


async def while_connected(http: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, unless the client goes away first: then stop it, and its model with it."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnect(http))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Gone
    finally:
        watch.cancel()
        task.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _disconnect(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        continue


async def whole(events: AsyncGenerator[Event, None], head: Head) -> dict[str, Any]:
    """The answer in one piece."""
    content: list[str] = []
    reasoning: list[str] = []
    end: Finished | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Shown):
                (reasoning if event.kind == "reasoning" else content).append(event.text)
            elif isinstance(event, Finished):
                end = event
    assert end is not None, "events end with Finished or an error"
    if end.empty:
        raise unread(end.finish_reason)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(content), "refusal": None}
    if reasoning:
        message["reasoning_content"] = message["reasoning"] = "".join(reasoning)
    message["her"] = end.extension()
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": end.finish_reason}
    body = {"id": head.id, "object": "chat.completion", "created": head.created, "model": head.model}
    return {**body, "choices": [choice], **({} if end.usage is None else {"usage": usage_json(end.usage)})}


async def stream(
    events: AsyncGenerator[Event, None], head: Head, *, usage: bool, key: str | None
) -> AsyncIterator[str]:
    """The answer as it is written. The status has been sent, so a failure is an event of its own."""
    base = {"id": head.id, "object": "chat.completion.chunk", "created": head.created, "model": head.model}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**base, "choices": [choice], **({"usage": None} if usage else {})})

    async with aclosing(events):
        yield chunk({"role": "assistant", "content": ""})
        try:
            async for event in events:
                if isinstance(event, Shown) and event.kind == "content":
                    yield chunk({"content": event.text})
                elif isinstance(event, Shown):
                    yield chunk({"reasoning_content": event.text, "reasoning": event.text})
                elif isinstance(event, Finished):
                    if event.empty:
                        raise unread(event.finish_reason)
                    yield chunk({"her": event.extension()}, event.finish_reason)
                    if usage and event.usage is not None:
                        yield _event({**base, "choices": [], "usage": usage_json(event.usage)})
                else:
                    assert isinstance(event, Begun)
        except HerError as e:
            yield _event(without_key(from_error(e), key).body())
            return
        except ApiFault as fault:
            yield _event(fault.body())
            return
        yield "data: [DONE]\n\n"


def without_key(fault: ApiFault, key: str | None) -> ApiFault:
    """Last guard against an error that quotes the server's own key."""
    if key is not None:
        fault.message = fault.message.replace(key, "[key]")
    return fault


def usage_json(usage: Usage) -> dict[str, int]:
    """Hidden tokens are counted: they were written and are paid for."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _event(value: object) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"
