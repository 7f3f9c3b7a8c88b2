"""Agreed: do raters agree with each other, and does the judge agree with them? Quality by quality. Pure.

Krippendorff's alpha between raters is ordinal (ratings are steps); between the raters' mean and the judge it is at the
interval level, on the raters' scale. Intervals draw clusters. Alpha asks for the same numbers, Spearman's rho for the
same order: a judge that is milder by a point has low alpha and high rho.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from her.evals.benchmarks.mark import ItemScore, Scored
from her.evals.benchmarks.rating.ballot import Ballot
from her.evals.benchmarks.rating.form import LEAST, MOST
from her.evals.benchmarks.rating.packet import Key
from her.evals.benchmarks.trust.agreement import Leniency, Level, Ratings, alpha, leniency
from her.evals.benchmarks.trust.bootstrap import clustered_statistic
from her.evals.benchmarks.trust.order import spearman
from her.evals.benchmarks.trust.paired import PairedDifference, paired
from her.schema import Record
from her.stats import Estimate

T = TypeVar("T")
OVERALL = "all qualities"


class QualityAgreed(Record):
    """One quality. Every `n` counts dialogues that the figure could be made from."""

    quality: str
    people: Estimate
    """Mean over dialogues of the raters' mean."""
    between: Estimate
    """Alpha between raters (ordinal; of all qualities: interval)."""
    judge: Estimate
    """Mean of the judge over the dialogues that people rated, on their scale."""
    with_judge: Estimate
    """Alpha between the raters' mean and the judge (interval)."""
    rho: Estimate
    """Spearman's correlation of the two over dialogues."""
    unjudged: int
    """Dialogues that people rated and the judge has no number for."""


class ModelAgreed(Record):
    """One model of a packet of several."""

    model: str
    people: Estimate
    judge: Estimate
    above_first: PairedDifference | None
    """People's overall, this model minus the first; None for the first."""


class Agreed(Record):
    """What came of a packet."""

    packet: str
    raters: tuple[str, ...]
    dialogues: int
    """In the packet."""
    ratings: int
    missing: int
    """Ratings that were asked for and not given."""
    qualities: tuple[QualityAgreed, ...]
    models: tuple[ModelAgreed, ...]
    leniency: tuple[Leniency, ...]
    """Each rater against the others, over all ratings."""


def agree(
    key: Key,
    ballots: Sequence[Ballot],
    scores: Mapping[str, Sequence[ItemScore]],
    *,
    scale: tuple[float, float],
    headline: str,
    seed: int,
) -> Agreed:
    """Everything about a packet. `scores`: a run's scores, by the hash that the key has of it; `scale`: the judge's."""
    sheets = [e.sheet for e in key.entries]
    cluster = {e.sheet: e.cluster for e in key.entries}
    judged = _judged(key, scores, scale, headline)
    by_quality: dict[str, dict[str, Ratings]] = {q.name: {} for q in key.qualities}
    for sheet in sheets:
        for quality in key.qualities:
            by_quality[quality.name][sheet] = {b.rater: _score(b, sheet, quality.name) for b in ballots}
    rows = [
        _row(q.name, by_quality[q.name], judged[q.name], cluster, level="ordinal", seed=seed) for q in key.qualities
    ]
    overall = {s: _means_by_rater([by_quality[q.name][s] for q in key.qualities]) for s in sheets}
    if len(key.qualities) > 1:
        rows.append(_row(OVERALL, overall, judged[OVERALL], cluster, level="interval", seed=seed))
    given = sum(len(r.scores) for b in ballots for r in b.ratings)
    units = [(sheet, of[sheet]) for of in by_quality.values() for sheet in sheets]
    return Agreed(
        packet=key.packet,
        raters=tuple(b.rater for b in ballots),
        dialogues=len(sheets),
        ratings=given,
        missing=len(sheets) * len(key.qualities) * len(ballots) - given,
        qualities=tuple(rows),
        models=_models(key, overall, judged[OVERALL], seed=seed),
        leniency=leniency([u for _, u in units], [cluster[s] for s, _ in units], seed=seed) if len(ballots) > 1 else (),
    )


