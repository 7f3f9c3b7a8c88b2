"""Intervals by resampling whole clusters, for any statistic; for a mean see `her.stats`.

Items of one story or scene are not independent: resampling items would claim more than was seen.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from her.stats import Estimate

T = TypeVar("T")

NO_DATA = Estimate(value=None, low=None, high=None, n=0)


def clustered_statistic(
    items: Sequence[T],
    clusters: Sequence[str],
    statistic: Callable[[Sequence[T]], float | None],
    *,
    seed: int,
    draws: int = 1000,
) -> Estimate:
    """A statistic of all items, its interval by drawing clusters with replacement.

    Draws in which the statistic is not defined (None) are left out; where that is every draw, or the whole has no
    value, there is no estimate.
    """
    if len(items) != len(clusters):
        raise ValueError(f"{len(items)} items and {len(clusters)} clusters")
    value = statistic(items) if items else None
    if value is None:
        return NO_DATA
    groups: dict[str, list[T]] = {}
    for item, cluster in zip(items, clusters, strict=True):
        groups.setdefault(cluster, []).append(item)
    ordered = [groups[name] for name in sorted(groups)]
    rng = np.random.default_rng(seed)
    found = []
    for picks in rng.integers(0, len(ordered), size=(draws, len(ordered))):
        drawn = statistic([item for place in picks for item in ordered[place]])
        if drawn is not None:
            found.append(drawn)
    if not found:
        return NO_DATA
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(value=value, low=float(min(low, value)), high=float(max(high, value)), n=len(items))
