"""Table: the figures of runs as rows for other programs, CSV or JSON: one row a number, nothing averaged away.

Owns the columns and their meaning (docs/exams.md has them too). Figures, controls and what is said of judges are rows
of different `kind`, so that a control has an interval as well as a score.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from her.evals.benchmarks.condition import best_guess, conditions, departures
from her.evals.benchmarks.run import ExamRun
from her.schema import Record
from her.stats import Estimate
from her.store import canonical, write_json, write_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run by spreadsheets; names and reasons come from models and strangers' files."""


class Row(Record):
    """One number of one run."""

    run: str
    """The run's folder, its last part."""
    benchmark: str
    model: str
    judges: tuple[str, ...]
    conditions: dict[str, str]
    """Profile, options, thoughts, seed, data: everything else that could make another number."""
    departures: tuple[str, ...]
    """In what the run is less than, or other than, its profile's protocol."""
    kind: Literal["figure", "control", "alpha", "leniency"]
    metric: str
    """Of a control, its name."""
    group: str
    """`order: 2`; empty for all items; of a leniency, the judge."""
    headline: bool
    value: float | None
    """None: no data. Never a number in place of something unread."""
    low: float | None
    high: float | None
    """The 95% interval, by resampling clusters."""
    n: int
    """What `value` is about: marks with a number, of a leniency the plays that others rated too."""
    unscored: int
    reasons: dict[str, int]
    """Why they are unscored; adds up to `unscored`."""
    marked: bool
    """More than 5% of the run's marks are unscored."""
    guesser: str
    guesser_value: float | None
    """Beside the headline: the blind guesser that earns most on the same items."""


def rows(runs: Sequence[ExamRun]) -> tuple[Row, ...]:
    """All rows of all runs, in order."""
    return tuple(row for run in runs for row in _rows(run))


def write_csv(table: Sequence[Row], path: Path) -> None:
    """Comma-separated values with one header line; what is not known is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row.model_fields)
    for row in table:
        writer.writerow([_cell(value) for value in row.model_dump(mode="json").values()])
    write_text(path, out.getvalue())


def write_rows_json(table: Sequence[Row], path: Path) -> None:
    """A list of objects."""
    write_json(path, [row.model_dump(mode="json") for row in table])


def _rows(run: ExamRun) -> Iterator[Row]:
    summary = run.summary
    guess = best_guess(run)

    def row(kind: str, metric: str, group: str, estimate: Estimate, **changes: object) -> Row:
        about = {
            "run": run.root.name,
            "benchmark": summary.benchmark,
            "model": summary.model,
            "judges": summary.judges,
            "conditions": {k: v for k, v in conditions(run).items() if k not in ("model", "judge", "judges")},
            "departures": departures(run),
            "kind": kind,
            "metric": metric,
            "group": group,
            "headline": False,
            "unscored": 0,
            "reasons": {},
            "marked": summary.marked,
            "guesser": "",
            "guesser_value": None,
        }
        return Row.model_validate(about | estimate.model_dump() | changes)

    for f in summary.figures:
        main = (f.metric, f.group) == (summary.headline, "")
        beside = {"guesser": guess[0], "guesser_value": guess[1]} if main and guess is not None else {}
        counted = {"headline": main, "unscored": f.unscored, "reasons": f.reasons}
        yield row("figure", f.metric, f.group, f.estimate, **counted, **beside)
    for c in summary.controls:
        yield row("control", c.name, "", c.estimate)
    for a in summary.agreement:
        yield row("alpha", a.metric, "", a.alpha)
        for judge in a.leniency:
            unread = {"unscored": judge.unread, "reasons": {"unread": judge.unread} if judge.unread else {}}
            yield row("leniency", a.metric, judge.judge, judge.deviation, **unread)


def _cell(value: object) -> str:
    """As text; lists and objects as JSON."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return canonical(value) if isinstance(value, list | dict | bool) else repr(value)
