"""Figure: one number of a run, with its interval, its n and what could not be scored.

Owns the way from marks to means. Batch statistics (an F1, a diversity) are figures too: `statistic_figure` resamples
clusters for any function of items.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from her.evals.benchmarks.mark import ItemScore, Mark, Scored
from her.evals.benchmarks.trust.bootstrap import clustered_statistic
from her.schema import Record
from her.stats import Estimate, clustered_score

WHOLE = ""
"""The group of a figure about all items."""


class Figure(Record):
    """An estimate of one metric over one group of items."""

    metric: str
    group: str
    """`order: 2`; empty for all items."""
    estimate: Estimate
    """Interval: 95%, by resampling clusters."""
    unscored: int
    """Marks of this metric and group that have no number; `estimate.n` does not count them."""
    reasons: dict[str, int]
    """Why, and how often."""
    scale: tuple[float, float] | None = None
    """Least and greatest value that it can have; None where nobody said. What is drawn needs it, no number does."""


def mean_figures(
    scores: Sequence[ItemScore],
    *,
    seed: int,
    scale: tuple[float, float],
    metrics: Sequence[str] | None = None,
    by_facet: bool = True,
) -> tuple[Figure, ...]:
    """The mean of every metric over all items, then by each value of each facet. Single judges' marks do not count."""
    names = list(metrics) if metrics is not None else _metrics(scores)
    facets = sorted({(k, v) for s in scores for k, v in s.facets.items()}) if by_facet else []
    figures = []
    for name in names:
        figures.append(mean_figure(scores, name, seed=seed, scale=scale))
        for facet, value in facets:
            inside = [s for s in scores if s.facets.get(facet) == value]
            figures.append(mean_figure(inside, name, seed=seed, scale=scale, group=f"{facet}: {value}"))
    return tuple(f for f in figures if f.estimate.n or f.unscored)


def mean_figure(
    scores: Sequence[ItemScore], metric: str, *, seed: int, scale: tuple[float, float], group: str = WHOLE
) -> Figure:
    """The mean of one metric. `scale`: the least and greatest value that a mark can have."""
    values, clusters, reasons = [], [], Counter[str]()
    for score in scores:
        for mark in _panel(score, metric):
            if isinstance(mark, Scored):
                values.append(mark.value)
                clusters.append(score.cluster)
            else:
                reasons[mark.reason] += 1
    return Figure(
        metric=metric,
        group=group,
        estimate=clustered_score(values, clusters, seed=seed, scale=scale),
        unscored=reasons.total(),
        reasons=dict(sorted(reasons.items())),
        scale=scale,
    )


def statistic_figure(
    scores: Sequence[ItemScore],
    metric: str,
    statistic: Callable[[Sequence[ItemScore]], float | None],
    *,
    seed: int,
    group: str = WHOLE,
    unscored: Counter[str] | None = None,
    scale: tuple[float, float] | None = None,
) -> Figure:
    """Any statistic of items, its interval by resampling clusters. None from `statistic`: it is not defined there."""
    reasons = unscored or Counter()
    return Figure(
        metric=metric,
        group=group,
        estimate=clustered_statistic(list(scores), [s.cluster for s in scores], statistic, seed=seed),
        unscored=reasons.total(),
        reasons=dict(sorted(reasons.items())),
        scale=scale,
    )


def _panel(score: ItemScore, metric: str) -> list[Mark]:
    return [m for m in score.marks if m.metric == metric and m.judge is None]


def _metrics(scores: Sequence[ItemScore]) -> list[str]:
    return list(dict.fromkeys(m.metric for s in scores for m in s.marks))
