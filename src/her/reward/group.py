"""GroupReward: from the sampled replies to one prompt to one reward each, or none.

Owns the order of things: gates, games among the survivors, ratings, belief. Batch scaling is the trainer's, because
only it sees the batch; a group is never divided by its own standard deviation, which turns noise into full-size
rewards.

The scale. Circulant and round robin: Bradley-Terry strengths in logits, centred on the group's survivors, shrunk by
their reliability; typically within ±2. Anchor: the mean over games of +1 win, 0 tie, -1 loss (HER §5.1). A gated
reply gets `gate_penalty` less than the worst survivor, and never more than -`gate_penalty`. A reply that survived but
whose games could not be read gets None, never a number. A lone survivor among gated replies gets 0: it beat them at
the gate.
"""

from collections.abc import Sequence

from pydantic import Field

from her.errors import VerdictError
from her.llm.model import FinishReason
from her.reward import games as schedules
from her.reward.games import ANCHOR, Game, ScheduleName
from her.reward.gates import GateConfig, gate
from her.reward.judge import Judge, ask
from her.reward.ratings import bradley_terry, reliability
from her.schema import Comparison, Decided, Record, RLPrompt, Turn


class GroupConfig(Record):
    """How replies to one prompt become rewards."""

    schedule: ScheduleName = "circulant"
    k: int = Field(default=2, gt=0)
    """Circulant: offsets 1..k, k·n games. Two give about 0.7-0.78 correlation with quality where the paper's anchor in
    one order gives about 0.5, at twice the calls (tests/unit/test_reward_simulation.py)."""
    anchor_both_orders: bool = False
    """Anchor: False is the paper's one order."""
    ridge: float = Field(default=0.5, gt=0)
    """Precision of the prior on strengths: zeroes about half of the groups whose replies do not differ."""
    shrink: bool = True
    """Take off what chance explains?"""
    gate_penalty: float = Field(default=1.0, gt=0)


class RewardedReply(Record):
    """One reply's reward, and where it comes from."""

    reward: float | None
    """None: it may play, but no game of it was read."""
    gated: str | None
    turn: Turn | None
    games: int
    """Games read."""
    unread: int
    """Games played but not read."""
    wins: int
    ties: int


class GroupReward:
    """Callable: prompt, texts and finish reasons in; one RewardedReply each out."""

    def __init__(self, judge: Judge, *, gates: GateConfig, config: GroupConfig | None = None) -> None:
        self.judge = judge
        self.gates = gates
        self.config = config or GroupConfig()

    async def __call__(
        self, prompt: RLPrompt, texts: Sequence[str], finish_reasons: Sequence[FinishReason | None]
    ) -> list[RewardedReply]:
        if len(texts) != len(finish_reasons):
            raise VerdictError(f"{len(texts)} replies but {len(finish_reasons)} finish reasons; the group is damaged")
        gated = [
            gate(t, prompt, finish_reason=f, config=self.gates) for t, f in zip(texts, finish_reasons, strict=True)
        ]
        alive = [i for i, g in enumerate(gated) if g.turn is not None]
        turns = [g.turn for g in gated if g.turn is not None]
        pairs = self._pairs(len(turns))
        verdicts = await ask(self.judge, [_comparison(prompt, turns, pair) for pair in pairs]) if pairs else []
        played: list[Game] = []
        unread = [0] * len(turns)
        for (first, second), verdict in zip(pairs, verdicts, strict=True):
            if isinstance(verdict, Decided):
                score = {"cand_1": 1.0, "tie": 0.5, "cand_2": 0.0}[verdict.winner]
                played.append(Game(first=first, second=second, score=score))
            else:
                for i in (first, second):
                    if i != ANCHOR:
                        unread[i] += 1
        mine = [[g.score if g.first == i else 1 - g.score for g in played if i in (g.first, g.second)]
                for i in range(len(turns))]  # fmt: skip
        rewards = self._rewards(len(turns), played, mine, alone=len(turns) == 1 and len(texts) > 1)
        floor = min([0.0, *(r for r in rewards if r is not None)]) - self.config.gate_penalty
        out = [RewardedReply(reward=floor, gated=g.fault, turn=None, games=0, unread=0, wins=0, ties=0) for g in gated]
        for i, place in enumerate(alive):
            out[place] = RewardedReply(
                reward=rewards[i],
                gated=None,
                turn=turns[i],
                games=len(mine[i]),
                unread=unread[i],
                wins=mine[i].count(1.0),
                ties=mine[i].count(0.5),
            )
        return out

    def _pairs(self, n: int) -> list[tuple[int, int]]:
        if self.config.schedule == "anchor":
            return schedules.anchor(n, both_orders=self.config.anchor_both_orders)
        if self.config.schedule == "round_robin":
            return schedules.round_robin(n)
        return schedules.circulant(n, self.config.k)

    def _rewards(self, n: int, played: list[Game], mine: list[list[float]], *, alone: bool) -> list[float | None]:
        if self.config.schedule == "anchor":
            return [2 * sum(m) / len(m) - 1 if m else None for m in mine]
        if alone:
            return [0.0]
        strengths = bradley_terry([(n, played)], ridge=self.config.ridge).strengths[0]
        belief = reliability(n, played, strengths, ridge=self.config.ridge) if self.config.shrink else 1.0
        return [s * belief if m else None for s, m in zip(strengths, mine, strict=True)]


def _comparison(prompt: RLPrompt, turns: Sequence[Turn], pair: tuple[int, int]) -> Comparison:
    first, second = (prompt.reference if i == ANCHOR else turns[i] for i in pair)
    return Comparison(
        id=f"{prompt.id}.{pair[0]}.{pair[1]}",
        scene=prompt.scene,
        history=prompt.history,
        character=prompt.character,
        cand_1=first,
        cand_2=second,
    )
