"""Estimates with their uncertainty. A share or mean is shown with n and an interval, or not at all."""

import math
from collections.abc import Sequence

import numpy as np

from her.schema import Record


class Estimate(Record):
    """A value, its 95% interval and the number of observations. `n == 0` has no value and no interval."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.value is None:
            return "no data (n=0)"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n})"


def share(successes: int, n: int) -> Estimate:
    """A proportion with its Wilson score interval (Wilson 1927)."""
    if n == 0:
        return Estimate(value=None, low=None, high=None, n=0)
    z = 1.959964
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(value=p, low=max(0.0, middle - half), high=min(1.0, middle + half), n=n)


def clustered_mean(values: list[float], clusters: list[str], *, seed: int, draws: int = 2000) -> Estimate:
    """A mean with a percentile bootstrap interval that resamples whole clusters (scenes), not observations."""
    return clustered_ratio(values, [1] * len(values), clusters, seed=seed, draws=draws)


def clustered_score(
    values: Sequence[float], clusters: Sequence[str], *, seed: int, scale: tuple[float, float] = (0.0, 1.0)
) -> Estimate:
    """A mean score on a scale of known ends. Resampled by cluster, as `clustered_mean`.

    Where every cluster scored the same there is nothing to resample, and the bootstrap would claim certainty from a
    handful of scenes: Wilson's interval with one observation a cluster stands in.

    Args:
        scale: The least and the greatest value there can be.
    """
    found = clustered_mean(list(values), list(clusters), seed=seed)
    least, greatest = scale
    if found.value is None or found.low != found.high or not least <= found.value <= greatest or greatest == least:
        return found
    number = len(set(clusters))
    few = share(round((found.value - least) / (greatest - least) * number), number)
    assert few.low is not None
    assert few.high is not None
    low, high = (least + (greatest - least) * edge for edge in (few.low, few.high))
    return Estimate(value=found.value, low=min(low, found.value), high=max(high, found.value), n=found.n)


def clustered_ratio(
    totals: list[float], counts: list[int], clusters: list[str], *, seed: int, draws: int = 2000
) -> Estimate:
    """Sum of totals over sum of counts (a mean per token, say), its interval by resampling whole clusters.

    `n` is the number of observations, not the sum of counts.
    """
    if not len(totals) == len(counts) == len(clusters):
        raise ValueError(f"{len(totals)} totals, {len(counts)} counts and {len(clusters)} clusters")
    if not totals:
        return Estimate(value=None, low=None, high=None, n=0)
    index = {name: i for i, name in enumerate(sorted(set(clusters)))}
    place_N = np.array([index[c] for c in clusters])
    totals_C = np.bincount(place_N, weights=totals)
    counts_C = np.bincount(place_N, weights=counts)
    rng = np.random.default_rng(seed)
    picks_DC = rng.integers(0, len(index), size=(draws, len(index)))
    means_D = totals_C[picks_DC].sum(axis=1) / counts_C[picks_DC].sum(axis=1)
    low, high = np.quantile(means_D, [0.025, 0.975])
    return Estimate(value=sum(totals) / sum(counts), low=float(low), high=float(high), n=len(totals))
