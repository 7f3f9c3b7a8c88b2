"""A plain page about exam runs: what `her eval report` writes. It shows; it counts nothing."""

from collections.abc import Sequence
from pathlib import Path

from her.errors import InputError
from her.evals.benchmarks.run import ExamRun
from her.evals.page import render_page
from her.store import write_text


def write_sheet(runs: Sequence[ExamRun], path: Path) -> None:
    """Write the page, whole or not at all."""
    if not runs:
        raise InputError("a report needs a run; name one or more")
    html = render_page(
        "benchmarks/sheet.html.j2",
        title="Exams",
        contents=tuple((f"run{n}", r.label()) for n, r in enumerate(runs)),
        plots={},
        runs=runs,
        plays={f"{r.root}{p.item_id}#{p.repeat}": p for r in runs for p in r.plays},
    )
    write_text(path, html)
