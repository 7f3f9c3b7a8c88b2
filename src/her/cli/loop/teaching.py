"""Teaching: one book through all of synthesis, and its files.

A function of values, so that any process can do it: the one that was started, or a worker somewhere else.
"""

import asyncio
from pathlib import Path

from her.llm import Ledger, open_model
from her.llm.budget import Budget
from her.schema import Book, Record
from her.stage import Outcome, Progress
from her.store import write_json, write_jsonl, write_text
from her.synthesis import Curated, SynthConfig, SynthResult, summary, synthesize


class Teaching(Record):
    """What a book is worked with."""

    teacher: str
    settings: SynthConfig
    retry_dead: bool


def teach(
    book: Book | Curated, folder: Path, ledger: Ledger, *, teaching: Teaching, budget: Budget | None, progress: Progress
) -> Outcome:
    """Work one book and write its files into a folder."""

    async def made() -> SynthResult:
        # Reproducible: a run that was killed and went on makes the same dialogues as one that was not.
        teacher = open_model(
            teaching.teacher,
            ledger=ledger,
            stage="synth",
            reproducible=True,
            retry_dead=teaching.retry_dead,
            budget=budget,
        )
        try:
            return await synthesize(book, teacher=teacher, config=teaching.settings, progress=progress)
        finally:
            await teacher.close()

    return _write(folder, asyncio.run(made()), book.book if isinstance(book, Curated) else book)


def _write(folder: Path, result: SynthResult, book: Book) -> Outcome:
    write_jsonl(folder / "books.jsonl", [book])
    write_jsonl(folder / "dialogues.jsonl", result.dialogues)
    write_jsonl(folder / "plots.jsonl", result.plots)
    write_jsonl(folder / "rejects.jsonl", result.rejects)
    write_jsonl(folder / "verified.jsonl", result.verified)
    write_json(folder / "report.json", result.report.model_dump(mode="json"))
    write_text(folder / "report.md", summary(result))
    names = ("books", "dialogues", "plots", "rejects", "verified")
    return Outcome(
        outputs=(*(f"{name}.jsonl" for name in names), "report.json", "report.md"),
        kept=result.report.turns,
        rejected=result.report.rejected,
    )
