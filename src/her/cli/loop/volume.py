"""A shelf of books worked book by book, and their files put one behind the other.

Each book is a stage of its own (`books/ID`): done once, resumed by itself, and let go of before another is read, so
that memory does not grow with the shelf. A line or a book that comes to nothing is a counted reject. A shard writes
`deal.jsonl` as well: where on the shelf each of its lines stood, which is all that is needed to put shards together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from her.errors import InputError
from her.schema import Book, Record
from her.stage import Outcome, Progress, RunFolder, StageKey, code_hash
from her.store import Together, canonical, lines, read_json, sha256_text, write_json, write_jsonl, write_text
from her.synthesis import Curated, Reject, Shelf, SynthConfig, SynthReport, SynthResult, summary
from her.synthesis.volumes import volumes

RECORDS = ("books.jsonl", "dialogues.jsonl", "plots.jsonl", "rejects.jsonl", "verified.jsonl")
DEAL = "deal.jsonl"


class Dealt(Record):
    """A line of a shelf that somebody worked."""

    line: int
    """Its number on the shelf, from 1."""
    book: str | None
    """The book's id; None where the line holds none."""
    reject: Reject | None
    """Why it holds none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done to each book, and what it depends on besides the book."""

    settings: SynthConfig
    rooms: tuple[str, ...]
    models: Mapping[str, str]
    one: Callable[[Book | Curated, Path, Progress], Outcome]
    """Writes the files of one book into a folder. Raises InputError for a book that comes to nothing."""
    at_once: int = 1
    """Books under way at a time; `one` is called from so many threads."""
    stop: Callable[[], None] | None = None
    """Called after the first error of several books at a time: what is under way need not be finished."""


def shelve(run: RunFolder, shelf: Shelf, folder: Path, *, task: Work, progress: Progress) -> Outcome:
    """Work every book of the shelf, or of its shard, and write the files of all of them. Raises InputError where a
    whole shelf comes to nothing; a shard may."""
    total = sum(1 for _ in lines(shelf.path))
    code = code_hash(*task.rooms)
    deal: list[Dealt] = []

    def jobs() -> Iterator[Callable[[], object]]:
        for place in shelf.places():
            if isinstance(place.found, Reject):
                deal.append(Dealt(line=place.number, book=None, reject=place.found))
                continue
            book = place.found
            deal.append(Dealt(line=place.number, book=book.id, reject=None))
            key = StageKey(
                stage=f"books/{book.id}",
                inputs={"book": sha256_text(canonical(book.model_dump(mode="json")))},
                settings=canonical(task.settings.model_dump(mode="json")),
                code=code,
                models=dict(task.models),
            )
            told = _within(progress, place.number - 1, total, book.title)
            yield partial(run.run, key, _book(task, book, told))

    _do(jobs(), at_once=task.at_once, stop=task.stop)
    outcome = bind(run.root / "books", folder, deal, shelf=shelf.path.name, part=shelf.shard is not None)
    if shelf.shard is None:
        return outcome
    write_jsonl(folder / DEAL, deal)
    return outcome.model_copy(update={"outputs": (*outcome.outputs, DEAL)})


def bind(books: Path, folder: Path, deal: Iterable[Dealt], *, shelf: str, part: bool = False) -> Outcome:
    """Put the files of worked books one behind the other, in the order of the deal, and sum their reports. Raises
    InputError where none came to anything, unless this is only a part of the shelf."""
    rows = list(deal)
    made = [books / row.book for row in rows if row.book is not None]
    rejects = [row.reject for row in rows if row.reject is not None]
    worked = [p for p in made if (p / "report.json").exists()]
    lost = [f"{r.stage}.{r.reason}" for r in rejects] + ["source.nothing_found"] * (len(made) - len(worked))
    if not worked and not part:
        detail = f"{len(rejects)} bad lines, {len(made)} books without a scene"
        raise InputError(f"{shelf}: no book of it came to anything ({detail}); see {books}")
    with Together() as files:
        for name in RECORDS:
            file = files.open(folder / name)
            for path in made:
                for line in _lines(path / name):
                    file.write_text(f"{line}\n")
            if name == "rejects.jsonl":
                for reject in rejects:
                    file.write(reject)
    if not worked:
        counts = {name: lost.count(name) for name in sorted(set(lost))}
        return Outcome(outputs=RECORDS, kept=0, rejected=counts)
    reports = (SynthReport.model_validate(read_json(p / "report.json")) for p in worked)
    title = f"{shelf}: {len(worked)} books"
    report = volumes(list(reports), source=Path(shelf).stem, title=title, rejected=lost)
    whole = SynthResult(book_id=report.source, title=title, dialogues=(), rejects=(), verified=(), report=report)
    write_json(folder / "report.json", report.model_dump(mode="json"))
    write_text(folder / "report.md", summary(whole))
    return Outcome(outputs=(*RECORDS, "report.json", "report.md"), kept=report.turns, rejected=report.rejected)


def _do(jobs: Iterator[Callable[[], object]], *, at_once: int, stop: Callable[[], None] | None) -> None:
    """Do all jobs, and take the next book from the shelf only when there is room for it."""
    if at_once == 1:
        for job in jobs:
            job()
        return
    with ThreadPoolExecutor(at_once, thread_name_prefix="book") as pool:
        running: set[Future[object]] = set()
        try:
            for job in jobs:
                running.add(pool.submit(job))
                if len(running) == at_once:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
            for future in as_completed(running):
                future.result()
        except BaseException:
            if stop is not None:
                stop()
            raise


def _within(progress: Progress, books: int, total: int, title: str) -> Progress:
    """Progress inside one book, told as progress of the shelf."""
    return lambda done, of, note: progress(books, total, f"{title}: {done}/{of} {note}")


def _book(task: Work, book: Book, progress: Progress) -> Callable[[Path], Outcome]:
    def work(folder: Path) -> Outcome:
        try:
            return task.one(book, folder, progress)
        except InputError as e:
            reject = Reject(stage="source", item_id=book.id, reason="nothing_found", detail=str(e)[:200])
            write_jsonl(folder / "rejects.jsonl", [reject])
            return Outcome(outputs=("rejects.jsonl",), kept=0, rejected={"source.nothing_found": 1})

    return work


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file; none where a book wrote no such file."""
    return (line.data.decode() for line in lines(path)) if path.exists() else iter(())
