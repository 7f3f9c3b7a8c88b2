"""Condition: what a run was held under, in words, what sets it apart from others, and what it lacks of the protocol.

Owns the names of conditions, which reports, tables and rank stability share. Judges nothing.
"""

from collections.abc import Mapping, Sequence

from her.evals.benchmarks.run import ExamRun
from her.evals.benchmarks.summary import MOST_UNSCORED
from her.evals.benchmarks.trust.controls import GUESSERS

MODEL, PLAYS_ITSELF = "model", "the examined model itself"


def conditions(run: ExamRun) -> dict[str, str]:
    """Everything that could make another number, by name, the model first. Settings that mean nothing to the benchmark
    are left out."""
    plan, card, settings = run.plan, run.benchmark.card, run.summary.settings
    found = {MODEL: plan.model}
    if run.summary.judges:
        found["judge" if len(run.summary.judges) == 1 else "judges"] = ", ".join(run.summary.judges)
    found |= {part.replace("_", " "): _played_by(name) for part, name in plan.parts.items()}
    found["profile"] = settings.profile
    if "thoughts" in card.uses:
        found["role thinking"] = f"{settings.thoughts} to the judge" if card.judged else settings.thoughts
    if "system_thinking" in card.uses:
        found["system thinking"] = "on" if settings.system_thinking else "off"
    found |= settings.options
    found["repeats"] = str(settings.repeats)
    found["limit"] = "none" if settings.limit is None else f"{settings.limit} items"
    found["seed"] = str(settings.seed)
    found["data"] = f"{plan.data.name}, sha256 {plan.data.sha256[:12]}"
    return found


def departures(run: ExamRun) -> tuple[str, ...]:
    """In what the run is less than, or other than, the protocol of its profile; empty for the whole of it."""
    card, settings = run.benchmark.card, run.summary.settings
    found = []
    if run.plan.data.name == "mini-set":
        found.append("our mini-set, not the published data")
    if settings.limit is not None:
        found.append(f"limited to {settings.limit} items")
    own = card.settle(settings.model_copy(update={"options": {}})).options
    found += [
        f"{name} {value} (profile: {own[name]})" for name, value in settings.options.items() if value != own[name]
    ]
    return tuple(found)


def doubts(run: ExamRun) -> tuple[str, ...]:
    """What should make one doubt the headline, apart from departures."""
    found = []
    if run.summary.marked:
        share = 100 * run.summary.unscored / run.summary.marks
        found.append(
            f"{share:.0f}% unscored, more than {100 * MOST_UNSCORED:.0f}%: what is missing may not be like the rest"
        )
    figure, guess = run.summary.figure(run.summary.headline), best_guess(run)
    if figure is not None and guess is not None:
        low, high = figure.estimate.low, figure.estimate.high
        edge = low if run.benchmark.card.higher_is_better else high
        if edge is not None and (edge <= guess[1]) == run.benchmark.card.higher_is_better:
            found.append(f"not shown to beat the {guess[0]} ({guess[1]:.3g})")
    return (*found, *run.summary.warnings)


def best_guess(run: ExamRun) -> tuple[str, float] | None:
    """The blind guesser that earns most on these items; None where nothing is chosen."""
    guesses = [(c.name, c.estimate.value) for c in run.summary.controls if c.name in GUESSERS]
    known = [(name, value) for name, value in guesses if value is not None]
    return max(known, key=lambda g: g[1]) if known else None


def labels(runs: Sequence[ExamRun]) -> tuple[str, ...]:
    """Short names of runs of one benchmark: the model, and whatever else tells them apart."""
    all_of = [conditions(r) for r in runs]
    names = tuple(f"{c[MODEL]}{_apart(c, all_of)}" for c in all_of)
    return tuple(
        name if names.count(name) == 1 else f"{name} · {run.root.name}" for name, run in zip(names, runs, strict=True)
    )


def _apart(own: Mapping[str, str], all_of: Sequence[Mapping[str, str]]) -> str:
    differing = [k for k in own if k != MODEL and len({c.get(k) for c in all_of}) > 1]
    return "".join(f" · {k} {own[k]}" for k in differing)


def _played_by(name: str) -> str:
    return PLAYS_ITSELF if name.startswith("(") else name
