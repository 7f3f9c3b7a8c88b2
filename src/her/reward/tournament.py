"""Tournament: what a schedule can tell of the true order, by simulation. The argument for the default schedule.

Qualities are N(0, 1) within a group. The judge is logistic in their difference with slope 1.5, ties where two are hard
to tell apart (Rao & Kupper: a band on each side, about 15% ties), and favours the first place by N(0.5, 0.5) logits,
one draw a group. Plans, ratings and shrinkage are the ones that reward a policy. B groups of n replies, R games.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her.reward.games import ANCHOR, Pair, Schedule, next_games
from her.reward.ratings import Floats, design, rate_all

Plans = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How qualities and the judge are drawn."""

    spread: float = 1.0
    """Standard deviation of quality within a group."""
    reference: float = 0.0
    """Quality of the fixed reference; 0 is the policy's mean."""
    slope: float = 1.5
    band: float = 0.5
    """Logits on each side that are called a tie."""
    favour: float = 0.5
    favour_spread: float = 0.5
    """The judge's taste for the first place: mean and deviation between groups, logits."""
    unread: float = 0.0
    """Share of games without a verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tournament:
    """What was played. Scores are NaN where a game was not read."""

    n: int
    qualities_Bn: Floats
    design_BRP: Floats
    scores_BR: Floats

    @property
    def calls(self) -> int:
        """Judge calls a group."""
        return int(self.scores_BR.shape[1])

    def means(self) -> Floats:
        """Mean score of each reply over its games that were read (1/2 where none was): the reward without a model."""
        x_BRn = self.design_BRP[..., : self.n]
        there = (~np.isnan(self.scores_BR))[..., None]
        scores = np.nan_to_num(self.scores_BR)[..., None]
        got = np.where(x_BRn > 0, scores, 1 - scores) * (x_BRn != 0) * there
        games = ((x_BRn != 0) & there).sum(axis=1)
        return np.where(games > 0, got.sum(axis=1) / np.maximum(1, games), 0.5)


def play(
    schedule: Schedule | Sequence[Pair], *, groups: int, n: int, world: World, rng: np.random.Generator
) -> Tournament:
    """Play a schedule, or a fixed list of pairs, in many groups."""
    qualities_Bn = world.spread * rng.normal(size=(groups, n))
    favour_B1 = rng.normal(world.favour, world.favour_spread, size=(groups, 1))
    strengths_BP = np.hstack([qualities_Bn, np.full((groups, 1), world.reference)])
    designs: list[Floats] = []
    scores: list[Floats] = []
    while True:
        plans = _plans(schedule, groups, n, designs, scores)
        if not plans.size:
            break
        z = world.slope * (
            np.take_along_axis(strengths_BP, plans[..., 0] % (n + 1), axis=1)
            - np.take_along_axis(strengths_BP, plans[..., 1] % (n + 1), axis=1)
        )
        designs.append(design(n, plans))
        scores.append(_verdicts(z + favour_B1, world, rng))
    return Tournament(
        n=n,
        qualities_Bn=qualities_Bn,
        design_BRP=np.concatenate(designs, axis=1),
        scores_BR=np.concatenate(scores, axis=1),
    )


def _plans(
    schedule: Schedule | Sequence[Pair], groups: int, n: int, designs: Sequence[Floats], scores: Sequence[Floats]
) -> Plans:
    """The next round of every group, (B, R, 2); empty at the end."""
    if not isinstance(schedule, Schedule):
        pairs = [] if scores else list(schedule)
        return np.broadcast_to(np.array(pairs, dtype=int).reshape(-1, 2), (groups, len(pairs), 2))
    if schedule.name != "knockout":
        return _plans(next_games(schedule, n, [((0, ANCHOR), 0.5)] * len(scores)), groups, n, designs, scores)
    if not scores:
        return _plans(next_games(schedule, n, []), groups, n, designs, scores)
    x, s = np.concatenate(designs, axis=1), np.concatenate(scores, axis=1)
    players = x[..., : n + 1]
    firsts, seconds = players.argmax(axis=2), players.argmin(axis=2)
    rounds = []
    for b in range(groups):
        played = [
            ((int(i), ANCHOR if j == n else int(j)), None if np.isnan(got) else float(got))
            for i, j, got in zip(firsts[b], seconds[b], s[b], strict=True)
        ]
        rounds.append(next_games(schedule, n, played))
    return np.array(rounds, dtype=int).reshape(groups, -1, 2)


def _verdicts(z: Floats, world: World, rng: np.random.Generator) -> Floats:
    win = 1 / (1 + np.exp(-(z - world.band)))
    loss = 1 / (1 + np.exp(z + world.band))
    u = rng.random(z.shape)
    scores = np.where(u < win, 1.0, np.where(u < win + loss, 0.0, 0.5))
    return np.where(rng.random(z.shape) < world.unread, np.nan, scores)


def correlations(rewards_Bn: Floats, qualities_Bn: Floats) -> Floats:
    """Correlation of reward with quality in each group; 0 where the rewards do not differ."""
    a = rewards_Bn - rewards_Bn.mean(axis=1, keepdims=True)
    b = qualities_Bn - qualities_Bn.mean(axis=1, keepdims=True)
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.where(scale > 1e-12, (a * b).sum(axis=1) / np.maximum(scale, 1e-12), 0.0)


def dead(rewards_Bn: Floats) -> NDArray[np.bool_]:
    """Is each group one in which no reward differs?"""
    level: NDArray[np.bool_] = np.ptp(rewards_Bn, axis=1) < 1e-9
    return level


def fitted(tournament: Tournament, *, ridge: float = 0.5, shrink: bool = False) -> Floats:
    """Bradley-Terry strengths, shrunk by their reliability where asked."""
    rated = rate_all(tournament.n, tournament.design_BRP, tournament.scores_BR, ridge=ridge)
    return rated.strengths_Bn * (rated.belief_B[:, None] if shrink else 1.0)
