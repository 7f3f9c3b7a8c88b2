"""Schedules: exact balance of places, no game twice; a plan is a function of what was played."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from her.reward.games import ANCHOR, Pair, Result, Schedule, anchor, circulant, knockout, next_games


@given(st.integers(2, 24), st.integers(1, 30))
def test_circulant_is_balanced_exactly(n: int, k: int) -> None:
    pairs = circulant(n, k)
    k = min(k, n - 1)
    assert len(pairs) == len(set(pairs)) == k * n
    assert Counter(i for i, _ in pairs) == Counter(j for _, j in pairs) == dict.fromkeys(range(n), k)
    assert all(i != j for i, j in pairs)
    if k <= (n - 1) // 2:
        assert len({frozenset(p) for p in pairs}) == k * n, "every game brings a new opponent"


def test_small_and_degenerate_groups() -> None:
    assert circulant(0, 2) == circulant(1, 2) == circulant(4, 0) == []
    assert circulant(2, 2) == [(0, 1), (1, 0)]
    every = next_games(Schedule(name="round_robin"), 5, [])
    assert set(every) == {(i, j) for i in range(5) for j in range(5) if i != j}
    assert len(every) == 20


def test_anchor_orders() -> None:
    assert anchor(2, both_orders=False) == [(0, ANCHOR), (1, ANCHOR)]
    assert anchor(2, both_orders=True) == [(0, ANCHOR), (1, ANCHOR), (ANCHOR, 0), (ANCHOR, 1)]


def test_schedules_of_one_round_have_no_second() -> None:
    for schedule in (Schedule(name="anchor"), Schedule(name="circulant"), Schedule(name="round_robin")):
        first = next_games(schedule, 4, [])
        assert first
        assert next_games(schedule, 4, [(pair, None) for pair in first]) == []


@given(st.integers(2, 17), st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=40, max_size=40))
def test_knockout_leaves_one_whatever_is_read(n: int, scores: list[float | None]) -> None:
    played: list[Result] = []
    while pairs := next_games(Schedule(name="knockout"), n, played):
        assert not played or len({i for pair in pairs for i in pair}) == 2 * len(pairs), "nobody plays twice in a round"
        played += [(pair, scores[(len(played) + i) % len(scores)]) for i, pair in enumerate(pairs)]
    assert len(played) == 2 * n - 1
    assert [pair for pair, _ in played[:n]] == anchor(n, both_orders=False)
    lost = [b if (s or 0) > 0.5 else a for (a, b), s in played[n:] if s not in (None, 0.5)]
    assert len(lost) == len(set(lost)), "who has lost is out"


def test_knockout_by_hand() -> None:
    """Five replies; 3 wins its seeding, 4 ties, the rest lose: seeds 3, 4, 0, 1, 2. A field of eight wants three byes,
    so the last two meet: 1 against 2. Then the best seed meets the worst that is left."""
    seeding: list[Result] = [((i, ANCHOR), s) for i, s in enumerate((0.0, 0.0, 0.0, 1.0, 0.5))]
    (first,) = knockout(5, seeding)
    assert first == (1, 2)
    second: list[Pair] = knockout(5, [*seeding, (first, None)])
    assert second == [(1, 3), (4, 0)], "unread: the better seed goes on; whoever stands first alternates"
    assert knockout(1, []) == knockout(0, []) == []
