"""`her run`: the whole loop from a recipe, resumable at any moment."""

from pathlib import Path
from typing import Annotated

import typer

OTHER_SOURCE = {"valid": 0.15, "test": 0.2, "by": "conversation"}
"""How a text given on the command line is split: whole conversations, by hash."""


def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe in TOML.")] = Path("recipes/quickstart.toml"),
    out: Annotated[Path | None, typer.Option(help="The run's folder; default: runs/NAME.")] = None,
    source: Annotated[str | None, typer.Option(help="A text or curated JSON in place of the recipe's.")] = None,
    teacher: Annotated[str | None, typer.Option(help="A model in place of the recipe's teacher.")] = None,
    judge: Annotated[str | None, typer.Option(help="A model in place of the recipe's judge.")] = None,
    policy: Annotated[str | None, typer.Option(help="A model in place of the recipe's policy.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this stage.")] = None,
) -> None:
    """Run the whole loop: synthesis, samples, fine-tuning, judges, reinforcement learning, exam, report.

    The same command goes on where a stopped or killed run was; a finished one is left as it is.
    """
    from rich.console import Console

    from her.cli.loop.board import Board
    from her.cli.loop.whole import run_loop
    from her.cli.recipe import Recipe, load_recipe

    settings = load_recipe(recipe)
    changes = {k: v for k, v in (("teacher", teacher), ("judge", judge), ("policy", policy)) if v is not None}
    if changes or source is not None:
        data = settings.model_dump()
        data["models"] |= changes
        if source is not None:
            # The recipe's chapters are those of its own source.
            data |= {"source": source, "splits": {"seed": settings.run.seed, **OTHER_SOURCE}}
        settings = Recipe.model_validate(data)
    run_loop(settings, out or Path("runs") / settings.run.name, board=Board(Console()), until=until)
