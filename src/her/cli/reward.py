"""`her reward`: principle packs, and what a judge is worth."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from her.cli import principles
from her.cli.reward_serve import serve

if TYPE_CHECKING:
    from her.reward.measure import JudgeReport
    from her.schema import Preference
    from her.stats import Estimate

app = typer.Typer(no_args_is_help=True, help="Principles, judges and what they are worth.")
app.add_typer(principles.app, name="principles")
app.command()(serve)


@app.command()
def bench(
    judge: Annotated[
        list[str],
        typer.Option(help="MODEL, label:MODEL, pmi:MODEL, blend:FILE or control:longer-reply; repeat it to compare."),
    ],
    pairs: Annotated[str, typer.Option(help="A JSONL file of labelled pairs, or `shipped`.")] = "shipped",
    pack: Annotated[Path | None, typer.Option(help="A principle pack; without one, the shipped pack.")] = None,
    part: Annotated[str, typer.Option(help="all, train, choose or test: the seeded parts by scene.")] = "all",
    seed: Annotated[int, typer.Option(help="Seed of the parts and the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON lines.")] = False,
) -> None:
    """Measure judges on labelled pairs, both orders: accuracy, consistency, unread, taste for length."""
    from her.reward.measure import measure
    from her.reward.names import open_judge
    from her.reward.pack import load_pack

    chosen = _pairs(pairs, part=part, seed=seed)
    loaded = load_pack(pack)
    judges = [open_judge(name, loaded) for name in judge]

    async def run() -> "list[JudgeReport]":
        return [await measure(one, chosen, seed=seed) for one in judges]

    reports = asyncio.run(run())
    if as_json:
        for report in reports:
            typer.echo(report.model_dump_json())
    else:
        _print(reports)


def _pairs(pairs: str, *, part: str, seed: int) -> "tuple[Preference, ...]":
    from her.errors import InputError
    from her.reward.parts import parts
    from her.schema import Preference
    from her.store import read_jsonl, read_text
    from her.story import load_pairs

    if pairs == "shipped":
        found = load_pairs()
    else:
        read_text(Path(pairs))  # a missing, empty or binary file is the user's, not a stage's
        found = read_jsonl(Path(pairs), Preference)
    if not found:
        raise InputError(f"{pairs} holds no labelled pairs; give a file with one Preference a line")
    if part == "all":
        return tuple(found)
    dealt = parts(found, seed=seed)
    if part not in ("train", "choose", "test"):
        raise InputError(f"no such part: {part!r}; one of all, train, choose, test")
    picked: tuple[Preference, ...] = getattr(dealt, part)
    return picked


def _print(reports: "list[JudgeReport]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{reports[0].pairs} labelled pairs, each asked in both orders; 95% intervals")
    table.add_column("")
    rows: list[tuple[str, list[str]]] = [
        ("accuracy", [_text(r.accuracy) for r in reports]),
        ("asked once", [_text(r.one_order) for r in reports]),
        ("same winner in both orders", [_consistency(r) for r in reports]),
        ("won by whoever stood first", [_text(r.first_place) for r in reports]),
        ("ties", [_text(r.ties) for r in reports]),
        ("unread", [_text(r.unread) for r in reports]),
        *(
            (
                f"longer {bias.layer} wins (labels: {_short(bias.labelled)})",
                [_text(r.lengths[i].judged) for r in reports],
            )
            for i, bias in enumerate(reports[0].lengths)
        ),
    ]
    for report in reports:
        table.add_column(report.judge, overflow="fold")
    for name, cells in rows:
        table.add_row(name, *cells)
    names = sorted({p.principle for r in reports for p in r.principles})
    table.add_section()
    for name in names:
        found = [next((p.accuracy for p in r.principles if p.principle == name), None) for r in reports]
        table.add_row(
            f"  {name}", *("-" if e is None or e.value is None else f"{e.value:.2f} (n={e.n})" for e in found)
        )
    Console().print(table)


def _text(estimate: "Estimate") -> str:
    if estimate.value is None:
        return "no data"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}] n={estimate.n}"


def _short(estimate: "Estimate") -> str:
    return "no data" if estimate.value is None else f"{estimate.value:.2f}"


def _consistency(report: "JudgeReport") -> str:
    return _text(report.swap_consistency) if report.positional else "1 by construction"
