"""Stage `synth`: the teacher turns a text, or a shelf of them, into two-layer dialogues."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from her.cli.loop.loop import Loop
from her.cli.loop.teaching import Teaching, teach
from her.cli.loop.volume import Work, shelve
from her.cli.loop.workers import Workers, gather
from her.errors import InputError
from her.llm import fingerprint
from her.llm.budget import Budget
from her.schema import Book, Record
from her.stage import Finished, Outcome, Progress, finished
from her.store import read_json
from her.story import load_book, story_path
from her.synthesis import Curated, Shelf, SynthConfig, SynthReport, read_source
from her.synthesis.sources.shard import Shard

ROOMS = ("schema", "renderers", "synthesis", "llm", "cli/loop/synth", "cli/loop/teaching", "cli/loop/volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the work is done, apart from what is made."""

    budget: Budget | None = None
    shard: Shard | None = None
    """Only this part of the shelf."""
    retry_dead: bool = False
    """Requests that an earlier run gave up are sent again."""
    workers: int | None = None
    """Ray's workers; None: no Ray."""


class ShardSettings(Record):
    """What a shard's own stage is made from."""

    shelf: str
    """The file's name. Rejected lines bear it."""
    shard: Shard
    synth: SynthConfig


def settings_for(name: str, synth: SynthConfig, *, seed: int) -> SynthConfig:
    """The settings as they suit a teacher: a small one is led by the hand, an endpoint extracts by itself."""
    small = name.startswith(("local:", "run:"))
    way = synth.extract or ("teacher" if name.startswith("openai:") else "rules")
    changes = {"seed": seed, "guided": small, "tell_faults": not small, "extract": way}
    return SynthConfig.model_validate({**synth.model_dump(), **changes})


def part_of(source: Book | Curated | Shelf, way: Way, *, path: Path) -> Book | Curated | Shelf:
    """The source, or the shard that is asked for. Raises InputError where one book is to be dealt out."""
    if isinstance(source, Shelf):
        return replace(source, shard=way.shard)
    if way.shard is not None:
        raise InputError(f"--shard {way.shard} is of a shelf (.jsonl, a book a line), and {path} is one book")
    if way.workers is not None:
        raise InputError(
            f"--engine ray deals the books of a shelf (.jsonl, a book a line) to workers, and {path} is one book; "
            "without it, one process keeps --concurrency calls in flight"
        )
    return source


def stage(loop: Loop, *, way: Way | None = None) -> Finished:
    """Write `dialogues.jsonl`, `books.jsonl` (the text into which every span points), `plots.jsonl`, `rejects.jsonl`,
    `verified.jsonl`, `report.json` and `report.md`. The reports are missing where a shard holds no book of use."""
    recipe, way = loop.recipe, way or Way()
    path = story_path() if recipe.source == "shipped" else Path(recipe.source)
    source = load_book() if recipe.source == "shipped" else part_of(read_source(path), way, path=path)
    name = recipe.models.teacher
    settings = settings_for(name, recipe.synth, seed=recipe.run.seed)
    models = {"teacher": fingerprint(name)}
    teaching = Teaching(teacher=name, settings=settings, retry_dead=way.retry_dead)

    def one(book: Book | Curated, folder: Path, progress: Progress) -> Outcome:
        return teach(book, folder, loop.ledger, teaching=teaching, budget=way.budget, progress=progress)

    def work(folder: Path, progress: Progress) -> Outcome:
        if not isinstance(source, Shelf):
            return one(source, folder, progress)
        with _engine(loop, way, teaching, Work(settings=settings, rooms=ROOMS, models=models, one=one)) as task:
            return shelve(loop.run, source, folder, task=task, progress=progress)

    if way.retry_dead:
        loop.board.say(f"{reopen(loop.run.root)} finished folders may owe a gap to dead letters; they are done again")
    return loop.do(
        "synth",
        f"{name} reads {path.name}" + ("" if way.shard is None else f", shard {way.shard}"),
        work,
        inputs={"source": path},
        settings=settings if way.shard is None else ShardSettings(shelf=path.name, shard=way.shard, synth=settings),
        rooms=ROOMS,
        models=models,
    )


def reopen(root: Path) -> int:
    """Forget that those books and the stage are finished in which a request was given up, so that they are done again,
    out of the ledger but for those requests; returns how many there were."""
    folders = [p.parent for p in sorted(root.glob("books/*/manifest.json")) if _gave_up(p.parent)]
    whole = root / "synth"
    if finished(whole) is not None and (folders or _gave_up(whole)):
        folders.append(whole)
    for folder in folders:
        (folder / "manifest.json").unlink()
    return len(folders)


def _gave_up(folder: Path) -> bool:
    """A book that came to nothing has no report: it may have had a dead letter."""
    report = folder / "report.json"
    return not report.exists() or SynthReport.model_validate(read_json(report)).dead_letters > 0


@contextmanager
def _engine(loop: Loop, way: Way, teaching: Teaching, task: Work) -> Iterator[Work]:
    """The work as it is done here, or by Ray's workers."""
    if way.workers is None:
        gather(loop.run.root)
        yield task
        return
    with Workers(loop.run.root, count=way.workers, teaching=teaching) as crew:
        yield replace(task, one=crew.one, at_once=way.workers, stop=crew.stop)
