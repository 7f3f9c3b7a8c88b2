"""`her eval soul`: SOUL's tasks one after the other, a run folder each, and one table of its parts and their mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from her.evals.benchmarks.soul import Bundle


def soul(
    model: Annotated[str, typer.Option(help="The examined model.")],
    judge: Annotated[
        str | None, typer.Option(help="Judge of the tasks that need one; without it they are not held, which is told.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="The model of every other part; default: the examined.")] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="BENCHMARK=PATH or BENCHMARK=hub; repeat it. Default: our mini-sets.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many items a task; SOUL's table has 100.")] = 100,
    profile: Annotated[
        str, typer.Option(help="fixed, or soul: as SOUL asks and grades, where that is known.")
    ] = "fixed",
    out: Annotated[Path, typer.Option(help="A folder for the runs, one for each task.")] = Path("runs/soul"),
    seed: Annotated[int, typer.Option(help="Seed of draws, samples and intervals.")] = 0,
    connections: Annotated[int, typer.Option(min=1, help="Items at work at once.")] = 16,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Stop before a task spends more than this.")] = None,
) -> None:
    """Hold SOUL's tasks, as many as are here, under one name. Run it again to go on where it stopped."""
    from rich.console import Console

    from her.cli.exams.sit import Sitting, sit
    from her.cli.loop.board import Board
    from her.errors import ConfigError
    from her.evals.benchmarks import Settings, benchmark, names
    from her.evals.benchmarks.soul import TASKS, NotHeld, Part, bundle, part_of, profile_of
    from her.store import write_json

    given = dict(_named(d) for d in data or ())
    held = {t.benchmark for t in TASKS if t.benchmark in names()}
    if strange := sorted(given.keys() - held):
        raise ConfigError(f"soul has no task {strange[0]!r}; --data is for: {', '.join(sorted(filter(None, held)))}")
    if profile not in ("fixed", "soul"):
        raise ConfigError(f"--profile is fixed or soul, not {profile!r}")
    board = Board(Console())
    parts: list[Part] = []
    not_held: list[NotHeld] = []
    for task in TASKS:
        if task.benchmark is None or task.benchmark not in names():
            not_held.append(NotHeld(task=task.name, reason="no benchmark of this package"))
            continue
        card = benchmark(task.benchmark).card
        if card.judged and judge is None:
            not_held.append(NotHeld(task=task.name, reason="scored by a judge; name one with --judge"))
            continue
        settings = {"profile": profile_of(card, profile), "limit": limit, "seed": seed}
        asked = Sitting(
            benchmark=task.benchmark,
            settings=Settings.model_validate(settings),
            model=model,
            parts={} if user is None else {str(p): user for p in card.parts},
            judges=(judge,) if card.judged and judge is not None else (),
            data=given.get(task.benchmark),
            trained_on=None,
            connections=connections,
            budget_usd=budget_usd,
        )
        board.say(f"{task.name}:")
        parts.append(part_of(task, card, sit(asked, out / task.benchmark, board)))
    found = bundle(model, parts, not_held)
    write_json(out / "soul.json", found.model_dump(mode="json"))
    show_bundle(found, board.console)
    board.say(f"runs: {out}")


def show_bundle(found: "Bundle", console: "Console") -> None:
    """Every part with its n, the mean below them, and what was not held, by reason."""
    from rich.table import Table

    table = Table(title=f"soul · {found.model}")
    for column in ("task", "held as", "share of 1", "95% interval", "n", "unscored"):
        table.add_column(column)
    for p in found.parts:
        share = ("no data", "-")
        if p.share.value is not None:
            share = (f"{p.share.value:.3f}", f"{p.share.low:.3f} to {p.share.high:.3f}")
        unscored = f"{p.unscored}{', above 5%' if p.marked else ''}"
        table.add_row(p.task, f"{p.metric}; {p.profile}, {p.data}", *share, str(p.estimate.n), unscored)
    console.print(table)
    mean = found.mean
    if mean.value is None:
        console.print("no mean: a part has no number, or none was held", highlight=False)
    else:
        line = (
            f"mean of these {mean.n} parts: {mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]; SOUL's own is over ten"
        )
        console.print(line, markup=False, highlight=False)
    if doubted := [p.task for p in found.parts if p.marked]:
        line = f"more than 5% unscored: {', '.join(doubted)}; what is missing there may not be like what is in the mean"
        console.print(line, style="yellow", highlight=False)
    for reason in dict.fromkeys(n.reason for n in found.not_held):
        tasks = ", ".join(n.task for n in found.not_held if n.reason == reason)
        console.print(f"not held: {tasks} ({reason})", markup=False, highlight=False)


def _named(text: str) -> tuple[str, str]:
    from her.errors import ConfigError

    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise ConfigError(f"--data takes BENCHMARK=PATH or BENCHMARK=hub, not {text!r}")
    return name, path
