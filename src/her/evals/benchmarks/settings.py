"""Settings: under what conditions an exam is held. Equal settings, items and models give equal records."""

import hashlib
from typing import Literal

from pydantic import Field

from her.evals.benchmarks.play import Thoughts
from her.schema import Record


class Settings(Record):
    """What changes a play or a score. Part of every run's manifest."""

    profile: str = "fixed"
    options: dict[str, str] = Field(default_factory=dict)
    """The benchmark's own, by name; complete after `Benchmark.settle`."""
    thoughts: Thoughts = "hidden"
    system_thinking: bool = True
    """Is the examined model asked to plan in the third person before it speaks?"""
    repeats: int = Field(default=1, ge=1)
    limit: int | None = Field(default=None, ge=1)
    seed: int = 0

    def seed_of(self, item_id: str, repeat: int) -> int:
        """The seed of one item: whatever is played before or beside it does not matter."""
        digest = hashlib.sha256(f"{self.seed}:{item_id}:{repeat}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1


Thinking = Literal["on", "off"]
