"""A deterministic, faulty endpoint on the loopback: which fault a request meets depends on its content and on how often
it has been asked, never on the order of arrival; what a sound answer says depends on the request alone.

Runs in a thread of its own, so that a client may be killed while it goes on, and keeps its own record of what it was
asked and what it answered.

    with FaultyUpstream(Mixed(rate=0.3, seed=7)) as up:
        ...  # openai:m@{up.url}
"""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from faults import FAULTS, PASSING, Exchange, sound


class Plan(Protocol):
    """Which fault, if any, the `attempt`-th (from 0) asking of a request meets."""

    def fault(self, digest: str, attempt: int) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """No faults."""

    def fault(self, digest: str, attempt: int) -> str | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """One fault at the first so many attempts of every request."""

    name: str
    attempts: int = 1

    def fault(self, digest: str, attempt: int) -> str | None:
        return self.name if attempt < self.attempts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Each attempt of each request meets a fault with probability `rate`, at most `attempts` times in a row."""

    rate: float
    seed: int
    names: Sequence[str] = PASSING
    attempts: int = 1_000_000

    def fault(self, digest: str, attempt: int) -> str | None:
        drawn = hashlib.sha256(f"{self.seed}/{digest}/{attempt}".encode()).digest()
        if attempt >= self.attempts or int.from_bytes(drawn[:6]) >= self.rate * 2**48:
            return None
        return self.names[int.from_bytes(drawn[6:12]) % len(self.names)]


@dataclass(slots=True, kw_only=True)
class Served:
    """What the upstream knows of one request."""

    about: str
    """The last message of the user."""
    seed: int
    asked_at: list[float] = field(default_factory=list)
    """`time.monotonic()` of every attempt."""
    faults: list[str] = field(default_factory=list)
    whole: int = 0
    """Sound answers that were sent to their end, to a client that had not gone: calls that were paid for."""

    @property
    def attempts(self) -> int:
        return len(self.asked_at)


def text_of(messages: Sequence[dict[str, str]]) -> str:
    """What a sound answer to these messages says."""
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()
    return json.dumps({"said": f"She counted {int(digest[:6], 16)} lanterns and said {digest[6:18]}."})


class FaultyUpstream:
    """The server. `delay_s`: how long it thinks before it answers; `says`: what a sound answer to a request is."""

    def __init__(
        self, plan: Plan, *, delay_s: float = 0.0, says: Callable[[dict[str, Any]], str] | None = None
    ) -> None:
        self.plan = plan
        self._says = says or (lambda asked: text_of(asked["messages"]))
        self.url = ""
        self.served: dict[str, Served] = {}
        self.most_at_once = 0
        self._delay_s = delay_s
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="upstream")

    def __enter__(self) -> "FaultyUpstream":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        over = self._over
        assert over is not None
        self._loop.call_soon_threadsafe(over.set)
        self._thread.join()

    def paid_twice(self) -> int:
        """Sound answers beyond the first of each request."""
        return sum(max(0, s.whole - 1) for s in self.served.values())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._converse(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client is gone, or the server ends
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_server(meet, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next(int(h.split(":")[1]) for h in head.split("\r\n") if h.startswith("content-length"))
            body = await reader.readexactly(length)
            asked = json.loads(body)
            exchange = Exchange(writer=writer, text=self._says(asked), streaming=asked.get("stream", False))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                served = await self._answer(body, asked, exchange)
                served.whole += not exchange.spoilt and not reader.at_eof()
            finally:
                self._at_once -= 1

    async def _answer(self, body: bytes, asked: dict[str, Any], exchange: Exchange) -> Served:
        digest = hashlib.sha256(body).hexdigest()
        served = self.served.setdefault(
            digest, Served(about=asked["messages"][-1]["content"], seed=asked.get("seed", 0))
        )
        name = self.plan.fault(digest, served.attempts)
        served.asked_at.append(time.monotonic())
        if name is not None:
            served.faults.append(name)
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        if name is None:
            await exchange.answer(sound(exchange.text, streaming=exchange.streaming))
        else:
            await FAULTS[name].play(exchange)
        return served