def _row(
    quality: str,
    ratings: Mapping[str, Ratings],
    judged: Mapping[str, float],
    cluster: Mapping[str, str],
    *,
    level: Level,
    seed: int,
) -> QualityAgreed:
    people = _people(ratings)
    both = [s for s in people if s in judged]
    pairs = [(people[s], judged[s]) for s in both]
    compared = [s for s in ratings if sum(v is not None for v in ratings[s].values()) > 1]

    def over(names: Sequence[str], values: Sequence[T], statistic: Callable[[Sequence[T]], float | None]) -> Estimate:
        return clustered_statistic(list(values), [cluster[s] for s in names], statistic, seed=seed, draws=400)

    return QualityAgreed(
        quality=quality,
        people=over(list(people), list(people.values()), mean),
        between=over(compared, [ratings[s] for s in compared], lambda drawn: alpha(drawn, level)),
        judge=over(both, [judged[s] for s in both], mean),
        with_judge=over(both, pairs, lambda drawn: alpha([{"people": p, "judge": j} for p, j in drawn], "interval")),
        rho=over(both, pairs, lambda drawn: spearman([p for p, _ in drawn], [j for _, j in drawn])),
        unjudged=len(people) - len(both),
    )


def _models(
    key: Key, overall: Mapping[str, Ratings], judged: Mapping[str, float], *, seed: int
) -> tuple[ModelAgreed, ...]:
    """People's overall by model, and how far each is above the first; none where there is but one."""
    runs = sorted({(e.model, e.run) for e in key.entries})
    if len(runs) < 2:
        return ()
    people = _people(overall)
    by_run = {
        run: {f"{e.item_id}#{e.repeat}": e for e in key.entries if e.run == run and e.sheet in people}
        for _, run in runs
    }
    found: list[ModelAgreed] = []
    first: dict[str, float] = {}
    for number, (model, run) in enumerate(runs):
        entries = by_run[run]
        own = {place: people[e.sheet] for place, e in entries.items()}
        clusters = [e.cluster for e in entries.values()]
        of_judge = [(judged[e.sheet], e.cluster) for e in entries.values() if e.sheet in judged]
        found.append(
            ModelAgreed(
                model=model,
                people=clustered_statistic(list(own.values()), clusters, mean, seed=seed),
                judge=clustered_statistic([v for v, _ in of_judge], [c for _, c in of_judge], mean, seed=seed),
                above_first=paired(
                    first,
                    own,
                    {p: e.cluster for r in by_run.values() for p, e in r.items()},
                    seed=seed,
                )
                if number
                else None,
            )
        )
        first = first or own
    return tuple(found)


def mean(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return sum(values) / len(values) if values else None


def _people(ratings: Mapping[str, Ratings]) -> dict[str, float]:
    """Sheet to the mean of those who rated it."""
    means = {s: mean([v for v in r.values() if v is not None]) for s, r in ratings.items()}
    return {s: m for s, m in means.items() if m is not None}


def _means_by_rater(of: Sequence[Ratings]) -> dict[str, float | None]:
    """Each rater's mean over the qualities of one dialogue; None where one of them is missing."""
    found: dict[str, float | None] = {}
    for rater in of[0]:
        values = [r[rater] for r in of]
        known = [v for v in values if v is not None]
        found[rater] = sum(known) / len(known) if len(known) == len(values) else None
    return found


def _score(ballot: Ballot, sheet: str, quality: str) -> float | None:
    for rated in ballot.ratings:
        if rated.id == sheet and quality in rated.scores:
            return float(rated.scores[quality])
    return None


def _judged(
    key: Key, scores: Mapping[str, Sequence[ItemScore]], scale: tuple[float, float], headline: str
) -> dict[str, dict[str, float]]:
    """Quality to sheet to the judges' value on the raters' scale, where there is one."""
    metrics = {**{q.name: q.metric for q in key.qualities}, OVERALL: headline}
    by_place = {(run, s.item_id, s.repeat): s for run, own in scores.items() for s in own}
    found: dict[str, dict[str, float]] = {name: {} for name in metrics}
    least, greatest = scale
    for entry in key.entries:
        score = by_place.get((entry.run, entry.item_id, entry.repeat))
        for name, metric in metrics.items():
            for mark in score.marks if score is not None else ():
                if mark.metric == metric and mark.judge is None and isinstance(mark, Scored):
                    found[name][entry.sheet] = LEAST + (MOST - LEAST) * (mark.value - least) / (greatest - least)
    return found
