"""Ranking: which runs are compared as orders: the models of one benchmark, under every condition that was tried.

Owns the conditions: the runs' own (judges, rounds, shown thoughts), each judge of a panel alone, and length: the
shorter and the longer half of the items, and an order by words alone, which a good order should not be. The arithmetic
is in `trust/ranks.py`.
"""

from collections.abc import Mapping, Sequence

from her.errors import InputError
from her.evals.benchmarks.condition import MODEL, conditions
from her.evals.benchmarks.run import ExamRun
from her.evals.benchmarks.trust.ranks import Condition, Ranks, rank, values_of

WORDS = "words"
BY_WORDS = "by words alone"


def ranking(runs: Sequence[ExamRun], *, seed: int) -> Ranks:
    """The orders of the models of runs that are all of one benchmark."""
    if not runs:
        raise InputError("ranking takes runs; name some")
    if strange := next((r for r in runs if r.plan.benchmark != runs[0].plan.benchmark), None):
        raise InputError(f"{strange.root} is of {strange.plan.benchmark}, not of {runs[0].plan.benchmark}")
    if len({r.plan.model for r in runs}) < 2:
        raise InputError("an order takes two models at least; all these runs are of one")
    card = runs[0].benchmark.card
    sign = 1.0 if card.higher_is_better else -1.0
    groups, twice = _by_condition(runs)
    found = []
    for name, own in groups.items():
        found.append(_condition(name, {r.plan.model: r for r in own}, card.headline, sign=sign))
        panels = {r.summary.judges for r in own}
        if len(panels) == 1 and len(judges := next(iter(panels))) > 1:
            found += [
                _condition(
                    f"{name}, {judge} alone", {r.plan.model: r for r in own}, card.headline, sign=sign, judge=judge
                )
                for judge in judges
            ]
    first = next(iter(groups.values()))
    found += _by_length({r.plan.model: r for r in first}, card.headline, sign=sign)
    return rank(card.headline, found, seed=seed, left_out=twice)


def _by_condition(runs: Sequence[ExamRun]) -> tuple[dict[str, list[ExamRun]], tuple[str, ...]]:
    """Runs held alike but for the model, named by what differs between groups; and runs that are there twice."""
    all_of = [conditions(r) for r in runs]
    names = dict.fromkeys(k for c in all_of for k in c if k != MODEL)
    differing = [k for k in names if len({c.get(k) for c in all_of}) > 1]
    groups: dict[str, list[ExamRun]] = {}
    twice = []
    for run, own in zip(runs, all_of, strict=True):
        name = " · ".join(f"{k} {own[k]}" for k in differing if k in own) or "as held"
        own_group = groups.setdefault(name, [])
        if run.plan.model in {r.plan.model for r in own_group}:
            twice.append(f"{name}: a second run of {run.plan.model}, held alike")
        else:
            own_group.append(run)
    return groups, tuple(twice)


def _condition(
    name: str,
    runs: Mapping[str, ExamRun],
    metric: str,
    *,
    sign: float,
    judge: str | None = None,
    items: frozenset[str] | None = None,
) -> Condition:
    values = {}
    for model, run in runs.items():
        everything = (*run.scores, *run.benchmark.derived(run.scores, run.plan.settings))
        own = values_of(everything, metric, judge=judge, sign=sign)
        values[model] = {i: v for i, v in own.items() if items is None or i in items}
    return Condition(name=name, values=values, clusters={s.item_id: s.cluster for r in runs.values() for s in r.scores})


def _by_length(runs: Mapping[str, ExamRun], metric: str, *, sign: float) -> list[Condition]:
    """The halves of the items whose plays are short and long, all models taken together; and words themselves."""
    words = {model: _words(run) for model, run in runs.items()}
    common = set.intersection(*(set(w) for w in words.values()))
    if len(common) < 4:
        return []
    ranked = sorted(common, key=lambda item: (sum(w[item] for w in words.values()), item))
    short, long = frozenset(ranked[: len(ranked) // 2]), frozenset(ranked[len(ranked) // 2 :])
    clusters = {s.item_id: s.cluster for r in runs.values() for s in r.scores}
    return [
        _condition("the shorter half", runs, metric, sign=sign, items=short),
        _condition("the longer half", runs, metric, sign=sign, items=long),
        Condition(name=BY_WORDS, values=words, clusters=clusters),
    ]


def _words(run: ExamRun) -> dict[str, float]:
    """Item to the words that the examined model said in it, over all repeats."""
    found: dict[str, float] = {}
    for score in run.scores:
        for control in score.controls:
            if control.name == WORDS:
                found[score.item_id] = found.get(score.item_id, 0.0) + control.value
    return found
