"""`her eval`: the field's benchmarks, held so that the number can be trusted. Each benchmark is a command."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from her.cli import rate
from her.cli.exams.soul import soul

if TYPE_CHECKING:
    from her.evals.benchmarks.run import ExamRun

app = typer.Typer(no_args_is_help=True, help="Examine a model by the field's benchmarks; compare and gate the runs.")

app.add_typer(rate.app, name="rate")
app.command()(soul)

BENCHMARKS = ("coser", "dynsess", "fantom", "hitom", "lifechoice", "minimax", "twinvoice", "twinvoice_gen", "userllm")
"""As in the registry, which a law test compares: naming them here keeps `her --help` light."""
Runs = Annotated[list[Path], typer.Argument(help="Run folders.")]


@app.command("list")
def list_() -> None:
    """Every benchmark: what it measures, its headline, who scores it, under what licence its data are."""
    from rich.console import Console
    from rich.table import Table

    from her.evals.benchmarks import benchmark, names

    table = Table()
    for column in ("name", "family", "headline", "scored by", "licence of the data", "measures"):
        table.add_column(column)
    for card in (benchmark(n).card for n in names()):
        licences = ", ".join(dict.fromkeys(s.licence for s in card.sources))
        scored = "judges" if card.judged else "code"
        table.add_row(card.name, card.family, card.headline, scored, licences, card.measures)
    Console().print(table)


@app.command()
def describe(name: Annotated[str, typer.Argument(help="A benchmark.")]) -> None:
    """A benchmark's card: its profiles and what differs between them, its options, its published numbers."""
    from rich.console import Console

    from her.cli.exams.show import show_card
    from her.evals.benchmarks import benchmark

    show_card(benchmark(name).card, Console())


@app.command()
def rescore(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    judge: Annotated[str | None, typer.Option(help="Other judges, by commas; needs --out.")] = None,
    thoughts: Annotated[str | None, typer.Option(help="hidden or shown: what judges see; needs --out.")] = None,
    profile: Annotated[str | None, typer.Option(help="Another profile's scoring; needs --out.")] = None,
    trained_on: Annotated[Path | None, typer.Option(help="Titles that were trained on; see `her eval BENCH`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Another run folder; without it, the same is scored again.")] = None,
    likelihood: Annotated[bool, typer.Option("--likelihood", help="Measure how likely the references are.")] = False,
    connections: Annotated[int, typer.Option(min=1, help="Plays judged at once.")] = 16,
) -> None:
    """Score a run again, without playing it again: with today's code, other judges, or thoughts shown."""
    import shutil

    from rich.console import Console

    from her.cli.exams.show import show_summary
    from her.cli.exams.sit import Desk, check_judges, judge_and_score
    from her.cli.loop.board import Board
    from her.errors import ConfigError
    from her.evals.benchmarks.run import read_played, read_run
    from her.llm import Ledger
    from her.stage import RunFolder

    changed = [n for n, v in (("--judge", judge), ("--thoughts", thoughts), ("--profile", profile)) if v is not None]
    if changed and out is None:
        raise ConfigError(f"{changed[0]} would replace what {run} says; give --out for the other result")
    played = read_played(run)
    if judge is None or thoughts is None:
        before = read_run(run).summary
        settings, judges = before.settings, before.judges
    else:
        settings, judges = played.plan.settings, ()
    changes = {k: v for k, v in (("thoughts", thoughts), ("profile", profile)) if v is not None}
    card = played.benchmark.card
    settings = card.settle(settings.model_validate({**settings.model_dump(), **changes}))
    judges = judges if judge is None else _names(judge)
    check_judges(played.benchmark, judges)
    root = out or run
    board = Board(Console())
    with RunFolder(root) as folder, Ledger(root / "ledger.sqlite") as ledger:
        if out is not None and not (root / "play").exists():
            shutil.copytree(run / "play", root / "play", ignore=shutil.ignore_patterns("log"))
        desk = Desk(run=folder, ledger=ledger, board=board, connections=connections, budget_usd=None)
        titles = None if trained_on is None else str(trained_on)
        summary = judge_and_score(desk, judges, settings, trained_on=titles, likelihood=likelihood)
    show_summary(summary, board.console)
    board.say(f"run: {root}")


