"""`her synth`: a book, a shelf of them or curated JSON becomes two-layer dialogues.

The first stage of `her run` by itself, in a run folder of its own: the same manifest, ledger and resume. A group whose
default is a source: whatever is none of its commands is read as one, so a file called `check` is given as `./check`.
A shelf may be dealt to shards, runs of their own that `her synth merge` puts together, and to workers of Ray.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from her.cli.synth_check import check
from her.cli.synth_merge import merge

SOURCE = "<source>"
"""The default's own name. Nobody types it."""


class SourceGroup(TyperGroup):
    """A group that takes anything but its own commands for arguments of its default."""

    default = SOURCE

    # Contexts are typer's own in one version and click's in another, so they are not named here.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ours = bool(args) and args[0] in self.commands and args[0] != self.default
        return super().parse_args(ctx, args if ours else [self.default, *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == self.default else name), command, rest


app = typer.Typer(cls=SourceGroup, add_completion=False, help="Make two-layer dialogues from a book, with a teacher.")


@app.callback()
def group() -> None:
    """Make two-layer dialogues from a book, with a teacher."""


@app.command(SOURCE)
def synth(
    source: Annotated[
        Path,
        typer.Argument(
            help="A UTF-8 text, an .epub, a shelf of books (.jsonl; a line is {text, id?, title?, licence?}), or "
            "CoSER's curated JSON (.json)."
        ),
    ],
    teacher: Annotated[str, typer.Option(help="The model that writes the thinking.")] = "local:smollm2-135m",
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; without one, runs/synth-NAME or runs/synth-NAME-K-of-N.")
    ] = None,
    chapters: Annotated[str | None, typer.Option(help="3, 1-2 or 1,4-5; without it, all.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would take, ask no model, and stop.")] = False,
    budget_usd: Annotated[
        float | None, typer.Option(min=0, help="Stop before more than this is spent, by the price table.")
    ] = None,
    extract: Annotated[
        Literal["rules", "teacher"] | None,
        typer.Option(help="Who finds scenes and speakers. Without it, as suits the teacher."),
    ] = None,
    chunk_tokens: Annotated[
        int | None, typer.Option(min=200, help="Tokens of the book that are read at a time.")
    ] = None,
    invented: Annotated[
        Literal["keep", "drop"], typer.Option(help="What becomes of speech that the text does not say.")
    ] = "drop",
    max_scenes: Annotated[int | None, typer.Option(min=1, help="Stop after so many scenes.")] = None,
    max_turns: Annotated[int | None, typer.Option(min=1, help="At most so many turns of a scene.")] = None,
    gain: Annotated[bool, typer.Option("--gain/--no-gain", help="Weigh each thought by the words after it?")] = True,
    scorer: Annotated[
        str, typer.Option(help="The model that weighs the thoughts: local:, hf: or run:.")
    ] = "local:smollm2-135m",
    seed: Annotated[int, typer.Option(help="Seed of layouts and of the teacher's sampling.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Calls in flight, of each process.")] = 4,
    shard: Annotated[
        str | None, typer.Option(help="K/N: only the K-th of N parts of a shelf, as a run of its own.")
    ] = None,
    retry_dead: Annotated[
        bool, typer.Option("--retry-dead", help="Ask again what an earlier run gave up for good.")
    ] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Who works the books of a shelf: this process, or workers of Ray.")
    ] = "local",
    workers: Annotated[int | None, typer.Option(min=1, help="Ray's workers; without it, one for each core.")] = None,
) -> None:
    """Make two-layer dialogues from a story, with a teacher model. Run it again to go on where it stopped.

    `her synth check` examines dialogues that were made; `her synth merge` puts shards together.
    """
    import os

    from rich.console import Console

    from her.cli.loop import gain as gains
    from her.cli.loop import synth_report
    from her.cli.loop.board import Board
    from her.cli.loop.loop import Loop
    from her.cli.loop.synth import Way, part_of, settings_for, stage
    from her.cli.recipe import GainSettings, ModelSettings, Recipe, RunSettings
    from her.errors import InputError
    from her.llm import Ledger, describe
    from her.llm.budget import Budget
    from her.stage import RunFolder
    from her.synthesis import SynthConfig, read_source
    from her.synthesis.sources.shard import read_shard

    ray = engine == "ray"
    if workers is not None and not ray:
        raise InputError("--workers are Ray's; add --engine ray, or set the calls in flight with --concurrency")
    if budget_usd is not None and ray:
        raise InputError("--budget-usd is watched by one process; with --engine ray, set the cap at the endpoint")
    way = Way(
        budget=None if budget_usd is None else Budget(budget_usd),
        shard=None if shard is None else read_shard(shard),
        retry_dead=retry_dead,
        workers=(workers or os.cpu_count() or 1) if ray else None,
    )

    asked = {
        "chapters": chapters,
        "extract": extract,
        "invented": invented,
        "max_scenes": max_scenes,
        "max_turns": max_turns,
        "concurrency": concurrency,
        **({} if chunk_tokens is None else {"chunk_tokens": chunk_tokens}),
    }
    recipe = Recipe(
        run=RunSettings(seed=seed),
        models=ModelSettings(teacher=teacher),
        source=str(source),
        synth=SynthConfig.model_validate(asked),
        gain=GainSettings(measure=gain, scorer=scorer),
    )
    board = Board(Console())
    card = describe(teacher)
    found = part_of(
        read_source(source), way, path=source
    )  # a file that cannot be used is refused before a folder is made or a model opened
    if plan:
        from her.cli.loop.plan import tell

        tell(board, found, teacher=teacher, settings=settings_for(teacher, recipe.synth, seed=seed))
        return
    del found  # the stage reads it again: nothing holds a whole book while a shelf is worked
    gains.check(recipe)
    part = "" if way.shard is None else f"-{way.shard.number}-of-{way.shard.of}"
    root = out or Path("runs") / f"synth-{source.name.split('.')[0]}{part}"
    board.say(card.line())
    with RunFolder(root) as run, Ledger(root / "ledger.sqlite") as ledger:
        board.spent = lambda name: ledger.tally(name).cost_usd
        loop = Loop(run=run, recipe=recipe, ledger=ledger, board=board)
        stage(loop, way=way)
        if not (root / "synth" / "report.json").exists():
            board.say(f"no book of {source.name} that can be used falls to shard {shard}; merge it with the others")
            return
        if gain:
            gains.stage(loop)
        page = synth_report.write(loop)
    board.say((root / "synth" / "report.md").read_text(encoding="utf-8"))
    board.say(f"report:    {page}")
    board.say(f"dialogues: {gains.made(loop)}")


app.command()(check)
app.command()(merge)
