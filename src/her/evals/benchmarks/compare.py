"""Two runs of one benchmark: paired differences metric by metric, and the gate that guards social skills. Pure.

Runs are compared on the items that both have a number for. Repeats of an item are averaged first. Runs held under other
conditions (data, profile, options, judges) are not compared.
"""

from collections.abc import Mapping, Sequence

from her.errors import InputError
from her.evals.benchmarks.card import SOCIAL_SKILLS
from her.evals.benchmarks.mark import ItemScore, Scored
from her.evals.benchmarks.run import ExamRun
from her.evals.benchmarks.trust.paired import PairedDifference, paired
from her.schema import Record


class Compared(Record):
    """One metric of two runs."""

    benchmark: str
    metric: str
    first: str
    second: str
    """Models."""
    headline: bool
    result: PairedDifference


class Gated(Record):
    """What the gate says of one benchmark."""

    benchmark: str
    metric: str
    result: PairedDifference
    """New minus base, turned so that more is better."""
    failed: bool
    """The whole interval lies below zero: the skill dropped by more than its interval."""


def compare(first: ExamRun, second: ExamRun, *, seed: int) -> tuple[Compared, ...]:
    """The difference of every metric, the headline first."""
    _same_exam(first, second)
    card = first.benchmark.card
    one, two = _everything(first), _everything(second)
    metrics = [card.headline, *sorted({m.metric for s in one for m in s.marks} - {card.headline})]
    found = []
    for metric in metrics:
        result = _paired(one, two, metric, seed=seed)
        if result.difference.n or metric == card.headline:
            found.append(
                Compared(
                    benchmark=card.name,
                    metric=metric,
                    first=first.plan.model,
                    second=second.plan.model,
                    headline=metric == card.headline,
                    result=result,
                )
            )
    return tuple(found)


def gate(base: Sequence[ExamRun], new: Sequence[ExamRun], *, seed: int) -> tuple[Gated, ...]:
    """Every social skill that both sides were examined on. A skill the new side was not examined on is refused."""
    before, after = _by_benchmark(base), _by_benchmark(new)
    guarded = [n for n in sorted(before) if before[n].benchmark.card.family in SOCIAL_SKILLS]
    if not guarded:
        raise InputError(f"no run of --base is about a social skill ({', '.join(SOCIAL_SKILLS)}); name one that is")
    if missing := [n for n in guarded if n not in after]:
        raise InputError(f"--new has no run of {missing[0]}, which --base has; hold that exam too")
    found = []
    for name in guarded:
        card = before[name].benchmark.card
        _same_exam(before[name], after[name])
        first, second = _everything(before[name]), _everything(after[name])
        better = (first, second) if card.higher_is_better else (second, first)
        result = _paired(*better, card.headline, seed=seed)
        high = result.difference.high
        if high is None:
            raise InputError(f"{name}: no item has a number in both runs; nothing can be said of this skill")
        found.append(Gated(benchmark=name, metric=card.headline, result=result, failed=high < 0))
    return tuple(found)


def _everything(run: ExamRun) -> tuple[ItemScore, ...]:
    """The items' scores and those derived from them."""
    return (*run.scores, *run.benchmark.derived(run.scores, run.plan.settings))


def _by_benchmark(runs: Sequence[ExamRun]) -> Mapping[str, ExamRun]:
    names = [r.plan.benchmark for r in runs]
    if doubled := next((n for n in names if names.count(n) > 1), None):
        raise InputError(f"two runs of one side are of {doubled}; give one of each benchmark")
    return {r.plan.benchmark: r for r in runs}


def difference(first: ExamRun, second: ExamRun) -> str | None:
    """In what two exams were held so differently that no number of theirs is compared; None where they are alike."""
    conditions = {
        "benchmark": (first.plan.benchmark, second.plan.benchmark),
        "data": (first.plan.data.sha256, second.plan.data.sha256),
        "profile": (first.plan.settings.profile, second.plan.settings.profile),
        "options": (first.plan.settings.options, second.plan.settings.options),
        "thoughts": (first.summary.settings.thoughts, second.summary.settings.thoughts),
        "judges": (first.summary.judges, second.summary.judges),
        "parts": (first.plan.parts, second.plan.parts),
    }
    return next((f"{name} ({one} and {two})" for name, (one, two) in conditions.items() if one != two), None)


def _same_exam(first: ExamRun, second: ExamRun) -> None:
    if what := difference(first, second):
        raise InputError(f"{first.root} and {second.root} differ in {what}; hold both exams alike to compare")


def _paired(first: Sequence[ItemScore], second: Sequence[ItemScore], metric: str, *, seed: int) -> PairedDifference:
    clusters = {s.item_id: s.cluster for s in (*first, *second)}
    return paired(_values(first, metric), _values(second, metric), clusters, seed=seed)


def _values(scores: Sequence[ItemScore], metric: str) -> dict[str, float]:
    """Mean over the repeats of an item; an item any of whose repeats is unscored has no value: the rest may differ."""
    marks: dict[str, list[float | None]] = {}
    for score in scores:
        for mark in score.marks:
            if mark.metric == metric and mark.judge is None:
                value = mark.value if isinstance(mark, Scored) else None
                marks.setdefault(score.item_id, []).append(value)
    return {
        item: sum(v for v in values if v is not None) / len(values)
        for item, values in marks.items()
        if None not in values
    }
