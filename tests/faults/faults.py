"""Every way in which an endpoint can fail a call, by name, and what the engine is expected to make of it.

A fault is played on one exchange of the faulty upstream. Public: whoever builds on the engine may play them too.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Literal

Expected = Literal[
    "ok",
    "dead:refused",
    "dead:too_long",
    "dead:unreadable",
    "dead:spent",
    "dead:killed_upstream",
    "stop",  # the run ends: the endpoint is of no use
    "reply:length",
    "reply:content_filter",
    "unread",  # a reply, but not one that was asked for: the stage's own check sees it
]
HUGE = 17 << 20


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request under way, as a fault sees it."""

    writer: asyncio.StreamWriter
    text: str
    """What a sound endpoint would reply."""
    streaming: bool
    spoilt: bool = False
    """A fault was played that leaves no whole, sound answer."""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes, *, status: int = 200, headers: tuple[str, ...] = (), length: int = -1) -> None:
        """A whole response. `length`: what is said of it, where that is not the truth."""
        kind = "text/event-stream" if self.streaming and status == 200 else "application/json"
        said = len(body) if length < 0 else length
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {said}", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def refuse(self, status: int, body: str, *headers: str) -> None:
        self.spoilt = True
        await self.answer(body.encode(), status=status, headers=headers)

    async def spoil(self, body: bytes, *, length: int = -1) -> None:
        """A 200 with something else in it."""
        self.spoilt = True
        await self.answer(body, length=length)

    async def part(self, share: float) -> None:
        """The head and the first of a sound answer."""
        self.spoilt = True
        body = sound(self.text, streaming=self.streaming)
        await self.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[: int(len(body) * share)])

    async def silence(self) -> None:
        """Until the client gives up."""
        self.spoilt = True
        await asyncio.sleep(3600)

    def reset(self) -> None:
        """Drop the connection without a farewell."""
        self.spoilt = True
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """Drop the connection politely, too early."""
        self.spoilt = True
        self.writer.close()


def completion(text: str | None, finish: str = "stop") -> bytes:
    """The body of a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 20, "completion_tokens": 10}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()


def event(text: str | None, finish: str | None = None) -> bytes:
    """One piece of a stream."""
    delta = {} if text is None else {"content": text}
    return (
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"
    )


DONE = b"data: [DONE]\n\n"


def sound(text: str | None, finish: str = "stop", *, streaming: bool) -> bytes:
    """The body of a sound answer, whole or streamed."""
    if not streaming:
        return completion(text, finish)
    half = len(text or "") // 2
    pieces = [event((text or "")[:half]), event((text or "")[half:])] if text else []
    return b"".join([*pieces, event(None, finish), DONE])


Play = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault. `once`: what becomes of a request that meets it at its first attempt; `always`: at every attempt."""

    name: str
    play: Play
    once: Expected
    always: Expected


async def _date(x: Exchange) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    await x.refuse(429, "slow down", f"Retry-After: {when}")


async def _reset_mid(x: Exchange) -> None:
    await x.part(0.5)
    x.reset()


async def _close_mid(x: Exchange) -> None:
    await x.part(0.5)
    x.close()


async def _reset(x: Exchange) -> None:
    x.reset()


async def _hang_after_head(x: Exchange) -> None:
    await x.part(0.0)
    await x.silence()


async def _hang_mid(x: Exchange) -> None:
    await x.part(0.5)
    await x.silence()


async def _trickle(x: Exchange) -> None:
    await x.part(0.0)
    for byte in sound(x.text, streaming=x.streaming):
        await x.send(bytes([byte]))
        await asyncio.sleep(0.04)


@cache
def _much(streaming: bool) -> bytes:
    return (event("@") if streaming else completion("@")).replace(b"@", b"a" * HUGE)


async def _huge(x: Exchange) -> None:
    await x.spoil(_much(x.streaming))


async def _twice(x: Exchange) -> None:
    body = sound(x.text, streaming=x.streaming)
    if x.streaming:
        end = event(None, "stop") + DONE
        await x.answer(body.removesuffix(end) + event(None, "stop") + end)
    else:
        await x.answer(body)


async def _half_character(x: Exchange) -> None:
    body = sound(x.text, streaming=x.streaming)
    await x.spoil(body.replace(b'"content": "', b'"content": "\xf0\x9f\x8c', 1))


