"""What people made of dialogues, on a terminal: agreement with n and interval; models, where there are several."""

from rich.console import Console
from rich.table import Table

from her.evals.benchmarks.rating.agreed import Agreed
from her.stats import Estimate


def show_agreed(agreed: Agreed, console: Console) -> None:
    """Quality by quality, then models, then raters."""
    table = Table(title=f"{len(agreed.raters)} raters, {agreed.dialogues} dialogues, {agreed.ratings} ratings")
    for column in ("quality", "people", "raters agree (alpha)", "judge", "people and judge (alpha)", "rho"):
        table.add_column(column)
    for q in agreed.qualities:
        table.add_row(q.quality, *(_cell(e) for e in (q.people, q.between, q.judge, q.with_judge, q.rho)))
    console.print(table)
    if agreed.missing:
        console.print(f"{agreed.missing} ratings are missing", style="yellow")
    if unjudged := {q.quality: q.unjudged for q in agreed.qualities if q.unjudged}:
        counts = ", ".join(f"{name} {n}" for name, n in unjudged.items())
        console.print(f"rated by people and without a number of the judge: {counts}", style="yellow", highlight=False)
    for m in agreed.models:
        line = f"{m.model}: people {_cell(m.people)}, judge {_cell(m.judge)}"
        if m.above_first is not None and m.above_first.p is not None:
            line += f"; above the first {_cell(m.above_first.difference, sign=True)}, p {m.above_first.p:.3f}"
        console.print(line, highlight=False)
    for r in agreed.leniency:
        console.print(f"{r.judge}: {_cell(r.deviation, sign=True)} milder than the others", highlight=False)
    console.print("1 is perfect agreement, 0 what chance gives; no value: all ratings alike, or one rater", style="dim")


def _cell(e: Estimate, *, sign: bool = False) -> str:
    if e.value is None:
        return f"none (n={e.n})"
    form = "+.2f" if sign else ".2f"
    return f"{e.value:{form}} [{e.low:{form}}, {e.high:{form}}] (n={e.n})"
