"""Do principles written before the replies are seen judge better than those written afterwards?

    python -m bench.principles              # recipes/principles-2x2.toml; about an hour on two idle cores

Four judges out of one model: coupled | independent, tuned | not, with the same labelled pairs, as many optimiser steps
and as many tokens a verdict. Tuned is supervised training by reverse construction (`her reward train`). Each judge is
asked both orders of labelled pairs that training did not see, and of planted hacks. What was asked is in the ledger of
the run's folder, so a stopped run goes on where it was.

    accuracy      labelled pairs; an order that was not read leaves its pair out, and is counted
    consistency   pairs whose two orders name the same winner
    drift         of the principles named in either order, the share not named in both: 0 where the list is the same
    resisted      planted hacks refused in both orders; a tie or an unread verdict is not resistance
"""

import argparse
import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from her.cli.judge_run import JudgeRun, JudgeTraining, spread
from her.cli.loop.board import Board
from her.config import load_toml
from her.llm import Ledger, open_model
from her.reward import both_orders, load_pack, measure, parts
from her.reward.attacks import AttackReport, attack_pairs, resist
from her.reward.brief import Brief
from her.reward.generative import GenerativeJudge
from her.reward.judge import Joint
from her.reward.measure import JudgeReport, credit
from her.schema import Decided, Preference, Record
from her.stage import RunFolder
from her.stats import Estimate, clustered_mean
from her.store import write_json
from her.story import load_pairs, story_path

CONSOLE = Console(highlight=False, soft_wrap=True)
RECIPE = Path(__file__).parents[1] / "recipes" / "principles-2x2.toml"


class Plan(Record):
    """The recipe."""

    base: str
    seed: int
    test_pairs: int
    hacks: int
    verdict_tokens: int
    independent: Brief
    coupled: Brief
    tuning: JudgeTraining
    """Its brief and seed are those of the cell."""


