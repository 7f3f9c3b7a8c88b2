"""Schedules: exact balance of places, no game twice."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from her.reward.games import ANCHOR, anchor, circulant, round_robin


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
    assert set(circulant(5, 4)) == set(round_robin(5))


def test_anchor_orders() -> None:
    assert anchor(2, both_orders=False) == [(0, ANCHOR), (1, ANCHOR)]
    assert anchor(2, both_orders=True) == [(0, ANCHOR), (1, ANCHOR), (ANCHOR, 0), (ANCHOR, 1)]
