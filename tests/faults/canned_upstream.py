"""An endpoint that answers with the given bytes, in order: a raw socket on the loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Upstream:
    """What it was asked, and where it is."""

    url: str = ""
    asked: list[dict[str, object]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)


def ok(body: object) -> bytes:
    """A 200 with JSON."""
    return http(200, json.dumps(body).encode())


def http(status: int, body: bytes, *headers: str) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def sse(*events: str, end: str = "\n\n") -> bytes:
    """An event stream that ends with the connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return head + "".join(f"data: {e}{end}" for e in events).encode()


def answer(text: str | None, **changes: object) -> dict[str, object]:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **changes}
    return {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def piece(text: str | None = None, finish: str | None = None, **delta: str) -> str:
    """One chunk of a stream."""
    said = {**({"content": text} if text is not None else {}), **delta}
    return json.dumps({"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}, ensure_ascii=False)


@asynccontextmanager
async def upstream(responses: Sequence[bytes | None], *, chunk: int = 0) -> AsyncIterator[Upstream]:
    """Serve `responses` in order, the last one for ever. None hangs up without a word; b"" never answers; `chunk` is
    how many bytes are sent at a time (0: all at once)."""
    state = Upstream()
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(int(h.split(":")[1]) for h in head.split("\r\n") if h.lower().startswith("content-length"))
        state.headers.append(head)
        state.asked.append(json.loads(await reader.readexactly(length)))
        response = responses[min(len(state.asked), len(responses)) - 1]
        if response == b"":
            await reader.read()  # until the client gives up
        elif response is not None:
            size = chunk or len(response)
            for at in range(0, len(response), size):
                writer.write(response[at : at + size])
                await writer.drain()
                if chunk:
                    await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield state
    finally:
        server.close()
        for writer in open_writers:
            writer.close()
        await server.wait_closed()
