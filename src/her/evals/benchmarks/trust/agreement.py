"""Do judges agree, and how mild is each? Krippendorff's alpha (2011) and mean deviation from the others. Pure.

A missing rating is missing: units with fewer than two ratings say nothing about agreement and are left out, as alpha is
defined.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from her.evals.benchmarks.trust.bootstrap import NO_DATA, clustered_statistic
from her.schema import Record
from her.stats import Estimate

Level = Literal["nominal", "ordinal", "interval"]
Ratings = Mapping[str, float | None]
"""One unit's ratings by judge; None: not read."""


class Leniency(Record):
    """How one judge rates against the others."""

    judge: str
    deviation: Estimate
    """Mean of (its rating - mean of the others' ratings of the same unit); positive is mild."""
    unread: int
    """Units that it has no rating for."""


def alpha(units: Sequence[Ratings], level: Level) -> float | None:
    """Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives. None where it is not defined: fewer than two
    ratings on every unit, or all ratings equal (nothing could have been disagreed about)."""
    rated = [[v for v in unit.values() if v is not None] for unit in units]
    rated = [values for values in rated if len(values) > 1]
    values = sorted({v for unit in rated for v in unit})
    if len(values) < 2:
        return None
    place = {v: i for i, v in enumerate(values)}
    size = len(values)
    coincidences = [[0.0] * size for _ in range(size)]
    for unit in rated:
        for i, a in enumerate(unit):
            for j, b in enumerate(unit):
                if i != j:
                    coincidences[place[a]][place[b]] += 1 / (len(unit) - 1)
    totals = [sum(row) for row in coincidences]
    n = sum(totals)
    distance = _distance(level, values, totals)
    pairs = [(i, j) for i in range(size) for j in range(size) if i != j]
    observed = sum(coincidences[i][j] * distance(i, j) for i, j in pairs) / n
    expected = sum(totals[i] * totals[j] * distance(i, j) for i, j in pairs) / (n * (n - 1))
    return 1 - observed / expected


def alpha_estimate(units: Sequence[Ratings], clusters: Sequence[str], level: Level, *, seed: int) -> Estimate:
    """Alpha with an interval by cluster."""
    return clustered_statistic(list(units), list(clusters), lambda drawn: alpha(drawn, level), seed=seed, draws=400)


def leniency(units: Sequence[Ratings], clusters: Sequence[str], *, seed: int) -> tuple[Leniency, ...]:
    """Every judge's deviation from the others, judges in order of name."""
    found = []
    for judge in sorted({name for unit in units for name in unit}):
        deviations: list[float] = []
        places: list[str] = []
        unread = 0
        for unit, cluster in zip(units, clusters, strict=True):
            own = unit.get(judge)
            others = [v for name, v in unit.items() if name != judge and v is not None]
            unread += own is None
            if own is not None and others:
                deviations.append(own - sum(others) / len(others))
                places.append(cluster)
        estimate = (
            clustered_statistic(deviations, places, lambda d: sum(d) / len(d), seed=seed, draws=400)
            if deviations
            else NO_DATA
        )
        found.append(Leniency(judge=judge, deviation=estimate, unread=unread))
    return tuple(found)


def _distance(level: Level, values: Sequence[float], totals: Sequence[float]) -> Callable[[int, int], float]:
    """The squared difference between two values, by their places, as the level of measurement defines it."""

    def nominal(i: int, j: int) -> float:
        return 1.0

    def interval(i: int, j: int) -> float:
        return (values[i] - values[j]) ** 2

    def ordinal(i: int, j: int) -> float:
        low, high = min(i, j), max(i, j)
        return float((sum(totals[low : high + 1]) - (totals[i] + totals[j]) / 2) ** 2)

    return {"nominal": nominal, "ordinal": ordinal, "interval": interval}[level]
