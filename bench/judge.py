"""What a verdict costs: written in full, read as one label, and read as one label from a prompt that is kept.

    python -m bench.judge              # some two minutes of processor; --games and --pairs for more

One run on one embedded model. A group of 8 replies to one prompt plays the default schedule (circulant, 16 games). Its
replies are the shipped story's own: pairs of one scene and character, together. Four prices:

    full     the model writes its verdict under a schema (llama.cpp), every prompt read anew, or prompts kept
    label    the label's probability after the prompt (transformers), every prompt read anew
    fast     the same, to the same bits, with the blocks that prompts share read once

The fast verdict is read for all games of the group, from an empty memory. The others cost the same in every game, so
the first few are asked and their mean stands for the rest. Then the agreement of fast with full: of the untrained
model in these games, and of a judge that was trained (`make run` leaves one) on labelled pairs, in one order each.
"""

import argparse
import asyncio
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from her.llm import ChatModel, Scorer, open_model, open_scorer
from her.llm.engines.torch_scorer import TorchScorer
from her.reward import circulant, load_pack
from her.reward.brief import SMALL
from her.reward.generative import GenerativeJudge
from her.reward.judge import Judge
from her.reward.measure import credit
from her.reward.scored import ScoredJudge
from her.schema import Comparison, Decided, Preference, Unparsed, Verdict
from her.stats import share
from her.story import load_pairs

