"""CoSER Test, given-circumstance acting: one model plays every character of a book's scene, and judges name its flaws
(Wang et al., ICML 2025; HER's variant of it, arXiv 2601.21459).

Owns the order of the steps. The scene is read in `coser_scene`, played in `coser_play` (ours) or `coser_released` (as
the released evaluators do), judged and scored in `coser_judging`; profiles are told apart in `coser_card`.
"""

from pathlib import Path

from her.evals.benchmarks.asked import Asked
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.coser_card import CARD
from her.evals.benchmarks.coser_judging import (
    AVERAGE,
    DIMENSIONS,
    dimension_marks,
    judge_scene,
    line_of,
    read,
    silent,
    turns,
)
from her.evals.benchmarks.coser_overlap import overlaps
from her.evals.benchmarks.coser_play import play_scene
from her.evals.benchmarks.coser_recorded import RecordedScores, score_recorded
from her.evals.benchmarks.coser_reference import references
from her.evals.benchmarks.coser_released import Released, play_released
from her.evals.benchmarks.coser_scene import CoserItem, load_scenes, without_thoughts
from her.evals.benchmarks.item import Exam
from her.evals.benchmarks.mark import Control, Finding, Mark, Unscored
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.controls import dialogue_controls
from her.evals.benchmarks.upstream.coser import CoserCritique
from her.llm.model import ChatModel, ScoreItem
from her.schema import ENVIRONMENT


class Coser(Benchmark[CoserItem]):
    """The benchmark."""

    item = CoserItem
    card = CARD

    def load(self, data: Path, settings: Settings) -> Exam[CoserItem]:
        """The published `test_set.json`, or our mini-set in its schema."""
        return load_scenes(data, self.card, settings)

    async def play(self, item: CoserItem, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """The scene on our stage, or as a released evaluator plays it."""
        if settings.profile == "fixed":
            return await play_scene(item, cast, settings, repeat=repeat)
        kind: Released = "coser" if settings.profile == "coser" else "her"
        return await play_released(item, cast, settings, kind=kind, repeat=repeat)

    async def judge(self, item: CoserItem, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        """One question for each dimension."""
        return await judge_scene(item, play, judge, settings)

    def marks(self, item: CoserItem, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """Four dimensions and their mean."""
        judge = None if judged is None else judged.judge
        if (reason := silent(play, settings)) is not None or judged is None:
            why = reason or "not judged"
            return tuple(Unscored(metric=m, reason=why, judge=judge) for m in (*DIMENSIONS, AVERAGE))
        asked = {d: judged.reply(d).returned for d in DIMENSIONS}
        return dimension_marks(asked, turns(play, settings), judge=judge, profile=settings.profile)

    def findings(self, item: CoserItem, play: Play, judged: Judged, settings: Settings) -> tuple[Finding, ...]:
        """Every flaw, at the line whose words it quotes."""
        found = []
        for asked in judged.asked:
            critique = read(asked.returned, asked.key, settings.profile)
            if isinstance(critique, CoserCritique):
                found += [
                    Finding(
                        metric=asked.key,
                        judge=judged.judge,
                        kind=flaw.type,
                        severity=float(flaw.severity) if isinstance(flaw.severity, int | float) else None,
                        line=line_of(flaw.instance, play.lines),
                        text=flaw.instance,
                    )
                    for flaw in critique.flaws
                ]
        return tuple(found)

    def controls(self, item: CoserItem, play: Play, settings: Settings) -> tuple[Control, ...]:
        """Turns (which the score forgives by), words, tokens; BLEU and ROUGE-L as the profile takes them."""
        simulated = [(line.speaker, line.visible) for line in play.lines]
        book = [
            (r.speaker, r.message if r.speaker == ENVIRONMENT else without_thoughts(r.message)) for r in item.reference
        ]
        overlap = overlaps(simulated, book, settings.profile)
        return (
            *dialogue_controls(play),
            *(Control(name=name, value=value) for name, value in overlap.items() if value is not None),
        )

    def references(self, item: CoserItem, settings: Settings) -> tuple[ScoreItem, ...]:
        """What the book's characters said, each line after the book's own lines before it."""
        return references(item)

    def recorded(self, recorded: Path, references: Path | None, settings: Settings) -> RecordedScores:
        """A judgement file of CoSER's, scored again under a profile."""
        return score_recorded(recorded, references, settings)


COSER = Coser()
