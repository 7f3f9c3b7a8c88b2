"""`her reward train`: a judge out of labelled pairs."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    pairs: Annotated[str, typer.Option(help="A JSONL file of labelled pairs, or `shipped`.")],
    out: Annotated[Path, typer.Option(help="The run's folder; the judge is then run:OUT.")],
    base: Annotated[str, typer.Option(help="What is trained: local:NAME or hf:ID_OR_PATH.")] = "local:smollm2-135m",
    recipe: Annotated[Path | None, typer.Option(help="Settings in TOML: brief and mode, sft, rl, seed.")] = None,
    mode: Annotated[
        str | None, typer.Option(help="independent, coupled or pack, in place of the recipe's brief.mode.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="A model that finds principles by the pack; without one, the labels' own.")
    ] = None,
    pack: Annotated[Path | None, typer.Option(help="A principle pack; without one, the shipped pack.")] = None,
    rl: Annotated[bool, typer.Option("--rl", help="Go on with reinforcement learning.")] = False,
) -> None:
    """Teach a judge to write principles, comparison and winner; with --rl, reward it where both orders are right.

    The test part of the pairs is not learnt from. The same command goes on where a stopped or killed one was.
    """
    from rich.console import Console

    from her.cli.judge_run import JudgeRun, JudgeTraining
    from her.cli.loop.board import Board
    from her.config import load_toml
    from her.errors import ConfigError, InputError
    from her.llm import Ledger, describe
    from her.reward import load_pack
    from her.schema import Preference
    from her.stage import RunFolder
    from her.store import stream_jsonl
    from her.story import load_pairs, story_path

    training = JudgeTraining() if recipe is None else load_toml(recipe, JudgeTraining)
    if mode is not None:
        try:
            changed = {**training.model_dump(), "brief": {**training.brief.model_dump(), "mode": mode}}
            training = JudgeTraining.model_validate(changed)
        except ValueError as e:
            raise ConfigError(f"--mode {mode}: not possible with this brief; one of independent, coupled, pack") from e
    if not base.startswith(("local:", "hf:")):
        raise ConfigError(f"{base!r} cannot be trained here; a base is local:NAME or hf:ID_OR_PATH")
    labelled = load_pairs() if pairs == "shipped" else tuple(stream_jsonl(Path(pairs), Preference))
    if not labelled:
        raise InputError(f"{pairs} holds no labelled pairs; give a file with one Preference a line")
    board = Board(Console(highlight=False))
    for name in (base, *([] if teacher is None else [teacher])):
        board.say(describe(name).line())
    with RunFolder(out) as run, Ledger(out / "ledger.sqlite") as ledger:
        board.spent = lambda name: ledger.tally(name).cost_usd
        judge = JudgeRun(
            run=run,
            ledger=ledger,
            board=board,
            training=training,
            base=base,
            pack=load_pack(pack),
            teacher=teacher,
        )
        judge.lessons(labelled, story_path().parent if pairs == "shipped" else Path(pairs))
        judge.sft()
        if rl:
            judge.rl()
    board.say(
        f"measure it: her reward bench --judge {training.brief.mode}:{base} --judge run:{out} --pairs {pairs} "
        f"--part test --seed {training.seed}"
    )
