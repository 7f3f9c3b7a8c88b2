"""Estimates with their uncertainty. A share or mean is shown with n and an interval, or not at all."""

import math

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
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} clusters")
    if not values:
        return Estimate(value=None, low=None, high=None, n=0)
    names = sorted(set(clusters))
    sums_C = np.array([sum(v for v, c in zip(values, clusters, strict=True) if c == name) for name in names])
    sizes_C = np.array([clusters.count(name) for name in names])
    rng = np.random.default_rng(seed)
    picks_DC = rng.integers(0, len(names), size=(draws, len(names)))
    means_D = sums_C[picks_DC].sum(axis=1) / sizes_C[picks_DC].sum(axis=1)
    low, high = np.quantile(means_D, [0.025, 0.975])
    return Estimate(value=float(np.mean(values)), low=float(low), high=float(high), n=len(values))
