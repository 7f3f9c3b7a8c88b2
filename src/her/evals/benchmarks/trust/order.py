"""Order: how alike two rankings are, and how far so few can tell. Kendall's tau-b (1945), Spearman's rho (1904).

Pure. Ties are ties. Where one side has no order at all (all equal, or one value), there is no correlation: None, not 0.
"""

import math
from collections.abc import Sequence
from itertools import combinations, permutations

ENOUGH = 5
"""Ranked things from which on agreement can be told from chance: of 2/n! orders, the two that agree or disagree
entirely are less than 5% (n = 4: 8.3%; n = 5: 1.7%)."""


def kendall(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Tau-b: 1 for the same order, -1 for the reverse."""
    agreeing = tied_a = tied_b = pairs = 0
    for i, j in combinations(range(len(a)), 2):
        one, two = _sign(a[i] - a[j]), _sign(b[i] - b[j])
        pairs += 1
        agreeing += one * two
        tied_a += one == 0
        tied_b += two == 0
    spread = (pairs - tied_a) * (pairs - tied_b)
    return agreeing / math.sqrt(spread) if spread else None


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Rho: the correlation of ranks, equal values sharing the mean of their ranks."""
    if len(a) < 2:
        return None
    one, two = _ranks(a), _ranks(b)
    middle = (len(a) + 1) / 2
    across = sum((x - middle) * (y - middle) for x, y in zip(one, two, strict=True))
    spread = sum((x - middle) ** 2 for x in one) * sum((y - middle) ** 2 for y in two)
    return across / math.sqrt(spread) if spread else None


def chance_of(tau: float, n: int) -> float | None:
    """How often two unrelated orders of `n` things agree or disagree at least as much (no ties); None above 7, where
    counting all orders takes long."""
    if not 2 <= n <= 7:
        return None
    straight = tuple(range(n))
    taus = [abs(kendall(straight, order) or 0.0) for order in permutations(straight)]
    return sum(t >= abs(tau) - 1e-12 for t in taus) / len(taus)


def _ranks(values: Sequence[float]) -> list[float]:
    return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
