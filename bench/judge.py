"""What a verdict costs: written in full, read as one label, and read as one label from a prompt that is kept.

    python -m bench.judge              # some minutes on two cores; --groups and --pairs for more

One run on one embedded model. Groups of 8 replies to one prompt play the default schedule (circulant, 16 games); every
judge answers the same games. Replies are the shipped story's own: pairs of one scene and character, together. Three
prices:

    full     the model writes its verdict under a schema (llama.cpp, both with and without keeping prompts)
    label    the label's probability after the prompt (transformers), every prompt read anew
    fast     the same, to the same bits, with the blocks that prompts share read once

Then the fast verdict against the full one, in the same games and on labelled pairs in both orders: how often they name
the same winner.
"""

import argparse
import asyncio
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from her.llm import open_model, open_scorer
from her.llm.engines.torch_scorer import TorchScorer
from her.reward import both_orders, circulant, load_pack
from her.reward.brief import SMALL, Brief
from her.reward.generative import GenerativeJudge
from her.reward.judge import Judge
from her.reward.measure import credit
from her.reward.scored import ScoredJudge
from her.schema import Comparison, Decided, Preference, Unparsed, Verdict
from her.stats import share
from her.story import load_pairs

CONSOLE = Console(highlight=False, soft_wrap=True)
MODEL = "local:smollm2-135m"
GROUP = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One judge over all groups."""

    name: str
    seconds: tuple[float, ...]
    """A group, by the clock on the wall."""
    worked: tuple[float, ...]
    """A group, of processor time: what is compared, because a busy machine does not change it much."""
    verdicts: tuple[Verdict, ...]


def groups(pairs: Sequence[Preference], *, count: int) -> list[list[Comparison]]:
    """The games of `count` groups: 8 replies from pairs of one scene and character, all put at one place."""
    scenes: dict[str, list[Preference]] = {}
    for p in pairs:
        scenes.setdefault(f"{p.comparison.scene.id}/{p.comparison.character}", []).append(p)
    found = []
    for _, members in sorted(scenes.items(), key=lambda item: (-len(item[1]), item[0])):
        replies = [t for p in members for t in (p.comparison.cand_1, p.comparison.cand_2)][:GROUP]
        if len(replies) < GROUP:
            continue
        place = members[0].comparison
        found.append(
            [
                place.model_copy(update={"id": f"{place.id}.{i}.{j}", "cand_1": replies[i], "cand_2": replies[j]})
                for i, j in circulant(GROUP, 2)
            ]
        )
    if len(found) < count:
        raise SystemExit(f"the shipped pairs make {len(found)} groups of {GROUP}; ask for no more")
    return found[:count]


async def timed(name: str, judge: Judge, games: Sequence[Sequence[Comparison]]) -> Price:
    seconds, worked, verdicts = [], [], []
    for group in games:
        started, used = time.perf_counter(), time.process_time()
        verdicts += await judge.judge(group)
        seconds.append(time.perf_counter() - started)
        worked.append(time.process_time() - used)
        CONSOLE.print(f"{name}: group {len(seconds)} of {len(games)}, {worked[-1]:.1f} s of processor")
    return Price(name=name, seconds=tuple(seconds), worked=tuple(worked), verdicts=tuple(verdicts))


def full_judge(brief: Brief, *, reproducible: bool) -> GenerativeJudge:
    model = open_model(MODEL, reproducible=reproducible)
    return GenerativeJudge(model, load_pack(None), brief=brief, max_tokens=200, concurrency=1 if reproducible else 4)


async def prices(games: Sequence[Sequence[Comparison]], scorer: TorchScorer, bare: TorchScorer) -> list[Price]:
    """Every judge on the same games. Models are loaded and warm before the clock runs."""
    pack = load_pack(None)
    taken = []
    for name, reproducible in (("full, prompts read anew", True), ("full, prompts kept", False)):
        judge = full_judge(SMALL, reproducible=reproducible)
        await judge.judge(games[0][:1])
        taken.append(await timed(name, judge, games))
        await judge._model.close()
    for name, used in (("label, prompts read anew", bare), ("fast: label, shared blocks kept", scorer)):
        label = ScoredJudge(used, pack, brief=SMALL, swap_average=False)
        taken.append(await timed(name, label, games))
    return taken


def differ(a: Sequence[Verdict], b: Sequence[Verdict]) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def agreement(first: Sequence[Verdict], second: Sequence[Verdict]) -> str:
    """How often two judges name the same winner where both decided."""
    both = [
        (a.winner, b.winner)
        for a, b in zip(first, second, strict=True)
        if isinstance(a, Decided) and isinstance(b, Decided) and "tie" not in (a.winner, b.winner)
    ]
    found = share(sum(a == b for a, b in both), len(both))
    if found.value is None:
        return "no pair that both decided"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}], n={found.n}"


async def calibrated(pairs: Sequence[Preference], scorer: TorchScorer) -> None:
    """Full and fast on the same labelled pairs, both orders of each."""
    asked = [p.comparison for p in pairs]
    full = full_judge(SMALL, reproducible=True)
    written = await both_orders(full, asked)
    await full._model.close()
    read = await both_orders(ScoredJudge(scorer, load_pack(None), brief=SMALL, swap_average=False), asked)
    CONSOLE.print(f"\n{len(pairs)} labelled pairs, both orders of each")
    orders = [[j.first for j in joints] + [j.second for j in joints] for joints in (written, read)]
    CONSOLE.print(f"same winner, asked once: {agreement(*orders)}")
    CONSOLE.print(
        f"same winner, both orders joined: {agreement([j.verdict for j in written], [j.verdict for j in read])}"
    )
    for name, joints in (("full", written), ("fast", read)):
        unread = sum(isinstance(j.verdict, Unparsed) for j in joints)
        decided = [(p, j.verdict) for p, j in zip(pairs, joints, strict=True) if isinstance(j.verdict, Decided)]
        right = sum(credit(p, v) for p, v in decided) / max(1, len(decided))
        alike = sum(bool(j.consistent) for j in joints)
        first = [v for j in joints for v in (j.first, j.second.swap()) if isinstance(v, Decided) and v.winner != "tie"]
        habit = sum(v.winner == "cand_1" for v in first) / max(1, len(first))
        CONSOLE.print(
            f"{name}: right {right:.2f} of {len(decided)}, both orders alike {alike}, unread {unread}, "
            f"whoever stands first wins {habit:.2f}"
        )


def main() -> None:
    """Measure and print; exit code 1 if a target is missed."""
    # As the command line does, before torch or the embedded engine is loaded: threads that wait by spinning starve each
    # other, and what is measured would be their waiting.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    options = argparse.ArgumentParser(prog="python -m bench.judge", description=__doc__)
    options.add_argument("--groups", type=int, default=2)
    options.add_argument("--pairs", type=int, default=24, help="labelled pairs; 0 for none")
    chosen = options.parse_args()
    pairs = list(load_pairs())
    games = groups(pairs, count=chosen.groups)
    load = os.getloadavg()[0]
    CONSOLE.print(
        f"{MODEL}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"load {load:.1f} before the start"
    )
    scorer = open_scorer(MODEL)
    assert isinstance(scorer, TorchScorer)
    bare = TorchScorer(MODEL, fingerprint="bench", weights=scorer._weights, limit_bytes=0)
    taken = asyncio.run(prices(games, scorer, bare))
    table = Table(
        "judge", "seconds a group of 8", "of processor", "unread", title=f"{len(games)} groups, 16 games each"
    )
    for price in taken:
        unread = sum(isinstance(v, Unparsed) for v in price.verdicts)
        times = (f"{statistics.median(s):.1f}" for s in (price.seconds, price.worked))
        table.add_row(price.name, *times, f"{unread} of {len(price.verdicts)}")
    CONSOLE.print(table)
    anew, kept, label, fast = taken
    known = scorer.prefixes.reused / max(1, scorer.prefixes.reused + scorer.prefixes.read)
    CONSOLE.print(f"tokens of prompts taken from memory: {known:.0%}")
    CONSOLE.print(f"verdicts that reading shared blocks once changed: {differ(label.verdicts, fast.verdicts)}")
    CONSOLE.print(f"verdicts that llama.cpp's kept prompts changed: {differ(anew.verdicts, kept.verdicts)}")
    ratios = {
        "full / fast": [a / b for a, b in zip(anew.worked, fast.worked, strict=True)],
        "full with prompts kept / fast": [a / b for a, b in zip(kept.worked, fast.worked, strict=True)],
        "label without / with shared blocks": [a / b for a, b in zip(label.worked, fast.worked, strict=True)],
    }
    for name, found in ratios.items():
        CONSOLE.print(f"{name}: {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})")
    CONSOLE.print(f"same winner in the same game, full and fast: {agreement(anew.verdicts, fast.verdicts)}")
    if chosen.pairs:
        asyncio.run(calibrated(pairs[:: max(1, len(pairs) // chosen.pairs)][: chosen.pairs], scorer))
    cheaper = statistics.median(ratios["full / fast"])
    exact = differ(label.verdicts, fast.verdicts) == 0
    reached = cheaper >= 4 and exact
    CONSOLE.print(f"\nfull / fast {cheaper:.1f}, target 4, same bits {exact}: {'reached' if reached else 'MISSED'}")
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
