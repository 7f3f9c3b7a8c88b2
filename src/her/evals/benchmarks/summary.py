"""Summary: all figures of a run beside everything a reader needs to doubt them.

Owns the rule of five per cent, and what stands beside a score: n, unscored by reason, controls, agreement and leniency
of judges. Same scores and settings give the same summary.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import Field

from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.figure import WHOLE, Figure
from her.evals.benchmarks.item import AnyItem, DataUsed, Refused
from her.evals.benchmarks.mark import ItemScore, Scored, Unscored
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.agreement import Leniency, Ratings, alpha_estimate, leniency
from her.schema import Record
from her.stats import Estimate, clustered_mean

MOST_UNSCORED = 0.05
"""Above this share a run is marked: what is missing may not be like what is there."""


class ControlFigure(Record):
    """Mean of a control over the run's items, its interval by cluster."""

    name: str
    estimate: Estimate


class Agreement(Record):
    """How far the judges of a panel agree on one metric."""

    metric: str
    alpha: Estimate
    """Krippendorff's, at the interval level."""
    leniency: tuple[Leniency, ...]


class Summary(Record):
    """What a run comes to."""

    benchmark: str
    settings: Settings
    model: str
    judges: tuple[str, ...]
    data: DataUsed
    items: int
    """Items that were asked, repeats not counted twice."""
    clusters: int
    refused: dict[str, int]
    """Records that were not asked, by reason."""
    headline: str
    figures: tuple[Figure, ...]
    controls: tuple[ControlFigure, ...]
    unavailable: dict[str, str] = Field(default_factory=dict)
    """Controls that could not be measured, and why."""
    agreement: tuple[Agreement, ...]
    marks: int
    """Marks of the run (those of single judges not counted); scored and unscored add up to it."""
    unscored: int
    reasons: dict[str, int]
    marked: bool
    """More than 5% of the marks are unscored."""
    warnings: tuple[str, ...]

    def figure(self, metric: str, group: str = WHOLE) -> Figure | None:
        """A figure by name, or None."""
        return next((f for f in self.figures if (f.metric, f.group) == (metric, group)), None)


def summarise(
    benchmark: Benchmark[AnyItem],
    scores: Sequence[ItemScore],
    settings: Settings,
    *,
    model: str,
    judges: Sequence[str],
    data: DataUsed,
    refused: Sequence[Refused],
    warnings: Sequence[str] = (),
    unavailable: Mapping[str, str] | None = None,
) -> Summary:
    """Sum up a run."""
    panel = [m for s in scores for m in s.marks if m.judge is None]
    reasons = Counter(m.reason for m in panel if isinstance(m, Unscored))
    return Summary(
        benchmark=benchmark.card.name,
        settings=settings,
        model=model,
        judges=tuple(judges),
        data=data,
        items=len({s.item_id for s in scores}),
        clusters=len({s.cluster for s in scores}),
        refused=dict(sorted(Counter(r.reason for r in refused).items())),
        headline=benchmark.card.headline,
        figures=benchmark.figures(scores, settings),
        controls=_controls(scores, seed=settings.seed),
        unavailable=dict(unavailable or {}),
        agreement=_agreement(scores, seed=settings.seed) if len(judges) > 1 else (),
        marks=len(panel),
        unscored=reasons.total(),
        reasons=dict(sorted(reasons.items())),
        marked=reasons.total() > MOST_UNSCORED * len(panel),
        warnings=tuple(warnings),
    )


def _controls(scores: Sequence[ItemScore], *, seed: int) -> tuple[ControlFigure, ...]:
    names = list(dict.fromkeys(c.name for s in scores for c in s.controls))
    found = []
    for name in names:
        values = [(c.value, s.cluster) for s in scores for c in s.controls if c.name == name]
        estimate = clustered_mean([v for v, _ in values], [c for _, c in values], seed=seed)
        found.append(ControlFigure(name=name, estimate=estimate))
    return tuple(found)


def _agreement(scores: Sequence[ItemScore], *, seed: int) -> tuple[Agreement, ...]:
    metrics = list(dict.fromkeys(m.metric for s in scores for m in s.marks if m.judge is not None))
    found = []
    for metric in metrics:
        units: list[Ratings] = []
        clusters = []
        for score in scores:
            given = [m for m in score.marks if m.metric == metric and m.judge is not None]
            if given:
                units.append({str(m.judge): m.value if isinstance(m, Scored) else None for m in given})
                clusters.append(score.cluster)
        found.append(
            Agreement(
                metric=metric,
                alpha=alpha_estimate(units, clusters, "interval", seed=seed),
                leniency=leniency(units, clusters, seed=seed),
            )
        )
    return tuple(found)
