"""SOUL: a bundle of benchmarks under one name (Ditto, arXiv 2605.20506), each part beside the mean.

Owns which of its ten tasks are held here and by which benchmark, how a score becomes a share, and the one mean: it is
over the parts that were held, says how many, and is not there where a part has no number. SOUL's own mean is over ten.
"""

import math
from collections.abc import Sequence

from her.evals.benchmarks.card import Card
from her.evals.benchmarks.summary import Summary
from her.schema import Record
from her.stats import Estimate

NAME = "soul"
SAMPLED = 100
"""Items a task in the published table."""


class Task(Record):
    """One of SOUL's ten."""

    name: str
    benchmark: str | None
    """In the registry; None: not held here."""
    metric: str | None = None
    """What SOUL reports where its own profile has another metric than the benchmark's headline."""


TASKS = (
    Task(name="FanToM", benchmark="fantom"),
    Task(name="HiToM", benchmark="hitom"),
    Task(name="ToMi", benchmark=None),
    Task(name="CoSER", benchmark="coser"),
    Task(name="LifeChoices", benchmark="lifechoice"),
    Task(name="Sotopia", benchmark=None),
    Task(name="Mistakes", benchmark=None),
    Task(name="MirrorBench", benchmark=None),
    Task(name="UserLLM", benchmark="userllm", metric="composite (SOUL's reward)"),
    Task(name="TwinVoice", benchmark="twinvoice"),
)


class Part(Record):
    """A task that was held."""

    task: str
    benchmark: str
    profile: str
    metric: str
    data: str
    """Name of the data: `mini-set`, or a file's."""
    estimate: Estimate
    """On the benchmark's own scale."""
    share: Estimate
    """The same from 0 (worst) to 1 (best)."""
    unscored: int
    marked: bool
    """More than 5% of the task's marks are unscored."""


class NotHeld(Record):
    """A task that was not held, and why."""

    task: str
    reason: str


class Bundle(Record):
    """What came of all tasks."""

    model: str
    parts: tuple[Part, ...]
    not_held: tuple[NotHeld, ...]
    mean: Estimate
    """Over the shares of the parts; `n` is how many they are. No value where a part has none."""


def profile_of(card: Card, asked: str) -> str:
    """The profile of a benchmark under which it is held: `soul` asks for SOUL's own, where a benchmark has it, else for
    `upstream`, else for ours."""
    known = [p.name for p in card.profiles]
    wanted = ("soul", "upstream") if asked == "soul" else (asked,)
    return next((name for name in wanted if name in known), card.profiles[0].name)


def part_of(task: Task, card: Card, summary: Summary) -> Part:
    """A task's score, as a share of its scale as well."""
    figure = None if task.metric is None else summary.figure(task.metric)
    figure = figure or summary.figure(card.headline)
    estimate = Estimate(value=None, low=None, high=None, n=0) if figure is None else figure.estimate
    return Part(
        task=task.name,
        benchmark=card.name,
        profile=summary.settings.profile,
        metric=card.headline if figure is None else figure.metric,
        data=summary.data.name,
        estimate=estimate,
        share=_share(estimate, card),
        unscored=0 if figure is None else figure.unscored,
        marked=summary.marked,
    )


def bundle(model: str, parts: Sequence[Part], not_held: Sequence[NotHeld]) -> Bundle:
    """All parts and their mean, whose interval adds half-widths in quadrature: tasks have no item in common."""
    return Bundle(model=model, parts=tuple(parts), not_held=tuple(not_held), mean=_mean([p.share for p in parts]))


def _share(estimate: Estimate, card: Card) -> Estimate:
    least, greatest = card.scale
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return Estimate(value=None, low=None, high=None, n=estimate.n)
    low, value, high = ((v - least) / (greatest - least) for v in (estimate.low, estimate.value, estimate.high))
    if not card.higher_is_better:
        low, value, high = 1 - high, 1 - value, 1 - low
    return Estimate(value=value, low=low, high=high, n=estimate.n)


def _mean(shares: Sequence[Estimate]) -> Estimate:
    known = [(s.low, s.value, s.high) for s in shares if s.value is not None]
    rows = [(low, value, high) for low, value, high in known if low is not None and high is not None]
    if not rows or len(rows) < len(shares):
        return Estimate(value=None, low=None, high=None, n=0)
    number = len(rows)
    value = sum(v for _, v, _ in rows) / number
    below = math.sqrt(sum((v - low) ** 2 for low, v, _ in rows)) / number
    above = math.sqrt(sum((high - v) ** 2 for _, v, high in rows)) / number
    return Estimate(value=value, low=max(0.0, value - below), high=min(1.0, value + above), n=number)
