"""What to do when an endpoint fails: the one table of failures, and how long to wait.

Bounded attempts for what may pass, none for what will not; a rate limit costs waiting time, not attempts. Full jitter
(Brooker 2015) from a seeded generator, so that a test can say how long each wait is. Knows no wire: what failed is
named by `llm/endpoint.py`, and what is waited for beyond this call's own pause is `llm/admission.py`.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from her.errors import DeadReason, EndpointError, ReplyError

Failure = Literal[
    "rate_limit",
    "transient",
    "stalled",
    "broken",
    "unreadable",
    "oversized",
    "unreachable",
    "request",
    "too_long",
    "endpoint",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a failure means."""

    attempts: int | None
    """Attempts that may end so; None: as many as the call's patience allows."""
    given_up: DeadReason | None
    """How the request is given up when no attempt is left; None: the endpoint is given up, and with it the run."""


RULES: dict[Failure, Rule] = {
    "rate_limit": Rule(attempts=None, given_up=None),
    "transient": Rule(attempts=None, given_up="spent"),
    "stalled": Rule(attempts=3, given_up="spent"),  # each has already cost minutes
    "broken": Rule(attempts=2, given_up="killed_upstream"),  # a third try could take down what others wait for
    "unreadable": Rule(attempts=None, given_up="unreadable"),
    "oversized": Rule(attempts=1, given_up="unreadable"),
    "unreachable": Rule(attempts=None, given_up=None),
    "request": Rule(attempts=1, given_up="refused"),
    "too_long": Rule(attempts=1, given_up="too_long"),
    "endpoint": Rule(attempts=1, given_up=None),
}
"""rate_limit: asked to wait. transient: a fault of the server that may pass. stalled: silent, or too slow. broken: the
connection broke after the request had been sent. unreadable: answered, but not with a reply. oversized: answered
without end. unreachable: no connection. request: this request is refused. too_long: the same, for its length. endpoint:
every request will be."""

_TRANSIENT = {408, 409, 425}
_ENDPOINT = {401, 402, 403, 404, 405, 407, 410, 421, 426, 451}
_NO_CREDIT = ("insufficient_quota", "billing_hard_limit")
_OVER_LENGTH = ("context_length", "context length", "context window", "too long", "too many tokens", "maximum context")


class Failed(Exception):
    """One attempt failed in a way the table knows. It never leaves `llm`."""

    def __init__(
        self,
        message: str,
        failure: Failure,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        billed: bool = False,
    ) -> None:
        super().__init__(message)
        self.failure: Failure = failure
        self.status = status
        self.retry_after_s = retry_after_s
        self.billed = billed
        """The endpoint may charge for the attempt, though nothing came of it."""

    def error(self) -> EndpointError | ReplyError:
        """The failure as an error for the caller."""
        if self.failure in ("unreadable", "oversized"):
            return ReplyError(str(self))
        return EndpointError(str(self), self.status)


def classify(status: int, body: str, *, retry_after_s: float | None) -> Failure:
    """Which failure an HTTP status with this body is."""
    told = body.lower()
    # Looked for in a rate limit alone: other refusals may quote the prompt, and a book must not be able to stop a run.
    if status == 429 and any(sign in told for sign in _NO_CREDIT):
        return "endpoint"
    if status == 429 or (status >= 500 and "overloaded" in told) or (status == 503 and retry_after_s is not None):
        return "rate_limit"
    if status in _TRANSIENT or status >= 500:
        return "transient"
    if status in _ENDPOINT or 300 <= status < 400:
        return "endpoint"
    if status == 413 or (400 <= status < 500 and any(sign in told for sign in _OVER_LENGTH)):
        return "too_long"
    # An informational or unknown success status carries no reply; a 4xx judges this request.
    return "request" if 400 <= status < 500 else "transient"


def read_retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3); None for nonsense, for more
    than a day and for the past, where our own wait is as good."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        aware = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        seconds = (aware - (now or datetime.now(UTC))).total_seconds()
    return seconds if 0 <= seconds < 86_400 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call may go on."""

    attempts: int = 6
    base_s: float = 0.5
    cap_s: float = 60.0
    wall_s: float = 900.0
    """All waiting together; a Retry-After beyond what is left ends the call at once."""
    connect_s: float = 10.0
    answer_s: float = 600.0
    """Longest wait for the first byte: an endpoint that does not stream is silent while it writes."""
    stall_s: float = 60.0
    """Longest silence within an answer."""
    slow_s: float = 120.0
    slow_bytes_s: float = 10.0
    """An answer that brings fewer bytes a second than this for `slow_s` is cut: about a token in ten seconds."""


@dataclass(slots=True, kw_only=True)
class Waits:
    """The attempts and waits of one call."""

    patience: Patience
    seed: int
    attempts: int = 0
    rate_limits: int = 0
    waited_s: float = 0.0
    _seen: dict[Failure, int] = field(default_factory=dict)
    _random: random.Random | None = None

    def next_s(self, failure: Failure, *, retry_after_s: float | None = None) -> float | None:
        """How long to wait before the next attempt; None when there is none."""
        if failure == "rate_limit":
            self.rate_limits += 1
            step = self.rate_limits
        else:
            self.attempts += 1
            self._seen[failure] = self._seen.get(failure, 0) + 1
            allowed = RULES[failure].attempts
            if self.attempts >= self.patience.attempts or (allowed is not None and self._seen[failure] >= allowed):
                return None
            step = self.attempts
        ceiling = min(self.patience.cap_s, self.patience.base_s * 2.0 ** (step - 1))
        if self._random is None:  # most calls never wait
            self._random = random.Random(self.seed)
        wait = max(self._random.uniform(0, ceiling), retry_after_s or 0.0)
        if failure == "rate_limit":
            wait = max(wait, self.patience.base_s)
        self.waited_s += wait
        return wait if self.waited_s <= self.patience.wall_s else None


@dataclass(slots=True, kw_only=True)
class Losses:
    """The last outcomes of a model's calls: when most requests are given up, the fault is not in the requests."""

    window: int = 50
    share: float = 0.5
    _lost: deque[bool] = field(init=False)

    def __post_init__(self) -> None:
        self._lost = deque(maxlen=self.window)

    def note(self, *, lost: bool) -> None:
        """One call ended, with a reply or given up."""
        self._lost.append(lost)

    def too_many(self) -> int | None:
        """How many of the last `window` calls were given up, where that is more than `share` of the window."""
        lost = sum(self._lost)
        return lost if lost > self.share * self.window else None


@dataclass(slots=True, kw_only=True)
class Pace:
    """Is an answer that still trickles worth waiting for? Times are seconds of any one clock."""

    slow_s: float
    slow_bytes_s: float
    since: float
    _bytes: int = 0

    def too_slow(self, now: float, size: int) -> bool:
        """Take note of `size` bytes that came now."""
        self._bytes += size
        elapsed = now - self.since
        if elapsed < self.slow_s:
            return False
        slow = self._bytes < self.slow_bytes_s * elapsed
        self.since, self._bytes = now, 0
        return slow