async def _short_length(x: Exchange) -> None:
    body = sound(x.text, streaming=x.streaming)
    await x.spoil(body, length=len(body) // 2)


async def _long_length(x: Exchange) -> None:
    body = sound(x.text, streaming=x.streaming)
    await x.spoil(body, length=len(body) + 500)
    x.close()


async def _error_inside(x: Exchange) -> None:
    body = json.dumps({"error": {"message": "the worker died"}}).encode()
    await x.spoil(b"data: " + body + b"\n\n" if x.streaming else body)


async def _no_usage(x: Exchange) -> None:
    await x.answer(sound(x.text, streaming=x.streaming).replace(b'"usage"', b'"unused"'))


async def _not_http(x: Exchange) -> None:
    x.spoilt = True
    await x.send(b"220 mail.example ready\r\n\r\n")
    x.writer.close()


def _refusing(status: int, body: str, *headers: str) -> Play:
    return lambda x: x.refuse(status, body, *headers)


def _saying(text: str | None, finish: str = "stop") -> Play:
    return lambda x: x.spoil(sound(text, finish, streaming=x.streaming))


def _sending(body: bytes) -> Play:
    return lambda x: x.spoil(body)


_TOO_LONG = '{"error": {"message": "maximum context length is 4096 tokens", "code": "context_length_exceeded"}}'
_ROWS: list[tuple[str, Play, Expected, Expected]] = [
    ("rate_limit_seconds", _refusing(429, "slow down", "Retry-After: 1"), "ok", "stop"),
    ("rate_limit_date", _date, "ok", "stop"),
    ("rate_limit_bare", _refusing(429, "slow down"), "ok", "stop"),
    ("quota", _refusing(429, '{"error": {"code": "insufficient_quota"}}'), "stop", "stop"),
    ("server_error", _refusing(500, "oops"), "ok", "dead:spent"),
    ("bad_gateway", _refusing(502, "<html><h1>502</h1></html>"), "ok", "dead:spent"),
    ("overloaded", _refusing(503, '{"error": "overloaded"}'), "ok", "stop"),
    ("reset", _reset, "ok", "dead:killed_upstream"),
    ("hang", lambda x: x.silence(), "ok", "dead:spent"),
    ("hang_after_head", _hang_after_head, "ok", "dead:spent"),
    ("hang_mid_body", _hang_mid, "ok", "dead:spent"),
    ("reset_mid_body", _reset_mid, "ok", "dead:killed_upstream"),
    ("close_mid_body", _close_mid, "ok", "dead:killed_upstream"),
    ("trickle", _trickle, "ok", "dead:spent"),
    ("truncated_json", _sending(b'{"choices": [{"index": 0, "message"'), "ok", "dead:unreadable"),
    ("wrong_shape", _sending(b'{"object": "list", "data": []}'), "ok", "dead:unreadable"),
    ("html_in_200", _sending(b"<html>please log in</html>"), "ok", "dead:unreadable"),
    ("error_in_200", _error_inside, "ok", "dead:unreadable"),
    ("null_content", _saying(None), "ok", "dead:unreadable"),
    ("bad_utf8", _half_character, "ok", "dead:unreadable"),
    ("huge_reply", _huge, "dead:unreadable", "dead:unreadable"),
    ("long_length", _long_length, "ok", "dead:killed_upstream"),
    ("short_length", _short_length, "ok", "dead:unreadable"),
    ("not_http", _not_http, "ok", "dead:unreadable"),
    ("redirect", _refusing(307, "", "Location: http://evil.example/"), "stop", "stop"),
    ("bad_request", _refusing(400, '{"error": "no"}'), "dead:refused", "dead:refused"),
    ("too_long", _refusing(400, _TOO_LONG), "dead:too_long", "dead:too_long"),
    ("too_large", _refusing(413, "too large"), "dead:too_long", "dead:too_long"),
    ("unauthorised", _refusing(401, '{"error": "bad key"}'), "stop", "stop"),
    ("wrong_schema", _saying('{"sad": 1}'), "unread", "unread"),
    ("prose", _saying("Of course! Here is what you asked for."), "unread", "unread"),
    ("empty_text", _saying(""), "unread", "unread"),
    ("length", _saying('{"said": "and then she', "length"), "reply:length", "reply:length"),
    ("content_filter", _saying("", "content_filter"), "reply:content_filter", "reply:content_filter"),
    ("duplicate_chunk", _twice, "ok", "ok"),
    ("extra_done", lambda x: x.answer(sound(x.text, streaming=x.streaming) + DONE * x.streaming), "ok", "ok"),
    ("no_usage", _no_usage, "ok", "ok"),
]
FAULTS: dict[str, Fault] = {n: Fault(name=n, play=p, once=o, always=a) for n, p, o, a in _ROWS}
PASSING = tuple(n for n, f in FAULTS.items() if f.once != "stop" and n != "huge_reply")
"""Faults that may be mixed: none ends a run, and none needs 17 MB an answer."""
