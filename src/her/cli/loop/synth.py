"""Stage `synth`: the teacher turns a text, or a shelf of them, into two-layer dialogues."""

import asyncio
from pathlib import Path

from her.cli.loop.loop import Loop
from her.cli.loop.volume import Work, shelve
from her.llm import fingerprint, open_model
from her.llm.budget import Budget
from her.schema import Book
from her.stage import Finished, Outcome, Progress
from her.store import write_json, write_jsonl, write_text
from her.story import load_book, story_path
from her.synthesis import Curated, Shelf, SynthConfig, SynthResult, read_source, summary, synthesize

ROOMS = ("schema", "renderers", "synthesis", "llm", "cli/loop/synth", "cli/loop/volume")


def settings_for(name: str, synth: SynthConfig, *, seed: int) -> SynthConfig:
    """The settings as they suit a teacher: a small one is led by the hand, an endpoint extracts by itself."""
    small = name.startswith(("local:", "run:"))
    way = synth.extract or ("teacher" if name.startswith("openai:") else "rules")
    changes = {"seed": seed, "guided": small, "tell_faults": not small, "extract": way}
    return SynthConfig.model_validate({**synth.model_dump(), **changes})


def stage(loop: Loop, *, budget: Budget | None = None) -> Finished:
    """Write `dialogues.jsonl`, `books.jsonl` (the text into which every span points), `plots.jsonl`, `rejects.jsonl`,
    `verified.jsonl`, `report.json` and `report.md`."""
    recipe = loop.recipe
    path = story_path() if recipe.source == "shipped" else Path(recipe.source)
    source = load_book() if recipe.source == "shipped" else read_source(path)
    name = recipe.models.teacher
    settings = settings_for(name, recipe.synth, seed=recipe.run.seed)
    models = {"teacher": fingerprint(name)}

    async def made(book: Book | Curated, progress: Progress) -> SynthResult:
        # Reproducible: a run that was killed and went on makes the same dialogues as one that was not.
        teacher = open_model(name, ledger=loop.ledger, stage="synth", reproducible=True, budget=budget)
        try:
            return await synthesize(book, teacher=teacher, config=settings, progress=progress)
        finally:
            await teacher.close()

    def one(book: Book | Curated, folder: Path, progress: Progress) -> Outcome:
        return _write(folder, asyncio.run(made(book, progress)), book.book if isinstance(book, Curated) else book)

    def work(folder: Path, progress: Progress) -> Outcome:
        if not isinstance(source, Shelf):
            return one(source, folder, progress)
        task = Work(settings=settings, rooms=ROOMS, models=models, one=one)
        return shelve(loop.run, source, folder, task=task, progress=progress)

    return loop.do(
        "synth",
        f"{name} reads {path.name}",
        work,
        inputs={"source": path},
        settings=settings,
        rooms=ROOMS,
        models=models,
    )


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
