"""Score: from gated replies and the verdicts of their games to one reward each, or none. A pure function.

Owns the scale. Circulant, round robin and knockout: Bradley-Terry strengths in logits, centred on the group's
survivors, shrunk by their reliability; typically within ±2. Anchor: the mean over games of +1 win, 0 tie, -1 loss
(HER §5.1). A gated reply gets `gate_penalty` less than the worst survivor, and never more than -`gate_penalty`. A reply
that survived but whose games could not be read gets None, never a number. A lone survivor among gated replies gets 0:
it beat them at the gate.

A group is never divided by its own standard deviation, which turns noise into full-size rewards: `batch_scaled` divides
a whole batch by one number.
"""

import math
from collections.abc import Sequence
from typing import get_args

from pydantic import Field

from her.errors import ConfigError, VerdictError
from her.reward.games import ANCHOR, Game, Result, Schedule, ScheduleName
from her.reward.gates import Gated
from her.reward.ratings import rate
from her.schema import Decided, Record, Turn, Verdict

_POINTS = {"cand_1": 1.0, "tie": 0.5, "cand_2": 0.0}


class GroupConfig(Record):
    """How replies to one prompt become rewards."""

    schedule: ScheduleName = "circulant"
    k: int = Field(default=2, gt=0)
    """Circulant: offsets 1..k, k·n games. Two give about 0.78 correlation with quality where the paper's anchor in one
    order gives about 0.54, at twice the calls (`python -m bench.reward`)."""
    anchor_both_orders: bool = False
    """Anchor: False is the paper's one order."""
    ridge: float = Field(default=0.5, gt=0)
    """Precision of the prior on strengths: zeroes about half of the groups whose replies do not differ."""
    shrink: bool = True
    """Take off what chance explains?"""
    gate_penalty: float = Field(default=1.0, gt=0)

    def plan(self) -> Schedule:
        return Schedule(name=self.schedule, k=self.k, both_orders=self.anchor_both_orders)


def read_schedule(text: str) -> GroupConfig:
    """`circulant`, `circulant:3`, `anchor`, `anchor:2` (both orders), `round_robin` or `knockout`, as a setting."""
    name, colon, rest = text.partition(":")
    if name not in get_args(ScheduleName):
        raise ConfigError(f"no such schedule: {text!r}; one of circulant:K, anchor, anchor:2, round_robin, knockout")
    if not colon:
        return GroupConfig.model_validate({"schedule": name})
    number = int(rest) if rest.isascii() and rest.isdigit() and len(rest) < 4 else 0
    if name == "circulant" and number > 0:
        return GroupConfig(schedule="circulant", k=number)
    if name == "anchor" and number in (1, 2):
        return GroupConfig(schedule="anchor", anchor_both_orders=number == 2)
    raise ConfigError(f"{text!r} is no schedule; circulant takes 1 to 999, anchor takes 1 or 2 orders, others nothing")


class PlayedGame(Record):
    """One game with the verdict behind it. Places are numbers in the group; ANCHOR (-1) is the reference."""

    first: int
    second: int
    verdict: Verdict
    """cand_1 is `first`."""

    @property
    def points(self) -> float | None:
        """What `first` got; None where the verdict could not be read."""
        return _POINTS[self.verdict.winner] if isinstance(self.verdict, Decided) else None


class RewardedReply(Record):
    """One reply's reward, and where it comes from."""

    reward: float | None
    """None: it may play, but no game of it was read."""
    uncertainty: float | None
    """Posterior standard error of what the reward rests on, on the reward's scale and before shrinkage. None where no
    game stands behind the reward: the gated, the lone, the unread."""
    gated: str | None
    faults: tuple[str, ...]
    """Everything found at the gate, the first of them in `gated`."""
    turn: Turn | None
    games: int
    """Games read."""
    unread: int
    """Games played but not read."""
    wins: int
    ties: int


