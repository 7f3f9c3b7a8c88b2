"""The sessions that MiniMax released, to calibrate a judge on: do our judge and the published scores order the models
alike?

Owns the reading of the three released files and the rank correlations. A model's published value is the mean of its
released evaluations, by the bench's weights. Sessions that could not be scored are counted; a model with no scored
session is in no order.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from her.errors import ConfigError, InputError
from her.evals.benchmarks.data import data_used, read_records
from her.evals.benchmarks.figure import Figure
from her.evals.benchmarks.item import Exam, Refused
from her.evals.benchmarks.mark import ItemScore, Scored
from her.evals.benchmarks.minimax import MinimaxItem, item_of, overall, plain_id
from her.evals.benchmarks.minimax_card import CARD, DIMENSIONS, labelled
from her.evals.benchmarks.play import Line, Play
from her.evals.benchmarks.session import read_line, staged
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.bootstrap import clustered_statistic
from her.evals.benchmarks.trust.order import kendall, spearman
from her.evals.benchmarks.upstream.minimax import MinimaxDialogue, MinimaxEvaluation, MinimaxSeed

Correlation = Callable[[Sequence[float], Sequence[float]], float | None]
MODEL = "model"
_SCRIPTED = 2
"""The prologue and the user's first line."""
FILES = ("seeds.jsonl", "dialogues.jsonl", "evaluations.jsonl")


def read_released(folder: Path, settings: Settings) -> tuple[Exam[MinimaxItem], tuple[Play, ...]]:
    """An item and a play for each released session, its model as a facet."""
    if settings.repeats != 1:
        raise ConfigError("released sessions are there once each; leave --repeats out")
    if missing := next((name for name in FILES if not (folder / name).is_file()), None):
        raise InputError(f"{folder} has no {missing}; give the folder with {', '.join(FILES)} of one language")
    seeds = {seed.id: seed for _, seed in read_records(folder / FILES[0], MinimaxSeed)}
    published = _published(folder / FILES[2])
    items: list[MinimaxItem] = []
    plays: list[Play] = []
    refused: list[Refused] = []
    for where, dialogue in read_records(folder / FILES[1], MinimaxDialogue):
        seed = seeds.get(dialogue.seed_id)
        if seed is None:
            refused.append(Refused(where=where, reason="no seed of seeds.jsonl has its seed_id"))
            continue
        if (why := _unfit(dialogue, published)) is not None:
            refused.append(Refused(where=where, reason=why))
            continue
        name = plain_id(f"{dialogue.seed_id}.{dialogue.model_name}.{dialogue.run_id}")
        facets, value = {MODEL: dialogue.model_name}, published[dialogue.model_name]
        items.append(item_of(seed, item_id=name, facets=facets, published=value))
        plays.append(_play(name, seed, dialogue))
    exam = Exam(items=tuple(items), refused=tuple(refused), data=data_used(folder, CARD))
    return exam, tuple(plays)


def order_figures(scores: Sequence[ItemScore], *, metric: str, published: str, seed: int) -> tuple[Figure, ...]:
    """Spearman's and Kendall's correlation of our order of the models with the published one; none where no session is
    a released one. `published`: the control that holds a model's published value."""
    of_models = [s for s in scores if MODEL in s.facets]
    if not of_models:
        return ()
    theirs = {s.facets[MODEL]: c.value for s in of_models for c in s.controls if c.name == published}
    sessions: list[tuple[str, float]] = []
    clusters: list[str] = []
    reasons = Counter[str]()
    for score in of_models:
        mark = next(m for m in score.marks if m.metric == metric and m.judge is None)
        if isinstance(mark, Scored):
            sessions.append((score.facets[MODEL], mark.value))
            clusters.append(score.cluster)
        else:
            reasons[mark.reason] += 1
    ours = _means(sessions)
    group = (
        f"{len(ours)} models, {len(theirs) - len(ours)} without a scored session; tied: {_tied(ours.values())} by our "
        f"judge, {_tied([theirs[m] for m in ours])} as published"
    )
    found = []
    for name, correlation in (("Spearman", spearman), ("Kendall", kendall)):

        def agreement(drawn: Sequence[tuple[str, float]], correlation: Correlation = correlation) -> float | None:
            means = _means(drawn)
            return correlation(list(means.values()), [theirs[m] for m in means])

        found.append(
            Figure(
                metric=labelled(f"{name} with the published order"),
                group=group,
                estimate=clustered_statistic(sessions, clusters, agreement, seed=seed),
                unscored=reasons.total(),
                reasons=dict(sorted(reasons.items())),
            )
        )
    return tuple(found)


def _means(sessions: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Model to the mean over its sessions, models in order."""
    sums: dict[str, tuple[float, int]] = {}
    for model, value in sessions:
        total, n = sums.get(model, (0.0, 0))
        sums[model] = (total + value, n + 1)
    return {model: total / n for model, (total, n) in sorted(sums.items())}


def _tied(values: Iterable[float]) -> int:
    """How many share their value with another."""
    listed = list(values)
    return sum(listed.count(v) > 1 for v in listed)


def _published(path: Path) -> dict[str, float]:
    """Model to the mean of its released evaluations."""
    evaluations = (e for _, e in read_records(path, MinimaxEvaluation))
    return _means((e.model_name, overall({d: getattr(e, d) for d in DIMENSIONS})) for e in evaluations)


def _unfit(dialogue: MinimaxDialogue, published: Mapping[str, float]) -> str | None:
    """Why a released session cannot be judged."""
    if dialogue.model_name not in published:
        return "its model has no released evaluation"
    if dialogue.num_turns != len(dialogue.dialogue):
        return "num_turns is not the number of its lines"
    if not any(line.role == "ai" for line in dialogue.dialogue[_SCRIPTED:]):
        return "the character says nothing after the given lines"
    return None


def _play(name: str, seed: MinimaxSeed, dialogue: MinimaxDialogue) -> Play:
    """A released session as a play: hidden layers taken out as of any reply, silences kept."""
    lines = []
    silent = 0
    for number, line in enumerate(dialogue.dialogue):
        speaker = seed.ai_name.strip() if line.role == "ai" else seed.user_name.strip()
        turn = read_line(line.text, speaker, f"line-{number}")
        visible = "" if turn is None else staged(turn)
        played = "player" if line.role == "ai" else "user"
        given = number < _SCRIPTED
        silent += not given and line.role == "ai" and not visible
        lines.append(Line(speaker=speaker, by="given" if given else played, visible=visible, turn=None))
    return Play(item_id=name, repeat=0, asked=(), lines=tuple(lines), counts={"silent_turns": silent})
