"""Ranks: does the order of models stay when judges, rounds, shown thoughts or lengths change?

Owns what an order is held against, and how sure each order is of itself: clusters (stories, scenes) are drawn with
replacement, the same ones for every model, and for each pair of models it is counted how often the drawn order is the
observed one. Two orders are compared by Kendall's tau and Spearman's rho; with how few models nothing can be said is
said. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her.evals.benchmarks.mark import ItemScore, Scored
from her.evals.benchmarks.trust.order import ENOUGH, chance_of, kendall, spearman
from her.schema import Record
from her.stats import Estimate

Values = Mapping[str, Mapping[str, float]]
"""Model to item to its value, turned so that more is better."""


class Pair(Record):
    """Two models under one condition."""

    first: str
    """The better one of the two, or the first where they are equal."""
    second: str
    gap: float
    kept: float
    """Share of draws in which the first stays above the second."""


class Order(Record):
    """Models under one condition, best first."""

    condition: str
    models: tuple[str, ...]
    values: tuple[float, ...]
    items: int
    """Items that every model has a number for: the order is about these alone."""
    clusters: int
    pairs: tuple[Pair, ...]

    def pair(self, first: str, second: str) -> Pair:
        """Two models in their order; raises KeyError for a pair that is not ranked so."""
        return {(p.first, p.second): p for p in self.pairs}[first, second]


class Agreed(Record):
    """How alike two orders are."""

    first: str
    second: str
    models: int
    tau: Estimate
    """Kendall's tau-b; `n` is the number of models, the interval is by drawing clusters for both orders at once."""
    rho: float | None
    chance: float | None
    """How often unrelated orders are as much alike, or as much reversed; None where it was not counted."""
    enough: bool
    """Are there models enough for any agreement to mean something?"""


class Ranks(Record):
    """The orders of a benchmark's models, and every two of them held together."""

    metric: str
    orders: tuple[Order, ...]
    agreed: tuple[Agreed, ...]
    left_out: tuple[str, ...]
    """Conditions without an order, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What one order is made from."""

    name: str
    values: Values
    clusters: Mapping[str, str]
    """Item to cluster."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Sums and counts of a condition by model and cluster, over the items that all models have."""

    models: tuple[str, ...]
    clusters: tuple[str, ...]
    items: int
    sums_MC: npt.NDArray[np.float64]
    counts_C: npt.NDArray[np.float64]

    def means(self, picks_DC: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(draws, models)."""
        found: npt.NDArray[np.float64] = (self.sums_MC[:, picks_DC].sum(axis=2) / self.counts_C[picks_DC].sum(axis=1)).T
        return found


def rank(
    metric: str, conditions: Sequence[Condition], *, seed: int, draws: int = 2000, left_out: Sequence[str] = ()
) -> Ranks:
    """Orders of all conditions that have at least two models with items in common, and every two orders' agreement."""
    tables: dict[str, _Table] = {}
    missing = list(left_out)
    for condition in conditions:
        found = _table(condition)
        if isinstance(found, str):
            missing.append(f"{condition.name}: {found}")
        else:
            tables[condition.name] = found
    names = list(tables)
    return Ranks(
        metric=metric,
        orders=tuple(_order(name, table, seed=seed, draws=draws) for name, table in tables.items()),
        agreed=tuple(
            _agreed(one, two, tables, seed=seed, draws=draws) for i, one in enumerate(names) for two in names[i + 1 :]
        ),
        left_out=tuple(missing),
    )


def values_of(scores: Sequence[ItemScore], metric: str, *, judge: str | None, sign: float) -> dict[str, float]:
    """Item to the mean over its repeats; an item with a repeat that has no number has none."""
    marks: dict[str, list[float | None]] = {}
    for score in scores:
        for mark in score.marks:
            if (mark.metric, mark.judge) == (metric, judge):
                marks.setdefault(score.item_id, []).append(sign * mark.value if isinstance(mark, Scored) else None)
    return {
        item: sum(v for v in values if v is not None) / len(values)
        for item, values in marks.items()
        if None not in values
    }


def _table(condition: Condition) -> _Table | str:
    models = tuple(sorted(condition.values))
    if len(models) < 2:
        return "only one model"
    common = sorted(set.intersection(*(set(v) for v in condition.values.values())))
    if not common:
        return "no item has a number for every model"
    clusters = tuple(sorted({condition.clusters[item] for item in common}))
    place = {c: i for i, c in enumerate(clusters)}
    place_N = np.array([place[condition.clusters[item]] for item in common])
    sums = [
        np.bincount(place_N, weights=[condition.values[m][item] for item in common], minlength=len(clusters))
        for m in models
    ]
    return _Table(models, clusters, len(common), np.array(sums), np.bincount(place_N).astype(np.float64))


def _order(name: str, table: _Table, *, seed: int, draws: int) -> Order:
    means = table.sums_MC.sum(axis=1) / table.counts_C.sum()
    drawn_DM = table.means(_picks(len(table.clusters), seed=seed, draws=draws))
    ranked = sorted(range(len(table.models)), key=lambda m: (-means[m], table.models[m]))
    pairs = [
        Pair(
            first=table.models[a],
            second=table.models[b],
            gap=float(means[a] - means[b]),
            kept=float(np.mean(drawn_DM[:, a] > drawn_DM[:, b])),
        )
        for i, a in enumerate(ranked)
        for b in ranked[i + 1 :]
    ]
    return Order(
        condition=name,
        models=tuple(table.models[m] for m in ranked),
        values=tuple(float(means[m]) for m in ranked),
        items=table.items,
        clusters=len(table.clusters),
        pairs=tuple(pairs),
    )


def _agreed(one: str, two: str, tables: Mapping[str, _Table], *, seed: int, draws: int) -> Agreed:
    a, b = tables[one], tables[two]
    models = [m for m in a.models if m in b.models]
    here, there = ([t.models.index(m) for m in models] for t in (a, b))
    means_a, means_b = ((t.sums_MC.sum(axis=1) / t.counts_C.sum()).tolist() for t in (a, b))
    tau = kendall([means_a[i] for i in here], [means_b[i] for i in there])
    rho = spearman([means_a[i] for i in here], [means_b[i] for i in there])
    clusters = sorted(set(a.clusters) & set(b.clusters))
    low = high = None
    if tau is not None and clusters:
        picks = _picks(len(clusters), seed=seed, draws=min(draws, 500))
        at_a, at_b = (np.array([t.clusters.index(c) for c in clusters]) for t in (a, b))
        drawn_a, drawn_b = a.means(at_a[picks])[:, here], b.means(at_b[picks])[:, there]
        taus = [t for x, y in zip(drawn_a.tolist(), drawn_b.tolist(), strict=True) if (t := kendall(x, y)) is not None]
        if taus:
            edges = np.quantile(taus, [0.025, 0.975])
            low, high = float(min(edges[0], tau)), float(max(edges[1], tau))
    known = tau is not None and low is not None
    return Agreed(
        first=one,
        second=two,
        models=len(models),
        tau=Estimate(value=tau if known else None, low=low, high=high, n=len(models)),
        rho=rho,
        chance=None if tau is None else chance_of(tau, len(models)),
        enough=len(models) >= ENOUGH,
    )


def _picks(clusters: int, *, seed: int, draws: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, clusters, size=(draws, clusters))
