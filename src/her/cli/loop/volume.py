"""A shelf of books worked one by one, and their files put one behind the other.

Each book is a stage of its own (`books/ID`): done once, resumed by itself, and let go of before the next is read, so
that memory does not grow with the shelf. A line or a book that comes to nothing is a counted reject.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError
from her.schema import Book
from her.stage import Outcome, Progress, RunFolder, StageKey, code_hash
from her.store import Together, canonical, lines, read_json, sha256_text, write_json, write_jsonl, write_text
from her.synthesis import Curated, Reject, Shelf, SynthConfig, SynthReport, SynthResult, summary
from her.synthesis.volumes import volumes

RECORDS = ("books.jsonl", "dialogues.jsonl", "plots.jsonl", "rejects.jsonl", "verified.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done to each book, and what it depends on besides the book."""

    settings: SynthConfig
    rooms: tuple[str, ...]
    models: Mapping[str, str]
    one: Callable[[Book | Curated, Path, Progress], Outcome]
    """Writes the files of one book into a folder. Raises InputError for a book that comes to nothing."""


def shelve(run: RunFolder, shelf: Shelf, folder: Path, *, task: Work, progress: Progress) -> Outcome:
    """Work every book of the shelf and write the files of all of them. Raises InputError where none came to
    anything."""
    total = sum(1 for _ in lines(shelf.path))
    code = code_hash(*task.rooms)
    rejects: list[Reject] = []
    made: list[Path] = []
    for done, book in enumerate(shelf.books()):
        if isinstance(book, Reject):
            rejects.append(book)
            continue
        key = StageKey(
            stage=f"books/{book.id}",
            inputs={"book": sha256_text(canonical(book.model_dump(mode="json")))},
            settings=canonical(task.settings.model_dump(mode="json")),
            code=code,
            models=dict(task.models),
        )
        run.run(key, _book(task, book, _within(progress, done, total, book.title)))
        made.append(run.root / key.stage)
    return _join(folder, made, shelf=shelf, rejects=rejects)


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


def _join(folder: Path, made: Sequence[Path], *, shelf: Shelf, rejects: Sequence[Reject]) -> Outcome:
    worked = [p for p in made if (p / "report.json").exists()]
    lost = [f"{r.stage}.{r.reason}" for r in rejects] + ["source.nothing_found"] * (len(made) - len(worked))
    if not worked:
        detail = f"{len(rejects)} bad lines, {len(made)} books without a scene"
        raise InputError(f"{shelf.path}: no book of it came to anything ({detail}); see {folder.parent / 'books'}")
    with Together() as files:
        for name in RECORDS:
            file = files.open(folder / name)
            for path in made:
                for line in _lines(path / name):
                    file.write_text(f"{line}\n")
            if name == "rejects.jsonl":
                for reject in rejects:
                    file.write(reject)
    reports = (SynthReport.model_validate(read_json(p / "report.json")) for p in worked)
    title = f"{shelf.path.name}: {len(worked)} books"
    report = volumes(list(reports), source=shelf.path.stem, title=title, rejected=lost)
    whole = SynthResult(book_id=report.source, title=title, dialogues=(), rejects=(), verified=(), report=report)
    write_json(folder / "report.json", report.model_dump(mode="json"))
    write_text(folder / "report.md", summary(whole))
    return Outcome(outputs=(*RECORDS, "report.json", "report.md"), kept=report.turns, rejected=report.rejected)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file; none where a book wrote no such file."""
    return (line.data.decode() for line in lines(path)) if path.exists() else iter(())