@app.command()
def compare(
    runs: Runs,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Paired differences of every later run to the first: interval, p-value, and what so few items can see."""
    from rich.console import Console

    from her.cli.exams.show import show_compared
    from her.errors import InputError
    from her.evals.benchmarks.compare import compare as compared

    if len(runs) < 2:
        raise InputError("comparing takes at least two runs; name another")
    first, *others = _read(runs)
    for other in others:
        rows = compared(first, other, seed=seed)
        if as_json:
            for row in rows:
                typer.echo(row.model_dump_json())
        else:
            show_compared(rows, Console())


@app.command()
def gate(
    base: Annotated[list[Path], typer.Option(help="Runs before training; repeat it.")],
    new: Annotated[list[Path], typer.Option(help="Runs after it, of the same benchmarks.")],
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
) -> None:
    """Fail (exit code 1) where a social skill dropped by more than its interval."""
    from rich.console import Console

    from her.cli.exams.show import show_gated
    from her.evals.benchmarks.compare import gate as gated

    rows = gated(_read(base), _read(new), seed=seed)
    show_gated(rows, Console())
    if any(row.failed for row in rows):
        raise typer.Exit(1)


@app.command()
def ranks(
    runs: Runs,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Does the order of models stay under other judges, rounds, thoughts and lengths? Runs of one benchmark."""
    from rich.console import Console

    from her.cli.exams.show import show_ranks
    from her.evals.benchmarks.ranking import ranking

    found = ranking(_read(runs), seed=seed)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        show_ranks(found, Console())


@app.command()
def report(
    runs: Runs,
    html: Annotated[Path, typer.Option(help="The page to write.")] = Path("exams.html"),
    csv: Annotated[Path | None, typer.Option(help="Also the figures, one a row, comma-separated.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Also the figures as a JSON list.")] = None,
) -> None:
    """One page about runs, without network: figures, controls, and every reply."""
    from her.evals.benchmarks.sheet import write_sheet
    from her.evals.benchmarks.table import rows, write_csv, write_rows_json

    read = _read(runs)
    write_sheet(read, html)
    typer.echo(f"report: {html}")
    if csv is not None:
        write_csv(rows(read), csv)
        typer.echo(f"figures: {csv}")
    if as_json is not None:
        write_rows_json(rows(read), as_json)
        typer.echo(f"figures: {as_json}")


@app.command("all")
def all_(
    recipe: Annotated[Path, typer.Argument(help="Which benchmarks, and how much of each.")] = Path(
        "recipes/exams.toml"
    ),
    model: Annotated[str | None, typer.Option(help="Another examined model than the recipe's.")] = None,
    judge: Annotated[str | None, typer.Option(help="Other judges, by commas.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the runs; default: runs/NAME.")] = None,
) -> None:
    """Every benchmark, as a recipe says, and one page about all. Run it again to go on where it stopped."""
    from rich.console import Console

    from her.cli.exams.together import hold_together, load_together, report_together
    from her.cli.loop.board import Board

    asked = load_together(recipe)
    changes = {k: v for k, v in (("model", model), ("judges", _names(judge))) if v}
    root = out or Path("runs") / asked.name
    board = Board(Console())
    held = hold_together(asked.model_copy(update=changes), root, board)
    board.say(f"report: {report_together(held, root, board)}")
    if any(h.failed for h in held):
        raise typer.Exit(1)


def _sit(name: str) -> Callable[..., None]:
    """The command of one benchmark."""

    def command(
        model: Annotated[str | None, typer.Option(help="The examined model.")] = None,
        judge: Annotated[str | None, typer.Option(help="One judge, or several by commas.")] = None,
        user: Annotated[str | None, typer.Option(help="The model of every other part; default: the examined.")] = None,
        part: Annotated[list[str] | None, typer.Option(help="environment=MODEL and the like; repeat it.")] = None,
        data: Annotated[str | None, typer.Option(help="The benchmark's file, or `hub`; default: our mini-set.")] = None,
        limit: Annotated[int | None, typer.Option(min=1, help="At most so many items, spread by seed.")] = None,
        repeats: Annotated[int, typer.Option(min=1, help="Plays of every item.")] = 1,
        profile: Annotated[str, typer.Option(help="fixed, upstream, or another that `describe` lists.")] = "fixed",
        option: Annotated[
            list[str] | None, typer.Option("--set", help="NAME=VALUE of the benchmark's options; repeat it.")
        ] = None,
        thoughts: Annotated[str, typer.Option(help="hidden or shown: role thinking before the judge.")] = "hidden",
        system_thinking: Annotated[str, typer.Option(help="on or off: is a plan asked for?")] = "on",
        trained_on: Annotated[
            Path | None, typer.Option(help="Titles that the model was trained on: one a line, or JSON Lines.")
        ] = None,
        likelihood: Annotated[
            bool, typer.Option("--likelihood", help="Also measure how likely the model finds the references.")
        ] = False,
        out: Annotated[Path | None, typer.Option(help="The run's folder; default: runs/BENCH-HASH.")] = None,
        seed: Annotated[int, typer.Option(help="Seed of draws, samples and intervals.")] = 0,
        connections: Annotated[int, typer.Option(min=1, help="Items at work at once.")] = 16,
        budget_usd: Annotated[float | None, typer.Option(min=0, help="Stop before more than this is spent.")] = None,
        recorded: Annotated[
            Path | None, typer.Option(help="Score a judgement file in the benchmark's own format; no model is asked.")
        ] = None,
        test_set: Annotated[Path | None, typer.Option(help="With --recorded: the references it is about.")] = None,
        calibrate: Annotated[
            Path | None, typer.Option(help="Judge the plays that the benchmark's authors released.")
        ] = None,
    ) -> None:
        from rich.console import Console

        from her.cli.exams.show import show_summary
        from her.cli.exams.sit import RELEASED, Sitting, sit
        from her.cli.exams.sit import calibrate as calibrated
        from her.cli.loop.board import Board
        from her.errors import ConfigError
        from her.evals.benchmarks import Settings, benchmark
        from her.store import canonical, sha256_text

        if recorded is None and calibrate is None and model is None:
            raise ConfigError("nobody to examine; name a model with --model")
        parts: dict[str, str] = {} if user is None else {str(p): user for p in benchmark(name).card.parts}
        parts.update(_pair(p, "--part") for p in part or ())
        settings = {
            "profile": profile,
            "options": dict(_pair(o, "--set") for o in option or ()),
            "thoughts": _choice(thoughts, "--thoughts", ("hidden", "shown")),
            "system_thinking": _choice(system_thinking, "--system-thinking", ("on", "off")) == "on",
            "repeats": repeats,
            "limit": limit,
            "seed": seed,
        }
        uses = benchmark(name).card.uses
        for option_name, given, usual in (("thoughts", thoughts, "hidden"), ("system_thinking", system_thinking, "on")):
            if given != usual and option_name not in uses:
                raise ConfigError(f"--{option_name.replace('_', '-')} changes nothing in {name}; leave it out")
        if recorded is not None:
            bench = benchmark(name)
            settled = bench.card.settle(Settings.model_validate(settings))
            typer.echo(bench.recorded(recorded, test_set, settled).model_dump_json(indent=2))
            return
        asked = Sitting(
            benchmark=name,
            settings=Settings.model_validate(settings),
            model=model if model is not None else RELEASED,
            parts=parts,
            judges=_names(judge),
            data=data if calibrate is None else str(calibrate),
            trained_on=None if trained_on is None else str(trained_on),
            connections=connections,
            budget_usd=budget_usd,
            likelihood=likelihood,
        )
        named = sha256_text(
            canonical(asked.model_dump(mode="json", exclude={"connections", "budget_usd", "likelihood"}))
        )[:8]
        root = out or Path("runs") / f"{name}-{named}"
        board = Board(Console())
        summary = sit(asked, root, board) if calibrate is None else calibrated(asked, calibrate, root, board)
        show_summary(summary, board.console)
        board.say(f"run: {root}")

    command.__doc__ = f"Hold the benchmark {name}. Run it again to go on where it stopped."
    return command


for _name in BENCHMARKS:
    app.command(_name)(_sit(_name))


def _read(roots: list[Path]) -> "list[ExamRun]":
    from her.evals.benchmarks.run import read_run

    return [read_run(r) for r in roots]


def _names(text: str | None) -> tuple[str, ...]:
    """Models by commas. A comma inside an endpoint's list of URLs stays: what follows it is no model's name."""
    found: list[str] = []
    for piece in (text or "").split(","):
        if found and piece.strip().startswith(("http://", "https://")):
            found[-1] += f",{piece.strip()}"
        elif piece.strip():
            found.append(piece.strip())
    return tuple(found)


def _pair(text: str, option: str) -> tuple[str, str]:
    from her.errors import ConfigError

    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise ConfigError(f"{option} takes NAME=VALUE, not {text!r}")
    return name, value


def _choice(value: str, option: str, choices: tuple[str, ...]) -> str:
    from her.errors import ConfigError

    if value not in choices:
        raise ConfigError(f"{option} is {' or '.join(choices)}, not {value!r}")
    return value
