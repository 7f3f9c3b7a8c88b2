"""`her synth`: a text or curated JSON becomes two-layer dialogues.

The first stage of `her run` by itself, in a run folder of its own: the same manifest, ledger and resume.
"""

from pathlib import Path
from typing import Annotated

import typer


def synth(
    source: Annotated[Path, typer.Argument(help="A UTF-8 text, or CoSER's curated JSON (.json).")],
    teacher: Annotated[str, typer.Option(help="The model that writes the thinking.")] = "local:smollm2-135m",
    out: Annotated[Path | None, typer.Option(help="The run's folder; without one, runs/synth-NAME.")] = None,
    chapters: Annotated[str | None, typer.Option(help="3, 1-2 or 1,4-5; without it, all.")] = None,
    max_scenes: Annotated[int | None, typer.Option(min=1, help="Stop after so many scenes.")] = None,
    max_turns: Annotated[int | None, typer.Option(min=1, help="At most so many turns of a scene.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of layouts and of the teacher's sampling.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Calls in flight.")] = 4,
) -> None:
    """Make two-layer dialogues from a story, with a teacher model. Run it again to go on where it stopped."""
    from rich.console import Console

    from her.cli.loop.board import Board
    from her.cli.loop.loop import Loop
    from her.cli.loop.synth import stage
    from her.cli.recipe import ModelSettings, Recipe, RunSettings
    from her.llm import Ledger, describe
    from her.stage import RunFolder
    from her.store import read_text
    from her.synthesis import SynthConfig

    root = out or Path("runs") / f"synth-{source.name.split('.')[0]}"
    recipe = Recipe(
        run=RunSettings(seed=seed),
        models=ModelSettings(teacher=teacher),
        source=str(source),
        synth=SynthConfig(chapters=chapters, max_scenes=max_scenes, max_turns=max_turns, concurrency=concurrency),
    )
    read_text(source)  # a file that cannot be used is refused before a folder is made or a model opened
    board = Board(Console())
    board.say(describe(teacher).line())
    with RunFolder(root) as run, Ledger(root / "ledger.sqlite") as ledger:
        stage(Loop(run=run, recipe=recipe, ledger=ledger, board=board))
    board.say((root / "synth" / "report.md").read_text(encoding="utf-8"))
    board.say(f"dialogues: {root / 'synth' / 'dialogues.jsonl'}")
