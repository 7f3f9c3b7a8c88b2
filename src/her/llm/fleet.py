"""Fleet: the endpoints that serve one model, and the queue of calls before them.

Owns who goes where: the least loaded endpoint that has room and is not resting, first come first served. An endpoint
that failed hard rests while others serve; when all rest, all are tried. Knows neither requests nor replies.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from her.llm.admission import Ended
from her.llm.endpoint import Endpoint
from her.llm.retry import Failed

_LOG = logging.getLogger(__name__)
_REST_S = {"unreachable": 30.0, "endpoint": 300.0}
"""An endpoint that is down may be back soon; one that refuses our key needs a person."""


class Clock(Protocol):
    """Time as the engine sees it, so that a test can let it run faster."""

    def now(self) -> float:
        """Seconds from any fixed moment."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class WallClock:
    """The real time."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    endpoint: Endpoint
    burst: int


class Fleet:
    """Endpoints of one model."""

    def __init__(self, endpoints: Sequence[Endpoint], *, clock: Clock) -> None:
        self.endpoints = tuple(endpoints)
        self._clock = clock
        self._waiting: deque[asyncio.Future[_Visit]] = deque()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = float("inf")

    def bind(self) -> None:
        """Begin anew with another event loop."""
        self._waiting.clear()
        self._alarm, self._alarm_at = None, float("inf")
        for endpoint in self.endpoints:
            endpoint.bind()

    async def close(self) -> None:
        """Close every endpoint."""
        if self._alarm is not None:
            self._alarm.cancel()
        for endpoint in self.endpoints:
            await endpoint.close()

    @asynccontextmanager
    async def visit(self) -> AsyncGenerator[Endpoint]:
        """An endpoint for one attempt, when there is room. How the attempt ends is told to its admission."""
        visit = self._visit() if not self._waiting else None
        if visit is None:
            visit = await self._queue()
        ended: Ended = "failed"
        retry_after_s: float | None = None
        try:
            yield visit.endpoint
            ended = "clean"
        except Failed as failed:
            if failed.failure == "rate_limit":
                ended, retry_after_s = "limited", failed.retry_after_s
            elif failed.failure in _REST_S:
                self._rest(visit.endpoint, failed)
            raise
        finally:
            self._leave(visit, ended, retry_after_s)

    def others_serve(self) -> bool:
        """Is there, among several, an endpoint that neither rests nor pauses?"""
        now = self._clock.now()
        return len(self.endpoints) > 1 and any(now >= max(e.rests_until, e.admission.opens_at) for e in self.endpoints)

    async def _queue(self) -> _Visit:
        waiter: asyncio.Future[_Visit] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._admit()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._leave(waiter.result(), "failed", None)  # admitted and called off in the same moment
            raise

    def _visit(self) -> _Visit | None:
        """A place at the least loaded endpoint, if one has room."""
        now = self._clock.now()
        awake = [e for e in self.endpoints if now >= e.rests_until] or self.endpoints
        free = [e for e in awake if e.admission.room(now)]
        if not free:
            return None
        chosen = min(free, key=lambda e: e.admission.in_flight / e.admission.limit)
        return _Visit(endpoint=chosen, burst=chosen.admission.enter())

    def _leave(self, visit: _Visit, ended: Ended, retry_after_s: float | None) -> None:
        visit.endpoint.admission.leave(visit.burst, ended, now=self._clock.now(), retry_after_s=retry_after_s)
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            if self._waiting[0].done():  # its caller gave up
                self._waiting.popleft()
            elif (visit := self._visit()) is not None:
                self._waiting.popleft().set_result(visit)
            else:
                break
        if self._waiting:
            self._set_alarm()

    def _set_alarm(self) -> None:
        """Look again when the next pause or rest is over; where all are merely full, whoever leaves looks."""
        now = self._clock.now()
        at = min((t for e in self.endpoints if (t := max(e.admission.opens_at, e.rests_until)) > now), default=None)
        if at is None or at >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = asyncio.get_running_loop().create_task(self._ring(at - now)), at

    async def _ring(self, wait_s: float) -> None:
        await self._clock.sleep(wait_s)
        self._alarm, self._alarm_at = None, float("inf")
        self._admit()

    def _rest(self, endpoint: Endpoint, failed: Failed) -> None:
        if len(self.endpoints) == 1:
            return
        rest_s = _REST_S[failed.failure]
        if self._clock.now() >= endpoint.rests_until:
            _LOG.warning("%s; it rests for %d s while others serve", failed, rest_s)
        endpoint.rests_until = self._clock.now() + rest_s
        endpoint.admission.restart()
