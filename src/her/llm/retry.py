"""What to do when an endpoint fails: the table of failures, and how long to wait.

Bounded attempts for what may pass, none for what will not; a rate limit costs waiting time, not attempts. Full jitter
(Brooker 2015) from a seeded generator, so that a test can say how long each wait is.
"""

import random
from dataclasses import dataclass, field
from typing import Literal

Failure = Literal["rate_limit", "transient", "request", "endpoint"]
"""rate_limit: wait and try again. transient: try again. request: this request is refused. endpoint: all will be."""

_TRANSIENT = {408, 409, 425, 500, 502, 504, 520, 522, 524, 529}
_ENDPOINT = {401, 402, 403, 404, 405, 407, 410, 421, 426, 451}


def classify(status: int, body: str, *, retry_after_s: float | None) -> Failure:
    """Which failure an HTTP status with this body is."""
    if "insufficient_quota" in body or "billing_hard_limit" in body:
        return "endpoint"
    if status == 429 or (status == 503 and (retry_after_s is not None or "overloaded" in body.lower())):
        return "rate_limit"
    if status in _TRANSIENT or status == 503:
        return "transient"
    if status in _ENDPOINT or 300 <= status < 400:
        return "endpoint"
    return "transient" if status >= 500 else "request"


def read_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header; None for a date or nonsense, for which our own wait is as good."""
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < 86_400 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call may go on."""

    attempts: int = 6
    base_s: float = 0.5
    cap_s: float = 60.0
    wall_s: float = 900.0
    """All waiting together; a Retry-After beyond what is left ends the call at once."""
    stall_s: float = 120.0
    """Longest silence of an endpoint that streams, or that has been sent a request."""


@dataclass(slots=True, kw_only=True)
class Waits:
    """The waits of one call."""

    patience: Patience
    seed: int
    failures: int = 0
    rate_limits: int = 0
    waited_s: float = 0.0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def next_s(self, failure: Failure, *, retry_after_s: float | None = None) -> float | None:
        """How long to wait before the next attempt; None when there is none."""
        if failure in ("request", "endpoint"):
            return None
        if failure == "transient":
            self.failures += 1
            if self.failures >= self.patience.attempts:
                return None
            step = self.failures
        else:
            self.rate_limits += 1
            step = self.rate_limits
        ceiling = min(self.patience.cap_s, self.patience.base_s * 2.0 ** (step - 1))
        wait = max(self._random.uniform(0, ceiling), retry_after_s or 0.0)
        if failure == "rate_limit":
            wait = max(wait, self.patience.base_s)
        self.waited_s += wait
        return wait if self.waited_s <= self.patience.wall_s else None
