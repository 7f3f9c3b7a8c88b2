"""Games: who meets whom in a group of replies, and in which place.

Owns the schedules. Knows nothing of judges or ratings. `circulant` is our default (see docs/decisions): with offsets
1..k each reply stands k times first and k times second, so that a judge's habit of preferring a place falls on every
reply alike. `anchor` is the paper's: each reply against one fixed reference (HER §5.1).
"""

from dataclasses import dataclass
from typing import Literal

ScheduleName = Literal["circulant", "round_robin", "anchor"]
ANCHOR = -1
"""Stands for the fixed reference in a pairing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One game that was read. `score` is what `first` got: 1 a win, 1/2 a tie, 0 a loss, or a share between."""

    first: int
    second: int
    score: float


def circulant(n: int, k: int) -> list[tuple[int, int]]:
    """Ordered pairs (i, i+o mod n) for offsets o = 1..k: k·n games, every reply exactly k times in each place.

    Up to k = (n-1)/2 every game brings a new opponent; beyond it pairs meet again in the other order. k = n-1 is the
    round robin, and a larger k is cut to it: no game is played twice.
    """
    return [(i, (i + offset) % n) for offset in range(1, min(k, n - 1) + 1) for i in range(n)]


def round_robin(n: int) -> list[tuple[int, int]]:
    """Every ordered pair: each two replies meet in both orders."""
    return [(i, j) for i in range(n) for j in range(n) if i != j]


def anchor(n: int, *, both_orders: bool) -> list[tuple[int, int]]:
    """Every reply against the reference; in one order the reply stands first, as in the paper."""
    pairs = [(i, ANCHOR) for i in range(n)]
    return [*pairs, *((ANCHOR, i) for i in range(n))] if both_orders else pairs
