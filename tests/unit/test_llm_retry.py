"""The table of failures, row by row; waits that are seeded and end; Retry-After in both forms; pace; losses."""

from datetime import UTC, datetime

import pytest

from her.llm.retry import Failure, Losses, Pace, Patience, Waits, classify, read_retry_after

_TABLE: list[tuple[int, str, float | None, Failure]] = [
    (429, "", None, "rate_limit"),
    (429, "Rate limit reached", 3.0, "rate_limit"),
    (429, '{"error": {"code": "insufficient_quota"}}', None, "endpoint"),
    (429, "billing_hard_limit_reached", 5.0, "endpoint"),
    (503, "", 3.0, "rate_limit"),
    (503, "", None, "transient"),
    (503, "The engine is OVERLOADED", None, "rate_limit"),
    (529, '{"error": {"type": "overloaded_error"}}', None, "rate_limit"),
    (529, "", None, "transient"),
    (500, "overloaded", None, "rate_limit"),
    (408, "", None, "transient"),
    (409, "", None, "transient"),
    (425, "", None, "transient"),
    (500, "", None, "transient"),
    (501, "", None, "transient"),
    (502, "<html>", None, "transient"),
    (504, "", None, "transient"),
    (520, "", None, "transient"),
    (524, "", None, "transient"),
    (599, "", None, "transient"),
    (101, "", None, "transient"),
    (204, "", None, "transient"),
    (400, "", None, "request"),
    (400, "overloaded operators are not supported", None, "request"),
    (400, "a story about insufficient_quota", None, "request"),
    (400, "This model's maximum context length is 4096 tokens", None, "too_long"),
    (400, '{"code": "context_length_exceeded"}', None, "too_long"),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", None, "too_long"),
    (413, "", None, "too_long"),
    (414, "", None, "request"),
    (415, "", None, "request"),
    (418, "", None, "request"),
    (422, "", None, "request"),
    (422, "input exceeds the context window", None, "too_long"),
    (431, "", None, "request"),
    (401, "", None, "endpoint"),
    (402, "", None, "endpoint"),
    (403, "", None, "endpoint"),
    (404, "no such model", None, "endpoint"),
    (405, "", None, "endpoint"),
    (407, "", None, "endpoint"),
    (410, "", None, "endpoint"),
    (421, "", None, "endpoint"),
    (426, "", None, "endpoint"),
    (451, "", None, "endpoint"),
    (301, "", None, "endpoint"),
    (302, "", None, "endpoint"),
    (307, "", None, "endpoint"),
    (308, "", None, "endpoint"),
]


@pytest.mark.parametrize(("status", "body", "retry_after_s", "failure"), _TABLE)
def test_the_table(status: int, body: str, retry_after_s: float | None, failure: Failure) -> None:
    assert classify(status, body, retry_after_s=retry_after_s) == failure


NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("100000", None),
        ("soon", None),
        ("1m30s", None),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tuesday, 24-Nov-26 12:01:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 13:00:30 +0100", 30.0),
        ("Tue, 24 Nov 2026 11:59:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Tue, 99 Nov 2026 12:00:30 GMT", None),
        ("", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, now=NOW) == seconds


def waits(failure: Failure, *, seed: int = 1, times: int = 9, patience: Patience | None = None) -> list[float | None]:
    w = Waits(patience=patience or Patience(attempts=5, base_s=1, cap_s=3), seed=seed)
    return [w.next_s(failure) for _ in range(times)]


def test_waits_are_seeded_bounded_and_end() -> None:
    assert waits("transient") == waits("transient") != waits("transient", seed=2)
    assert waits("transient").index(None) == 4
    assert all(wait is not None and 0 <= wait <= 3 for wait in waits("transient")[:4])


@pytest.mark.parametrize(
    ("failure", "attempts"),
    [("stalled", 3), ("broken", 2), ("unreadable", 5), ("unreachable", 5), ("request", 1), ("too_long", 1)],
)
def test_each_failure_has_its_attempts(failure: Failure, attempts: int) -> None:
    assert waits(failure).index(None) == attempts - 1


def test_a_rate_limit_costs_time_and_no_attempt() -> None:
    w = Waits(patience=Patience(attempts=2, wall_s=110), seed=0)
    assert [w.next_s("rate_limit", retry_after_s=20) for _ in range(5)] == [20.0] * 5
    assert w.attempts == 0
    assert w.next_s("transient") is not None
    assert w.next_s("rate_limit", retry_after_s=20) is None
    assert Waits(patience=Patience(wall_s=10), seed=0).next_s("rate_limit", retry_after_s=60) is None


def test_kinds_of_failure_share_the_attempts_of_a_call() -> None:
    w = Waits(patience=Patience(attempts=4), seed=0)
    assert [w.next_s(f) is None for f in ("broken", "stalled", "unreadable", "transient")] == [
        False,
        False,
        False,
        True,
    ]


def test_a_trickle_is_too_slow_only_after_a_while_and_a_pause_is_forgiven() -> None:
    slow = Pace(slow_s=120, slow_bytes_s=10, since=0)
    assert [slow.too_slow(float(s), 1) for s in range(1, 121)].index(True) == 119
    bursty = Pace(slow_s=120, slow_bytes_s=10, since=0)
    assert not any(bursty.too_slow(60.0 * n, 1000) for n in range(1, 20))


def test_losses_count_within_a_window() -> None:
    losses = Losses(window=10)
    for _ in range(5):
        losses.note(lost=True)
    assert losses.too_many() is None
    losses.note(lost=True)
    assert losses.too_many() == 6
    for _ in range(10):
        losses.note(lost=False)
    assert losses.too_many() is None
