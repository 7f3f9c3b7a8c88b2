"""Benchmark: what an engineer writes to add one. Everything around it (running, judging, statistics, report) is shared.

Owns the five steps and their order. A benchmark has no state, opens no file but its data, and calls a model only
through `ask_once`, `ask_judge` or the actors of `her.simulation`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic

from her.errors import ConfigError
from her.evals.benchmarks.asked import Asked
from her.evals.benchmarks.card import Card
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.figure import Figure, mean_figures
from her.evals.benchmarks.item import AnyItem, Exam
from her.evals.benchmarks.mark import Control, Finding, ItemScore, Mark
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.settings import Settings
from her.llm.model import ChatModel, ScoreItem
from her.schema import Record


class Benchmark(ABC, Generic[AnyItem]):
    """One benchmark. `settings` is always settled: every option is there."""

    card: ClassVar[Card]
    item: type[AnyItem]
    """The record of its items: runs store them, so that a score never depends on a file that may change."""

    @abstractmethod
    def load(self, data: Path, settings: Settings) -> Exam[AnyItem]:
        """Read the upstream schema (the mini-set's too). A missing or wrong field is an InputError that names file,
        record and field; a record that must not be asked is `Refused`."""

    @abstractmethod
    async def play(self, item: AnyItem, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """Ask the models. Everything random follows from `settings.seed_of(item.id, repeat)`."""

    async def judge(self, item: AnyItem, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        """Ask one judge about a play, each question by `ask_judge`. Not called where `card.judged` is False."""
        raise NotImplementedError(f"{self.card.name} is scored by code")

    @abstractmethod
    def marks(self, item: AnyItem, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """What a play earned: by one judge's answers, or by code where `judged` is None. Pure. Every call for an item
        gives the same metrics, `Unscored` where a value cannot be told."""

    def findings(self, item: AnyItem, play: Play, judged: Judged, settings: Settings) -> tuple[Finding, ...]:
        """The faults that a judge named. Pure."""
        return ()

    def controls(self, item: AnyItem, play: Play, settings: Settings) -> tuple[Control, ...]:
        """What could explain the score without the skill. Pure."""
        return ()

    def references(self, item: AnyItem, settings: Settings) -> tuple[ScoreItem, ...]:
        """What a book or a person really said in the examined model's part, each under the chat in which the model
        would have said it, for the control `reference likelihood`. Pure. Empty: there is no reference."""
        return ()

    def answers(self, item: AnyItem, play: Play, settings: Settings) -> tuple[str | None, str | None]:
        """What was read of the reply and what was right, where an item has one answer."""
        return None, None

    def derived(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[ItemScore, ...]:
        """Scores of something larger than an item (a story whose questions are all right), by a metric of their own.
        Comparisons look at them beside the items' own. Pure."""
        return ()

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """The figures of a run, the headline among them. Pure. By default every metric's mean, whole and by facet."""
        everything = (*scores, *self.derived(scores, settings))
        return mean_figures(everything, seed=settings.seed, scale=self.card.scale)

    def recorded(self, recorded: Path, references: Path | None, settings: Settings) -> Record:
        """What a judgement file in the benchmark's own format comes to under a profile: no model is asked."""
        raise ConfigError(f"{self.card.name} has no format of recorded judgements; leave --recorded out")

    def released(self, data: Path, settings: Settings) -> tuple[Exam[AnyItem], tuple[Play, ...]]:
        """Plays that the benchmark's authors released, to calibrate a judge on: an item each, the examined model as the
        facet `model`. `figures` then has the agreement with what was published."""
        raise ConfigError(f"{self.card.name} has no released plays; leave --calibrate out")
