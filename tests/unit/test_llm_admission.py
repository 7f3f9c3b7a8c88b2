"""Admission: doubling, one cut a burst, slow growth, a pause, a memory; and what it makes of a limited endpoint."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her.llm.admission import CEILING, FLOOR, START, Admission


def round_of(admission: Admission, now: float) -> int:
    """Fill the room and let all of it end well; returns how many went."""
    bursts = []
    while admission.room(now):
        bursts.append(admission.enter())
    went = len(bursts)
    for burst in bursts:
        admission.leave(burst, "clean", now=now)
        if admission.room(now):
            admission.enter()  # somebody always waits
    admission.in_flight = 0
    return went


def test_it_doubles_with_each_round_up_to_the_ceiling() -> None:
    admission = Admission()
    assert [round_of(admission, now=float(n)) for n in range(7)] == [8, 16, 32, 64, 128, 256, 256]
    assert admission.limit == CEILING == 256


def test_a_burst_of_refusals_is_one_cut_and_one_pause() -> None:
    admission = Admission(limit=100)
    bursts = [admission.enter() for _ in range(100)]
    for n, burst in enumerate(bursts):
        admission.leave(burst, "limited", now=n / 100)
    assert (admission.limit, admission.cuts) == (75, 1)
    assert admission.opens_at == pytest.approx(2.99)  # the last of them lengthened the pause
    assert not admission.room(2.9)
    later = admission.enter()
    admission.leave(later, "limited", now=3.0, retry_after_s=30)
    assert (admission.limit, admission.opens_at) == (56, 33.0)


def test_after_a_refusal_it_grows_by_one_for_25_clean_answers_and_minds_the_limit_that_was_refused() -> None:
    admission = Admission(limit=9)
    admission.leave(admission.enter(), "limited", now=0)
    assert admission.limit == 6

    def clean(times: int, now: float) -> int:
        for _ in range(times):
            admission.in_flight = admission.limit - 1
            admission.leave(admission.enter(), "clean", now=now)
        return admission.limit

    assert clean(24, now=10) == 6
    assert clean(1, now=10) == 7
    assert clean(1000, now=59) == 8  # nine were refused
    assert clean(25, now=61) == 9


def test_an_unused_limit_does_not_grow_and_faults_leave_it_alone() -> None:
    admission = Admission()
    for _ in range(100):
        admission.leave(admission.enter(), "clean", now=0)
    assert admission.limit == START
    bursts = [admission.enter() for _ in range(START)]
    for burst in bursts:
        admission.leave(burst, "failed", now=0)
    assert (admission.limit, admission.in_flight) == (START, 0)


def test_an_endpoint_that_was_away_is_asked_by_one() -> None:
    admission = Admission(limit=64)
    admission.restart()
    assert admission.limit == FLOOR
    assert [round_of(admission, now=0) for _ in range(4)] == [1, 2, 4, 8]


_EVENTS = st.lists(st.tuples(st.sampled_from(["enter", "clean", "limited", "failed"]), st.floats(0, 5)), max_size=300)


@given(_EVENTS)
def test_the_same_events_give_the_same_limits_within_bounds(events: list[tuple[str, float]]) -> None:
    def run() -> list[tuple[int, int, float]]:
        admission, now, bursts, seen = Admission(), 0.0, [], []
        for what, passed in events:
            now += passed
            if what == "enter":
                if admission.room(now):
                    bursts.append(admission.enter())
            elif bursts:
                ended = "clean" if what == "clean" else "limited" if what == "limited" else "failed"
                admission.leave(bursts.pop(0), ended, now=now)
            assert FLOOR <= admission.limit <= CEILING
            assert admission.in_flight == len(bursts)
            seen.append((admission.limit, admission.in_flight, admission.opens_at))
        return seen

    assert run() == run()


@pytest.mark.parametrize(("capacity", "latency_s"), [(32, 0.2), (10, 1.0), (100, 2.0)])
def test_an_endpoint_that_bears_so_many_at_a_time_is_used_well_and_seldom_bothered(
    capacity: int, latency_s: float
) -> None:
    admission, rng = Admission(), random.Random(7)
    now, busy, started, done, refused = 0.0, 0, 0, 0, 0
    ends: list[tuple[float, int, int, bool]] = []
    while now < 300:
        while admission.room(now):
            burst, served = admission.enter(), busy < capacity
            busy, started = busy + served, started + 1
            takes_s = latency_s * rng.uniform(0.5, 1.5) if served else 0.01
            heapq.heappush(ends, (now + takes_s, started, burst, served))
        if admission.opens_at > now and (not ends or admission.opens_at < ends[0][0]):
            now = admission.opens_at
            continue
        now, _, burst, served = heapq.heappop(ends)
        busy -= served
        admission.leave(burst, "clean" if served else "limited", now=now)
        if now > 30:
            done, refused = done + served, refused + (not served)
    assert done / 270 >= 0.85 * capacity / latency_s
    assert refused / (done + refused) < 0.05
