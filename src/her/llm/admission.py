"""Admission: how many calls one endpoint is asked at a time, found by asking.

Additive increase, multiplicative decrease (Jacobson 1988), as Data Designer and Inspect do it for model endpoints: the
limit doubles with each round of answers until the first refusal, falls by a quarter once for each burst of refusals,
and then grows by one for every 25 clean answers. For a minute it stays below the limit that was refused, for every
refusal costs a pause. A pure state: the clock is handed in, so the same events give the same limits. Faults of a server
that are no refusal (5xx, silence) neither raise nor lower it.
"""

from dataclasses import dataclass
from typing import Literal

Ended = Literal["clean", "limited", "failed"]

START = 8
FLOOR = 1
CEILING = 256
CUT = 0.75
CLEAN_PER_STEP = 25
COOLDOWN_S = 2.0
MEMORY_S = 60.0


@dataclass(slots=True, kw_only=True)
class Admission:
    """The state of one (endpoint, model). Times are seconds of any one clock."""

    limit: int = START
    in_flight: int = 0
    opens_at: float = 0.0
    """Nobody is admitted before this time."""
    cuts: int = 0
    _doubling: bool = True
    _clean: int = 0
    _refused: int = CEILING + 1
    """The limit that was refused last."""
    _forgets_at: float = 0.0

    def room(self, now: float) -> bool:
        """May one more go?"""
        return self.in_flight < self.limit and now >= self.opens_at

    def enter(self) -> int:
        """Admit one. The number it gets tells later which burst it belonged to."""
        self.in_flight += 1
        return self.cuts

    def leave(self, burst: int, ended: Ended, *, now: float, retry_after_s: float | None = None) -> None:
        """One has ended. A refusal of a call that was under way when the limit was last cut is of the same burst, and
        lengthens the pause only."""
        # A limit that is not used says nothing of a higher one.
        used = 2 * self.in_flight >= self.limit
        self.in_flight -= 1
        if ended == "limited":
            self.opens_at = max(self.opens_at, now + max(COOLDOWN_S, retry_after_s or 0.0))
            self._doubling, self._clean = False, 0
            if burst == self.cuts:
                self.cuts += 1
                self._refused, self._forgets_at = self.limit, now + MEMORY_S
                self.limit = max(FLOOR, int(self.limit * CUT))
        elif ended == "clean" and used:
            self._grow(now)

    def restart(self) -> None:
        """The endpoint was away: one call finds out whether it is back, and doubling goes on from there."""
        self.limit, self._doubling, self._clean = FLOOR, True, 0

    def _grow(self, now: float) -> None:
        if self.limit + 1 >= self._refused and now < self._forgets_at:
            return
        if not self._doubling:
            self._clean += 1
            if self._clean < CLEAN_PER_STEP:
                return
            self._clean = 0
        self.limit = min(CEILING, self.limit + 1)
