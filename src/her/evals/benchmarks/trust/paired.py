"""Two models on the same items: the difference, whether chance could make it, and what this n could have seen.

Everything is by cluster: the difference of a cluster is the mean over its items (and repeats) that both models have a
number for. Interval: clusters drawn with replacement. p-value: the signs of whole clusters flipped, all 2^C ways where
that is feasible and at random otherwise (Fisher 1935; Good 2005). Pure.
"""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np

from her.schema import Record
from her.stats import Estimate

EXACT_UP_TO = 16
"""Clusters up to which all sign flips are counted: 65,536 of them."""
_Z_POWER = 1.959964 + 0.841621
"""Two-sided 5%, power 80%."""


class PairedDifference(Record):
    """How much the second model is above the first."""

    difference: Estimate
    """Mean over clusters of (second - first); `n` is the number of pairs of items."""
    clusters: int
    p: float | None
    """Two-sided; None without pairs."""
    exact: bool
    """Were all flips counted?"""
    detectable: float | None
    """The smallest true difference that so many clusters would show (5% two-sided, 80% power). None where nothing
    tells: fewer than two clusters, or no two that differ."""
    only_first: int
    only_second: int
    """Items that the other model has no number for. They are in no difference."""


def paired(
    first: Mapping[str, float],
    second: Mapping[str, float],
    clusters: Mapping[str, str],
    *,
    seed: int,
    draws: int = 10_000,
) -> PairedDifference:
    """Compare values by item id; `clusters` says where each item belongs."""
    both = sorted(first.keys() & second.keys())
    by_cluster: dict[str, list[float]] = {}
    for key in both:
        by_cluster.setdefault(clusters[key], []).append(second[key] - first[key])
    means = np.array([sum(v) / len(v) for _, v in sorted(by_cluster.items())])
    only_first, only_second = len(first.keys() - second.keys()), len(second.keys() - first.keys())
    if not len(means):
        nothing = Estimate(value=None, low=None, high=None, n=0)
        return PairedDifference(
            difference=nothing,
            clusters=0,
            p=None,
            exact=True,
            detectable=None,
            only_first=only_first,
            only_second=only_second,
        )
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(means), size=(draws, len(means)))
    low, high = np.quantile(means[picks].mean(axis=1), [0.025, 0.975])
    observed = float(means.mean())
    exact = len(means) <= EXACT_UP_TO
    deviation = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    estimate = Estimate(value=observed, low=float(min(low, observed)), high=float(max(high, observed)), n=len(both))
    return PairedDifference(
        difference=estimate,
        clusters=len(means),
        p=_exact_p(means) if exact else _drawn_p(means, rng, draws),
        exact=exact,
        detectable=detectable(deviation, len(means)) if deviation > 0 else None,
        only_first=only_first,
        only_second=only_second,
    )


def detectable(deviation: float, clusters: int) -> float:
    """The smallest true mean difference that is found four times in five, from the deviation of cluster differences."""
    return _Z_POWER * deviation / math.sqrt(clusters)


def _exact_p(means: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    observed = abs(float(means.sum())) - 1e-12
    signs = np.array(list(product((1.0, -1.0), repeat=len(means))))
    return float(np.mean(np.abs(signs @ means) >= observed))


def _drawn_p(means: "np.ndarray[tuple[int], np.dtype[np.float64]]", rng: np.random.Generator, draws: int) -> float:
    observed = abs(float(means.sum())) - 1e-12
    signs = rng.choice((1.0, -1.0), size=(draws, len(means)))
    # The observed one is one of the flips, so that no p is 0.
    return float((np.count_nonzero(np.abs(signs @ means) >= observed) + 1) / (draws + 1))