CONSOLE = Console(highlight=False, soft_wrap=True)
MODEL = "local:smollm2-135m"
TRAINED = "run:runs/quickstart/judge/model"
GROUP = 8
TARGET = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One judge on games of the group."""

    name: str
    seconds: float
    """A group, by the clock on the wall."""
    worked: float
    """A group, of processor time: what is compared, because a busy machine does not change it much."""
    verdicts: tuple[Verdict, ...]


def group_of_games(pairs: Sequence[Preference]) -> list[Comparison]:
    """The games of a group: 8 replies from pairs of one scene and character, all put at one place."""
    scenes: dict[str, list[Preference]] = {}
    for p in pairs:
        scenes.setdefault(f"{p.comparison.scene.id}/{p.comparison.character}", []).append(p)
    members = min(scenes.items(), key=lambda item: (-len(item[1]), item[0]))[1]
    replies = [t for p in members for t in (p.comparison.cand_1, p.comparison.cand_2)][:GROUP]
    place = members[0].comparison
    return [
        place.model_copy(update={"id": f"{place.id}.{i}.{j}", "cand_1": replies[i], "cand_2": replies[j]})
        for i, j in circulant(len(replies), 2)
    ]


async def timed(name: str, judge: Judge, games: Sequence[Comparison], *, of: int) -> Price:
    """`games` asked one after the other; their mean stands for all `of` of the group."""
    started, used = time.perf_counter(), time.process_time()
    verdicts = [verdict for game in games for verdict in await judge.judge([game])]
    seconds, worked = time.perf_counter() - started, time.process_time() - used
    CONSOLE.print(f"{name}: {len(games)} games, {worked:.1f} s of processor, {seconds:.1f} s by the clock")
    scale = of / len(games)
    return Price(name=name, seconds=seconds * scale, worked=worked * scale, verdicts=tuple(verdicts))


def full_judge(model: ChatModel) -> GenerativeJudge:
    return GenerativeJudge(model, load_pack(None), brief=SMALL, max_tokens=200, concurrency=1)


def fast_judge(scorer: Scorer) -> ScoredJudge:
    return ScoredJudge(scorer, load_pack(None), brief=SMALL, swap_average=False)


async def prices(
    games: Sequence[Comparison], asked: int, scorer: TorchScorer, bare: TorchScorer
) -> tuple[Price, Price, Price, Price]:
    """Every judge on the same games. Models are loaded and warm before the clock runs."""
    full = []
    for name, reproducible in (("full, prompts read anew", True), ("full, prompts kept", False)):
        model = open_model(MODEL, reproducible=reproducible)
        await full_judge(model).judge(games[-1:])
        full.append(await timed(name, full_judge(model), games[:asked], of=len(games)))
        await model.close()
    label = await timed("label, prompts read anew", fast_judge(bare), games[:asked], of=len(games))
    fast = await timed("fast: label, shared blocks kept", fast_judge(scorer), games, of=len(games))
    return full[0], full[1], label, fast


def differ(a: Sequence[Verdict], b: Sequence[Verdict]) -> int:
    return sum(x != y for x, y in zip(a, b, strict=False))


def agreement(first: Sequence[Verdict], second: Sequence[Verdict]) -> str:
    """How often two judges name the same winner where both decided; the second may have played more games."""
    both = [
        (a.winner, b.winner)
        for a, b in zip(first, second, strict=False)
        if isinstance(a, Decided) and isinstance(b, Decided) and "tie" not in (a.winner, b.winner)
    ]
    found = share(sum(a == b for a, b in both), len(both))
    if found.value is None:
        return "no pair that both decided"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}], n={found.n}"


def outcomes(verdicts: Sequence[Verdict]) -> str:
    """How the verdicts came out, ties and unread ones too."""
    unread = sum(isinstance(v, Unparsed) for v in verdicts)
    won = [v.winner for v in verdicts if isinstance(v, Decided)]
    return f"{won.count('cand_1')} first, {won.count('cand_2')} second, {won.count('tie')} ties, {unread} unread"


async def calibrated(name: str, pairs: Sequence[Preference], scorer: Scorer) -> None:
    """Full and fast of one model on the same labelled pairs, each in one order, by turns the other."""
    asked = [p if i % 2 else p.swap() for i, p in enumerate(pairs)]
    games = [p.comparison for p in asked]
    model = open_model(name, reproducible=True)
    written = await full_judge(model).judge(games)
    await model.close()
    read = await fast_judge(scorer).judge(games)
    CONSOLE.print(f"\n{name}, {len(games)} labelled pairs, one order each")
    CONSOLE.print(f"same winner, where both decided: {agreement(written, read)}")
    for kind, verdicts in (("full", written), ("fast", read)):
        decided = [(p, v) for p, v in zip(asked, verdicts, strict=True) if isinstance(v, Decided)]
        right = sum(credit(p, v) for p, v in decided) / max(1, len(decided))
        CONSOLE.print(f"{kind}: {outcomes(verdicts)}; right {right:.2f} of {len(decided)}, a tie is half")


def main() -> None:
    """Measure and print; exit code 1 if a target is missed."""
    # Before torch or the embedded engine is loaded: threads that wait for each other on a busy machine count as work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    options = argparse.ArgumentParser(prog="python -m bench.judge", description=__doc__)
    options.add_argument("--games", type=int, default=3, help="games of the group in which the dear ways are asked")
    options.add_argument("--pairs", type=int, default=10, help="labelled pairs for a trained judge; 0 for none")
    options.add_argument("--agree", default=TRAINED, help="the trained judge")
    chosen = options.parse_args()
    pairs = list(load_pairs())
    games = group_of_games(pairs)
    load = os.getloadavg()[0]
    CONSOLE.print(
        f"{MODEL}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"load {load:.1f} before the start"
    )
    scorer = open_scorer(MODEL)
    assert isinstance(scorer, TorchScorer)
    bare = TorchScorer(MODEL, fingerprint="bench", weights=scorer._weights, limit_bytes=0)
    anew, kept, label, fast = asyncio.run(prices(games, min(chosen.games, len(games)), scorer, bare))
    table = Table("judge", "seconds a group of 8", "of processor", "asked", title=f"a group: {len(games)} games")
    for price in (anew, kept, label, fast):
        table.add_row(price.name, f"{price.seconds:.1f}", f"{price.worked:.1f}", outcomes(price.verdicts))
    CONSOLE.print(table)
    known = scorer.prefixes.reused / max(1, scorer.prefixes.reused + scorer.prefixes.read)
    changed = differ(label.verdicts, fast.verdicts)
    CONSOLE.print(f"tokens of prompts taken from memory: {known:.0%}")
    CONSOLE.print(f"verdicts that shared blocks changed: {changed} of {len(label.verdicts)}")
    CONSOLE.print(f"verdicts that llama.cpp's kept prompts changed: {differ(anew.verdicts, kept.verdicts)}")
    for name, price in (("full / fast", anew), ("full with prompts kept / fast", kept), ("label / fast", label)):
        CONSOLE.print(f"{name}: {price.worked / fast.worked:.2f}")
    CONSOLE.print(f"same winner in the same games, full and fast: {agreement(anew.verdicts, fast.verdicts)}")
    if chosen.pairs and Path(chosen.agree.removeprefix("run:")).exists():
        few = pairs[:: max(1, len(pairs) // chosen.pairs)][: chosen.pairs]
        asyncio.run(calibrated(chosen.agree, few, open_scorer(chosen.agree)))
    elif chosen.pairs:
        CONSOLE.print(f"{chosen.agree} is not here, so no trained judge was compared; `make run` makes one")
    cheaper = anew.worked / fast.worked
    reached = cheaper >= TARGET and not changed
    CONSOLE.print(
        f"\nfull / fast {cheaper:.1f}, target {TARGET}; same bits {not changed}: {'reached' if reached else 'MISSED'}"
    )
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
