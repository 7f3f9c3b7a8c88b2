"""A clock that runs faster than the wall: minutes of waiting pass in milliseconds, in their right order."""

import asyncio
import time


class FastClock:
    """A `Clock` of the engine in which a real second lasts `times` seconds. `waits` remembers every sleep."""

    def __init__(self, times: float = 200.0) -> None:
        self.times = times
        self.waits: list[float] = []

    def now(self) -> float:
        return time.monotonic() * self.times

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(seconds / self.times)