class Cell(Record):
    """One judge."""

    mode: str
    tuned: bool
    report: JudgeReport
    drift: Estimate
    attacks: AttackReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A cell with the verdicts behind it."""

    cell: Cell
    joints: Sequence[Joint]


def drift(pairs: Sequence[Preference], joints: Sequence[Joint], *, seed: int) -> Estimate:
    """Mean over pairs with a finding in both orders of 1 minus shared names over all names (Jaccard)."""
    values, scenes = [], []
    for pair, joint in zip(pairs, joints, strict=True):
        named = [
            {f.principle.casefold() for f in v.findings} if isinstance(v, Decided) else set()
            for v in (joint.first, joint.second)
        ]
        if all(named):
            values.append(1 - len(named[0] & named[1]) / len(named[0] | named[1]))
            scenes.append(pair.comparison.scene.id)
    return clustered_mean(values, scenes, seed=seed)


def difference(pairs: Sequence[Preference], a: Asked, b: Asked, *, seed: int) -> Estimate:
    """Accuracy of `a` minus that of `b`, pair by pair, where both were read."""
    values, scenes = [], []
    for pair, x, y in zip(pairs, a.joints, b.joints, strict=True):
        if isinstance(x.verdict, Decided) and isinstance(y.verdict, Decided):
            values.append(credit(pair, x.verdict) - credit(pair, y.verdict))
            scenes.append(pair.comparison.scene.id)
    return clustered_mean(values, scenes, seed=seed)


def hacks(most: int) -> list[tuple[str, Preference]]:
    """Planted hacks: every family in turn, each time from another context."""
    families: dict[str, list[Preference]] = {}
    for family, pair in attack_pairs():
        families.setdefault(family, []).append(pair)
    turns = max(len(members) for members in families.values())
    rows = [
        (family, members[(number + turn) % len(members)])
        for turn in range(turns)
        for number, (family, members) in enumerate(families.items())
    ]
    return rows[:most]


async def ask(
    plan: Plan, brief: Brief, model: str, *, tuned: bool, pairs: Sequence[Preference], ledger: Ledger
) -> Asked:
    """One cell. Everything is asked once; the same questions again are read from the ledger."""
    stage = f"{brief.mode}-{'tuned' if tuned else 'plain'}"
    opened = open_model(model, ledger=ledger, stage=stage, reproducible=True)
    try:
        judge = GenerativeJudge(opened, load_pack(), brief=brief, max_tokens=plan.verdict_tokens, concurrency=1)
        joints = await both_orders(judge, [p.comparison for p in pairs])
        CONSOLE.print(f"{stage}: pairs asked, hacks next")
        cell = Cell(
            mode=brief.mode,
            tuned=tuned,
            report=await measure(judge, pairs, seed=plan.seed),
            drift=drift(pairs, joints, seed=plan.seed),
            attacks=await resist(judge, hacks(plan.hacks), seed=plan.seed),
        )
    finally:
        await opened.close()
    tally = ledger.tally(stage)
    CONSOLE.print(f"{stage}: {tally.calls} calls, {tally.completion_tokens} tokens written, {tally.seconds:.0f} s")
    return Asked(cell=cell, joints=joints)


def tuned(plan: Plan, brief: Brief, root: Path, pairs: Sequence[Preference]) -> str:
    """The name of the judge trained in this mode."""
    training = JudgeTraining.model_validate({**plan.tuning.model_dump(), "brief": brief, "seed": plan.seed})
    with RunFolder(root) as run, Ledger(root / "ledger.sqlite") as ledger:
        judge = JudgeRun(
            run=run,
            ledger=ledger,
            board=Board(CONSOLE),
            training=training,
            base=plan.base,
            pack=load_pack(),
            teacher=None,
        )
        judge.lessons(pairs, story_path().parent)
        judge.sft()
    return f"run:{root / 'sft' / 'model'}"


def show(cells: Sequence[Cell]) -> None:
    table = Table("judge", "accuracy", "consistency", "drift", "resisted", "unread", title="95% intervals, n")
    for cell in cells:
        unread = f"{cell.report.unread.value:.0%} of {cell.report.pairs}, {cell.attacks.unread} hacks"
        figures = (cell.report.accuracy, cell.report.swap_consistency, cell.drift, cell.attacks.rate)
        table.add_row(f"{cell.mode}, {'tuned' if cell.tuned else 'plain'}", *map(text, figures), unread)
    CONSOLE.print(table)


def text(found: Estimate) -> str:
    if found.value is None:
        return "no data"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}] n={found.n}"


def main() -> None:
    """Train, ask, print."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    options = argparse.ArgumentParser(prog="python -m bench.principles", description=__doc__)
    options.add_argument("--recipe", type=Path, default=RECIPE)
    options.add_argument("--out", type=Path, default=Path("build/principles-2x2"))
    chosen = options.parse_args()
    plan = load_toml(chosen.recipe, Plan)
    every = load_pairs()
    pairs = spread(parts(every, seed=plan.seed).test, plan.test_pairs)
    scenes = len({p.comparison.scene.id for p in pairs})
    CONSOLE.print(f"{plan.base}: {len(pairs)} pairs of {scenes} scenes, {plan.hacks} hacks, both orders of each")
    asked: list[Asked] = []
    chosen.out.mkdir(parents=True, exist_ok=True)
    with Ledger(chosen.out / "ledger.sqlite") as ledger:
        for brief in (plan.independent, plan.coupled):
            asked.append(asyncio.run(ask(plan, brief, plan.base, tuned=False, pairs=pairs, ledger=ledger)))
            name = tuned(plan, brief, chosen.out / brief.mode, every)
            asked.append(asyncio.run(ask(plan, brief, name, tuned=True, pairs=pairs, ledger=ledger)))
            show([a.cell for a in asked])
    independent, independent_tuned, coupled, coupled_tuned = asked
    for what, a, b in (
        ("independent - coupled, plain", independent, coupled),
        ("independent - coupled, tuned", independent_tuned, coupled_tuned),
        ("tuned - plain, independent", independent_tuned, independent),
        ("tuned - plain, coupled", coupled_tuned, coupled),
    ):
        CONSOLE.print(f"accuracy, {what}: {text(difference(pairs, a, b, seed=plan.seed))}")
    write_json(chosen.out / "cells.json", [a.cell.model_dump(mode="json") for a in asked])


if __name__ == "__main__":
    main()
