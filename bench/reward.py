"""What each schedule of games tells of the true order of a group's replies, and what it costs.

    python -m bench.reward             # a minute; --groups for tighter figures

A simulation (`her.reward.tournament`): qualities are known, so the correlation of reward with quality can be taken
within each group. The judge is noisy, calls close pairs ties and favours the first place. Seeded: the same figures
every time. Second table: what becomes of a batch in which some groups differ and others do not.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from her.reward.games import Pair, Schedule, anchor, circulant
from her.reward.ratings import Floats
from her.reward.score import batch_scaled
from her.reward.tournament import Tournament, World, correlations, dead, fitted, play

CONSOLE = Console(highlight=False)
WORLDS = {
    "ref = policy mean": World(),
    "ref 2 sd better": World(reference=2.0),
    "sharp judge": World(slope=3.0),
    "1 in 4 unread": World(unread=0.25),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A schedule and how its games become rewards."""

    name: str
    games: Schedule | Sequence[Pair]
    fit: bool
    """Bradley-Terry strengths; else the mean score."""

    def rewards(self, tournament: Tournament) -> Floats:
        return fitted(tournament) if self.fit else tournament.means()


def methods(n: int) -> list[Method]:
    circles = [Schedule(name="circulant", k=k) for k in (1, 2, 3)]
    one_way = [(i, j) for i in range(n) for j in range(i + 1, n)]
    return [
        Method(name="anchor, one order (paper)", games=Schedule(name="anchor"), fit=False),
        Method(name="anchor, both orders", games=Schedule(name="anchor", both_orders=True), fit=False),
        Method(name="circulant:1", games=circles[0], fit=False),
        Method(name="circulant:2", games=circles[1], fit=False),
        Method(name="circulant:2, Bradley-Terry (default)", games=circles[1], fit=True),
        Method(
            name="circulant:1 and anchor, Bradley-Terry",
            games=[*circulant(n, 1), *anchor(n, both_orders=False)],
            fit=True,
        ),
        Method(
            name="circulant:1 in both orders", games=[*circulant(n, 1), *((j, i) for i, j in circulant(n, 1))], fit=True
        ),
        Method(name="knockout, Bradley-Terry", games=Schedule(name="knockout"), fit=True),
        Method(name="circulant:3, Bradley-Terry", games=circles[2], fit=True),
        Method(name="each pair once, i before j", games=one_way, fit=False),
        Method(name="round robin, Bradley-Terry", games=Schedule(name="round_robin"), fit=True),
    ]


def batch(*, groups: int, n: int, seed: int) -> dict[str, float]:
    """Correlation of advantages with true quality over a batch that mixes spreads 0, 0.5, 1 and 2."""
    parts = [
        play(
            Schedule(name="circulant", k=2),
            groups=groups // 4,
            n=n,
            world=World(spread=s),
            rng=np.random.default_rng((seed, i)),
        )
        for i, s in enumerate((0.0, 0.5, 1.0, 2.0))
    ]
    truth = np.concatenate([p.qualities_Bn - p.qualities_Bn.mean(axis=1, keepdims=True) for p in parts]).ravel()
    raw, shrunk = (np.concatenate([fitted(p, shrink=s) for p in parts]) for s in (False, True))
    own = raw / np.maximum(raw.std(axis=1, keepdims=True), 1e-9)
    ways = {"the group's own deviation": own, "the batch's": raw, "shrunk, then the batch's (default)": shrunk}
    scaled = {name: np.array(batch_scaled(values.tolist()), dtype=float).ravel() for name, values in ways.items()}
    return {name: float(np.corrcoef(values, truth)[0, 1]) for name, values in scaled.items()}


def main() -> None:
    """Simulate and print; exit code 1 if a target is missed."""
    options = argparse.ArgumentParser(prog="python -m bench.reward", description=__doc__)
    options.add_argument("--groups", type=int, default=2000)
    options.add_argument("--size", type=int, default=8, help="replies in a group")
    options.add_argument("--seed", type=int, default=7)
    chosen = options.parse_args()
    started = time.monotonic()
    table = Table("schedule", "calls", *WORLDS, title=f"groups of {chosen.size}, {chosen.groups} of each")
    first: dict[str, float] = {}
    for method in methods(chosen.size):
        cells, calls = [], 0
        for world in WORLDS.values():
            rng = np.random.default_rng(chosen.seed)
            t = play(method.games, groups=chosen.groups, n=chosen.size, world=world, rng=rng)
            rewards, calls = method.rewards(t), t.calls
            told = float(correlations(rewards, t.qualities_Bn).mean())
            first.setdefault(method.name, told)
            share = float(dead(rewards).mean())
            cells.append(f"{told:.2f}" + (f" ({share:.0%} dead)" if share >= 0.005 else ""))
        table.add_row(method.name, str(calls), *cells)
    CONSOLE.print(table)
    CONSOLE.print("mean correlation of reward with quality within a group; dead: groups in which no reward differs\n")
    lines = batch(groups=chosen.groups, n=chosen.size, seed=chosen.seed)
    CONSOLE.print("advantages and true quality over a batch of mixed groups, rewards divided by:")
    for name, value in lines.items():
        CONSOLE.print(f"  {name}: {value:.2f}")
    CONSOLE.print(f"\n{time.monotonic() - started:.0f} s")
    if chosen.size != 8:
        return
    default, paper = first["circulant:2, Bradley-Terry (default)"], first["anchor, one order (paper)"]
    reached = default >= 0.75 and abs(paper - 0.54) <= 0.03
    CONSOLE.print(
        f"circulant:2 with Bradley-Terry at 16 calls: {default:.3f}, target 0.75; anchor in one order: {paper:.3f}, "
        f"about 0.54: {'reached' if reached else 'MISSED'}"
    )
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
