"""`her synth`: a text or curated JSON becomes two-layer dialogues.

Every call goes through a ledger in the output folder, so the same command after a kill pays for nothing twice and
writes the same bytes.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from her.llm import ChatModel
    from her.schema import Book
    from her.synthesis import Curated, SynthConfig, SynthResult


def synth(
    source: Annotated[Path, typer.Argument(help="A UTF-8 text, or CoSER's curated JSON (.json).")],
    teacher: Annotated[str, typer.Option(help="The model that writes the thinking.")] = "local:smollm2-135m",
    out: Annotated[Path | None, typer.Option(help="Folder to write; without one, runs/synth-NAME.")] = None,
    chapters: Annotated[str | None, typer.Option(help="3, 1-2 or 1,4-5; without it, all.")] = None,
    max_scenes: Annotated[int | None, typer.Option(min=1, help="Stop after so many scenes.")] = None,
    max_turns: Annotated[int | None, typer.Option(min=1, help="At most so many turns of a scene.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of layouts and of the teacher's sampling.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Calls in flight.")] = 4,
) -> None:
    """Make two-layer dialogues from a story, with a teacher model. Run it again to go on where it stopped."""
    from rich.console import Console

    from her.llm import open_model
    from her.llm.ledger import Ledger
    from her.store import write_json, write_jsonl, write_text
    from her.synthesis import SynthConfig, read_book, read_curated, summary

    # The source is read before a model is opened: nothing is spent on a file that cannot be used.
    book = read_curated(source) if source.suffix.lower() == ".json" else read_book(source)
    small = teacher.startswith(("local:", "run:"))
    config = SynthConfig(
        chapters=chapters,
        max_scenes=max_scenes,
        max_turns=max_turns,
        seed=seed,
        concurrency=concurrency,
        guided=small,
        tell_faults=not small,
    )
    folder = out or Path("runs") / f"synth-{source.name.split('.')[0]}"
    console = Console()
    with Ledger(folder / "ledger.sqlite") as ledger:
        model = open_model(teacher, ledger=ledger, stage="synth")
        result = asyncio.run(_run(book, model=model, config=config, console=console))
    write_jsonl(folder / "dialogues.jsonl", result.dialogues)
    write_jsonl(folder / "rejects.jsonl", result.rejects)
    write_jsonl(folder / "verified.jsonl", result.verified)
    write_json(folder / "report.json", result.report.model_dump(mode="json"))
    text = summary(result)
    write_text(folder / "report.md", text)
    console.print(text, markup=False, highlight=False)
    console.print(f"{len(result.dialogues)} dialogues in {folder / 'dialogues.jsonl'}", markup=False)


async def _run(
    source: "Book | Curated", *, model: "ChatModel", config: "SynthConfig", console: object
) -> "SynthResult":
    """Synthesis under a progress bar."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from her.synthesis import synthesize

    assert isinstance(console, Console)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("scenes and settings", total=None)

            def show(done: int, total: int, note: str) -> None:
                bar.update(task, completed=done, total=total, description="turns" if done else note)

            return await synthesize(source, teacher=model, config=config, progress=show)
    finally:
        await model.close()
