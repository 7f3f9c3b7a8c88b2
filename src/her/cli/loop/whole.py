"""The whole loop in order, and its report."""

import time
from collections.abc import Callable
from pathlib import Path

from her.cli.loop import data, exam, gain, judges, policy, report, sft, synth
from her.cli.loop.board import Board
from her.cli.loop.loop import Loop
from her.cli.recipe import Recipe
from her.errors import ConfigError
from her.llm import Ledger, describe
from her.stage import Finished, RunFolder
from her.store import write_json

STAGES: dict[str, Callable[[Loop], Finished]] = {
    "synth": synth.stage,
    "gain": gain.stage,
    "data": data.stage,
    "sft": sft.stage,
    "judge": judges.stage,
    "policy": policy.stage,
    "exam": exam.stage,
}


def run_loop(recipe: Recipe, root: Path, *, board: Board, until: str | None = None) -> None:
    """Do every stage that is not done, then write the report."""
    stages = {name: stage for name, stage in STAGES.items() if name != "gain" or recipe.gain.measure}
    if until is not None and until not in stages:
        raise ConfigError(f"no stage of this run is called {until!r}; its stages are {', '.join(stages)}")
    start = time.monotonic()
    # Every name is looked at before anything is spent.
    lines = {name: describe(name).line() for _, name in recipe.models.roles()}
    gain.check(recipe)
    board.say(f"run {root}, seed {recipe.run.seed}")
    for line in lines.values():
        board.say(f"  {line}")
    with RunFolder(root) as run, Ledger(root / "ledger.sqlite") as ledger:
        write_json(root / "recipe.json", recipe.model_dump(mode="json"))
        board.spent = lambda name: ledger.tally(name).cost_usd
        loop = Loop(run=run, recipe=recipe, ledger=ledger, board=board)
        done: list[Finished] = []
        for name, stage in stages.items():
            done.append(stage(loop))
            if name == until:
                board.say(f"stopped after {name} as asked; the same command without --until goes on")
                return
        page = report.write(loop, done, seconds=time.monotonic() - start)
    board.say(f"\nreport: {page}")
    board.say(f"talk:   {loop.chat_command()}")
