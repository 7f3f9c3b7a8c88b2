"""A page about exam runs: what `her eval report` writes. It shows; it counts nothing.

Owns what stands on the page and in what order. One file without network; every text of a model, a judge or a data file
is escaped; both layers of a character's thoughts stand folded. The page's one script filters and opens nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError
from her.evals.benchmarks.card import Card
from her.evals.benchmarks.chart import SIZE, Bar, Radar, bar, radar
from her.evals.benchmarks.compare import Compared, compare, difference
from her.evals.benchmarks.condition import best_guess, conditions, departures, doubts, labels
from her.evals.benchmarks.figure import WHOLE, Figure
from her.evals.benchmarks.ranking import ranking
from her.evals.benchmarks.run import ExamRun
from her.evals.benchmarks.sheet_play import cut, shown_plays
from her.evals.benchmarks.trust.ranks import Ranks
from her.evals.page import Contents, render_page
from her.stats import Estimate
from her.store import write_text

OPEN_GROUPS = 16
"""Up to so many rows the figures by group stand open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRun:
    """A run with its place on the page."""

    number: int
    tone: int
    """Its colour, 1 to 4."""
    label: str
    """Within its benchmark."""
    run: ExamRun
    conditions: dict[str, str]
    departures: tuple[str, ...]
    doubts: tuple[str, ...]
    guess: tuple[str, float] | None
    headline: Figure | None

    def bar(self, figure: Figure) -> Bar | None:
        """Where a figure stands on its scale; None where nobody said what its scale is."""
        return bar(figure.estimate, figure.scale)

    def control(self, name: str) -> Estimate | None:
        """A control by name."""
        return next((c.estimate for c in self.run.summary.controls if c.name == name), None)

    def guess_at(self) -> float | None:
        """Where the best blind guesser stands on the headline's scale, in per cent."""
        if self.guess is None:
            return None
        point = Estimate(value=self.guess[1], low=self.guess[1], high=self.guess[1], n=0)
        found = bar(point, self.run.benchmark.card.scale)
        return None if found is None else found.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """A later run against the first of its benchmark, or why the two are not compared."""

    first: str
    second: str
    rows: tuple[Compared, ...]
    apart: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownExam:
    """All runs of one benchmark."""

    card: Card
    runs: tuple[ShownRun, ...]
    radar: Radar | None
    versus: tuple[Versus, ...]
    ranks: Ranks | None
    """None with one model."""

    def figures(self, *, whole: bool) -> tuple[tuple[str, str, tuple[tuple[ShownRun, Figure], ...]], ...]:
        """Metric, group and the figures of the runs that have it: all items, or groups; the headline first."""
        keys = dict.fromkeys(
            (f.metric, f.group) for r in self.runs for f in r.run.summary.figures if (f.group == WHOLE) == whole
        )
        ordered = sorted(keys, key=lambda k: k[0] != self.card.headline)
        found = []
        for metric, group in ordered:
            have = [(r, r.run.summary.figure(metric, group)) for r in self.runs]
            found.append((metric, group, tuple((r, f) for r, f in have if f is not None)))
        return tuple(found)

    def controls(self) -> tuple[str, ...]:
        """Names of all controls."""
        return tuple(dict.fromkeys(c.name for r in self.runs for c in r.run.summary.controls))

    def conditions(self) -> tuple[str, ...]:
        """Names of all that the runs were held under."""
        return tuple(dict.fromkeys(name for r in self.runs for name in r.conditions))

    def alike(self, name: str) -> bool:
        """Is a condition the same for all runs?"""
        return all(name in r.conditions for r in self.runs) and len({r.conditions[name] for r in self.runs}) == 1


def write_sheet(runs: Sequence[ExamRun], path: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(path, render_sheet(runs))


def render_sheet(runs: Sequence[ExamRun]) -> str:
    """The page as text; equal runs give equal bytes."""
    if not runs:
        raise InputError("a report needs a run; name one or more")
    exams = _exams(runs)
    shown = tuple(r for e in exams for r in e.runs)
    plays = tuple(p for r in shown for p in shown_plays(r.run, number=r.number))
    contents: Contents = (
        ("found", "What was found"),
        *((f"exam-{e.card.name}", e.card.title) for e in exams),
        ("plays", "Plays"),
        ("reading", "How to read this"),
    )
    return render_page(
        "benchmarks/sheet.html.j2",
        title="Exams",
        contents=contents,
        plots={},
        styles=("benchmarks/sheet.css",),
        script="benchmarks/sheet.js.j2",
        exams=exams,
        runs=shown,
        plays=plays,
        facets={e.card.name: _facets(e) for e in exams},
        cut=cut,
        radar_size=SIZE,
        open_groups=OPEN_GROUPS,
    )


def _exams(runs: Sequence[ExamRun]) -> tuple[ShownExam, ...]:
    by_benchmark: dict[str, list[ExamRun]] = {}
    for run in runs:
        by_benchmark.setdefault(run.plan.benchmark, []).append(run)
    found, number = [], 0
    for own in by_benchmark.values():
        shown = []
        for place, (run, label) in enumerate(zip(own, labels(own), strict=True)):
            shown.append(
                ShownRun(
                    number=number,
                    tone=place % 4 + 1,
                    label=label,
                    run=run,
                    conditions=conditions(run),
                    departures=departures(run),
                    doubts=doubts(run),
                    guess=best_guess(run),
                    headline=run.summary.figure(run.summary.headline),
                )
            )
            number += 1
        card = own[0].benchmark.card
        found.append(
            ShownExam(
                card=card,
                runs=tuple(shown),
                radar=radar([r.summary.figures for r in own], headline=card.headline, scale=card.scale),
                versus=tuple(_versus(shown[0], other) for other in shown[1:]),
                ranks=ranking(own, seed=own[0].summary.settings.seed) if len({r.plan.model for r in own}) > 1 else None,
            )
        )
    return tuple(found)


def _versus(first: ShownRun, second: ShownRun) -> Versus:
    apart = difference(first.run, second.run)
    rows = () if apart else compare(first.run, second.run, seed=first.run.summary.settings.seed)
    return Versus(first=first.label, second=second.label, rows=rows, apart=apart)


def _facets(exam: ShownExam) -> tuple[str, ...]:
    return tuple(sorted({f"{k}: {v}" for r in exam.runs for s in r.run.scores for k, v in s.facets.items()}))
