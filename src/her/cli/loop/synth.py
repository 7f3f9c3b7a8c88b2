"""Stage `synth`: the teacher turns a text into two-layer dialogues."""

import asyncio
from pathlib import Path

from her.cli.loop.loop import Loop
from her.llm import fingerprint, open_model
from her.schema import Book
from her.stage import Finished, Outcome, Progress
from her.store import write_json, write_jsonl, write_text
from her.story import load_book, story_path
from her.synthesis import Curated, SynthConfig, SynthResult, read_book, read_curated, summary, synthesize

ROOMS = ("schema", "renderers", "synthesis", "llm", "cli/loop/synth")


def stage(loop: Loop) -> Finished:
    """Write `dialogues.jsonl`, `rejects.jsonl`, `verified.jsonl` and `report.json`."""
    recipe = loop.recipe
    path = story_path() if recipe.source == "shipped" else Path(recipe.source)
    source = load_book() if recipe.source == "shipped" else read_any(path)
    name = recipe.models.teacher
    small = name.startswith(("local:", "run:"))
    settings = SynthConfig.model_validate(
        {**recipe.synth.model_dump(), "seed": recipe.run.seed, "guided": small, "tell_faults": not small}
    )

    async def run(progress: Progress) -> SynthResult:
        # Reproducible: a run that was killed and went on makes the same dialogues as one that was not.
        teacher = open_model(name, ledger=loop.ledger, stage="synth", reproducible=True)
        try:
            return await synthesize(source, teacher=teacher, config=settings, progress=progress)
        finally:
            await teacher.close()

    def work(folder: Path, progress: Progress) -> Outcome:
        result = asyncio.run(run(progress))
        write_jsonl(folder / "dialogues.jsonl", result.dialogues)
        write_jsonl(folder / "rejects.jsonl", result.rejects)
        write_jsonl(folder / "verified.jsonl", result.verified)
        write_json(folder / "report.json", result.report.model_dump(mode="json"))
        write_text(folder / "report.md", summary(result))
        return Outcome(
            outputs=("dialogues.jsonl", "rejects.jsonl", "report.json", "report.md", "verified.jsonl"),
            kept=sum(len(d.turns) for d in result.dialogues),
            rejected=result.report.rejected,
        )

    return loop.do(
        "synth",
        f"{name} reads {path.name}",
        work,
        inputs={"source": path},
        settings=settings,
        rooms=ROOMS,
        models={"teacher": fingerprint(name)},
    )


def read_any(path: Path) -> Book | Curated:
    """A text or, by its ending, a curated JSON."""
    return read_curated(path) if path.suffix.lower() == ".json" else read_book(path)