class GroupScore(Record):
    """What a group came to."""

    replies: tuple[RewardedReply, ...]
    games: tuple[PlayedGame, ...]
    belief: float | None
    """By how much the strengths were multiplied; None where none were fitted."""


def score(gated: Sequence[Gated], played: Sequence[PlayedGame], *, config: GroupConfig) -> GroupScore:
    """Rewards of a group. Raises VerdictError for a game of someone who is not in it or was gated."""
    alive = [i for i, g in enumerate(gated) if g.turn is not None]
    number = {place: i for i, place in enumerate(alive)} | {ANCHOR: ANCHOR}
    for game in played:
        if game.first not in number or game.second not in number or game.first == game.second:
            raise VerdictError(f"a game of {game.first} and {game.second} in a group of {len(gated)}; plan it anew")
    read = [
        Game(first=number[g.first], second=number[g.second], score=g.points) for g in played if g.points is not None
    ]
    mine = [
        [g.score if g.first == i else 1 - g.score for g in read if i in (g.first, g.second)] for i in range(len(alive))
    ]
    unread = [sum(g.points is None and place in (g.first, g.second) for g in played) for place in alive]
    rewards: list[float | None] = [None] * len(alive)
    errors: list[float | None] = [None] * len(alive)
    belief: float | None = None
    if config.schedule == "anchor":
        rewards = [2 * sum(m) / len(m) - 1 if m else None for m in mine]
        errors = [_beta_error(m) if m else None for m in mine]
    elif len(alive) == 1 and len(gated) > 1:
        rewards = [0.0]
    elif read:
        rated = rate(len(alive), read, ridge=config.ridge)
        belief = float(rated.belief_B[0]) if config.shrink else 1.0
        rewards = [float(s) * belief if m else None for s, m in zip(rated.strengths_Bn[0], mine, strict=True)]
        errors = [float(e) if m else None for e, m in zip(rated.errors_Bn[0], mine, strict=True)]
    floor = min([0.0, *(r for r in rewards if r is not None)]) - config.gate_penalty
    replies = []
    for place, g in enumerate(gated):
        i = number.get(place)
        replies.append(
            RewardedReply(
                reward=floor if i is None else rewards[i],
                uncertainty=None if i is None else errors[i],
                gated=g.fault,
                faults=g.faults,
                turn=g.turn,
                games=0 if i is None else len(mine[i]),
                unread=0 if i is None else unread[i],
                wins=0 if i is None else mine[i].count(1.0),
                ties=0 if i is None else mine[i].count(0.5),
            )
        )
    return GroupScore(replies=tuple(replies), games=tuple(played), belief=belief)


def results(played: Sequence[PlayedGame], alive: Sequence[int]) -> list[Result]:
    """The games as a schedule knows them: survivors by number."""
    number = {place: i for i, place in enumerate(alive)} | {ANCHOR: ANCHOR}
    return [((number[g.first], number[g.second]), g.points) for g in played]


def batch_scaled(groups: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    """Advantages: rewards about their group's mean, over the root mean square of the whole batch's. What is unknown
    stays unknown; a batch in which nothing differs stays zero."""
    centred = []
    for group in groups:
        known = [r for r in group if r is not None]
        mean = math.fsum(known) / len(known) if known else 0.0
        centred.append([None if r is None else r - mean for r in group])
    every = [r for group in centred for r in group if r is not None]
    scale = math.sqrt(math.fsum(r * r for r in every) / len(every)) if every else 0.0
    # Below this the differences are rounding; scaled up they would be noise at full size.
    return [[None if r is None else r / scale if scale > 1e-9 else 0.0 for r in group] for group in centred]


def _beta_error(scores: Sequence[float]) -> float:
    """Standard error of 2p-1, p the expected score, uniform before the games: a Beta posterior, a tie half a win."""
    a, b = 1 + sum(scores), 1 + len(scores) - sum(scores)
    return 2 * math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
