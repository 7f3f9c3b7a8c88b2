"""GroupReward: from the sampled replies to one prompt to one reward each, or none.

Owns the order of things: gates, then games among the survivors until the schedule has no more, then `score`. What is
pure (planning, scoring) is elsewhere; here is the only step that asks anybody. In a trainer and behind the scoring
service the same object does the work, so both give the same bits.
"""

from collections.abc import Sequence

from her.errors import VerdictError
from her.llm.model import FinishReason
from her.reward.games import ANCHOR, next_games
from her.reward.gates import GateConfig, Gated, gate
from her.reward.judge import Judge, ask
from her.reward.score import GroupConfig, GroupScore, PlayedGame, RewardedReply, results, score
from her.schema import Comparison, RLPrompt, Turn

__all__ = ["GroupConfig", "GroupReward", "GroupScore", "PlayedGame", "RewardedReply"]


class GroupReward:
    """Callable: prompt, texts and finish reasons in; one RewardedReply each out."""

    def __init__(self, judge: Judge, *, gates: GateConfig, config: GroupConfig | None = None) -> None:
        self.judge = judge
        self.gates = gates
        self.config = config or GroupConfig()

    async def __call__(
        self, prompt: RLPrompt, texts: Sequence[str], finish_reasons: Sequence[FinishReason | None]
    ) -> list[RewardedReply]:
        return list((await self.score(prompt, texts, finish_reasons)).replies)

    async def score(
        self, prompt: RLPrompt, texts: Sequence[str], finish_reasons: Sequence[FinishReason | None]
    ) -> GroupScore:
        """The same, with the games and their verdicts."""
        if len(texts) != len(finish_reasons):
            raise VerdictError(f"{len(texts)} replies but {len(finish_reasons)} finish reasons; the group is damaged")
        gated = [
            gate(t, prompt, finish_reason=f, config=self.gates) for t, f in zip(texts, finish_reasons, strict=True)
        ]
        return score(gated, await self._play(prompt, gated), config=self.config)

    async def _play(self, prompt: RLPrompt, gated: Sequence[Gated]) -> list[PlayedGame]:
        """Ask the judge, round by round, what the schedule wants to know."""
        turns = {ANCHOR: prompt.reference} | {i: g.turn for i, g in enumerate(gated) if g.turn is not None}
        alive = [i for i in turns if i != ANCHOR]
        plan = self.config.plan()
        played: list[PlayedGame] = []
        while pairs := next_games(plan, len(alive), results(played, alive)):
            places = [tuple(i if i == ANCHOR else alive[i] for i in pair) for pair in pairs]
            verdicts = await ask(self.judge, [_comparison(prompt, turns, first, second) for first, second in places])
            played += [
                PlayedGame(first=first, second=second, verdict=verdict)
                for (first, second), verdict in zip(places, verdicts, strict=True)
            ]
        return played


def _comparison(prompt: RLPrompt, turns: dict[int, Turn], first: int, second: int) -> Comparison:
    return Comparison(
        id=f"{prompt.id}.{first}.{second}",
        scene=prompt.scene,
        history=prompt.history,
        character=prompt.character,
        cand_1=turns[first],
        cand_2=turns[second],
    )
