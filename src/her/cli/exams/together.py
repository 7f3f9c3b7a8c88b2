"""Every benchmark after the other, as a recipe says, and one page about all of them.

Owns the recipe: which model, which judges, and for each benchmark how much of it. A benchmark that the recipe does not
name is an error, and one that it leaves out needs a reason, so nothing is skipped in silence.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from her.cli.exams.show import headline
from her.cli.exams.sit import Sitting, sit
from her.cli.loop.board import Board
from her.config import load_toml
from her.errors import ConfigError, HerError
from her.evals.benchmarks import Settings, benchmark, names
from her.evals.benchmarks.condition import best_guess, departures
from her.evals.benchmarks.run import ExamRun, read_run
from her.evals.benchmarks.sheet import write_sheet
from her.schema import Record

PAGE = "report.html"


class Entry(Record):
    """How one benchmark is held. What is left out is as in its protocol."""

    limit: int | None = Field(default=None, ge=1)
    """At most so many items; None: all."""
    options: dict[str, str] = Field(default_factory=dict)
    """The benchmark's own, as `--set`."""
    profile: str = "fixed"
    repeats: int = Field(default=1, ge=1)
    skip: str | None = None
    """Why it is not held. None: it is."""


class Together(Record):
    """A recipe of exams."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """The runs are in `runs/NAME`, a folder each."""
    model: str
    judges: tuple[str, ...]
    user: str | None = None
    """Whoever plays along; None: the examined model itself."""
    seed: int = 0
    connections: int = Field(default=16, ge=1)
    exams: dict[str, Entry]
    """By benchmark, in the order in which they are held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What came of one benchmark."""

    name: str
    seconds: float
    run: ExamRun | None
    said: str
    """Why there is no run; empty where there is one."""
    failed: bool


def load_together(path: Path) -> Together:
    """Read a recipe. It has to say something of every benchmark there is, and of nothing else."""
    recipe = load_toml(path, Together)
    if strange := sorted(recipe.exams.keys() - set(names())):
        raise ConfigError(f"{path}: no benchmark is called {strange[0]!r}; there are: {', '.join(names())}")
    if missing := sorted(set(names()) - recipe.exams.keys()):
        raise ConfigError(f"{path} says nothing of {missing[0]}; add [exams.{missing[0]}], or `skip` with the reason")
    for name, entry in recipe.exams.items():
        benchmark(name).card.settle(Settings(profile=entry.profile, options=entry.options))
    return recipe


def hold_together(recipe: Together, root: Path, board: Board) -> tuple[Held, ...]:
    """Hold all of them. One that fails does not keep the others from being held."""
    found = []
    for number, (name, entry) in enumerate(recipe.exams.items(), start=1):
        board.say(f"[{number}/{len(recipe.exams)}] {benchmark(name).card.title}")
        started = time.monotonic()
        run, said, failed = None, "", False
        if entry.skip is not None:
            said = f"left out: {entry.skip}"
        else:
            try:
                sit(_sitting(recipe, name, entry), root / name, board)
                run = read_run(root / name)
            except HerError as e:
                said, failed = str(e), True
                board.say(f"{name} failed: {e}")
        found.append(Held(name=name, seconds=time.monotonic() - started, run=run, said=said, failed=failed))
    return tuple(found)


def report_together(held: tuple[Held, ...], root: Path, board: Board) -> Path:
    """The page about everything that was held, and the headlines on the terminal."""
    runs = [h.run for h in held if h.run is not None]
    if not runs:
        raise ConfigError(f"no benchmark was held: {'; '.join(f'{h.name}: {h.said}' for h in held)}")
    page = root / PAGE
    write_sheet(runs, page)
    board.console.print(f"\n{runs[0].plan.model}: headlines, each with what was not read and what it leaves out\n")
    for h in held:
        board.console.print(_told(h), markup=False)
    return page


def _told(held: Held) -> str:
    """One benchmark in three lines: its headline, what stands beside it, what was cut."""
    if held.run is None:
        return f"{held.name}: {held.said}"
    summary = held.run.summary
    figure = headline(summary)
    e = None if figure is None else figure.estimate
    value = "no data (n=0)" if e is None or e.value is None else f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}] (n={e.n})"
    guess = best_guess(held.run)
    beside = [f"{summary.unscored} of {summary.marks} marks unscored", f"{held.seconds:.0f} s"]
    if guess is not None:
        beside.insert(0, f"best guesser: {guess[0]}, {guess[1]:.3f}")
    return (
        f"{held.name}: {summary.headline} {value}\n    {'; '.join(beside)}\n    cut: {'; '.join(departures(held.run))}"
    )


def _sitting(recipe: Together, name: str, entry: Entry) -> Sitting:
    card = benchmark(name).card
    return Sitting(
        benchmark=name,
        settings=Settings(
            profile=entry.profile,
            options=entry.options,
            repeats=entry.repeats,
            limit=entry.limit,
            seed=recipe.seed,
        ),
        model=recipe.model,
        parts={} if recipe.user is None else {str(part): recipe.user for part in card.parts},
        judges=recipe.judges if card.judged else (),
        data=None,
        trained_on=None,
        connections=recipe.connections,
        budget_usd=None,
    )
