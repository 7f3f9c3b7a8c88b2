"""Novelty: a little more for the good replies of a group that say it in their own way.

Against a policy that settles on one template (HER §5.4; an additive term inside the group, as in diversity-aware
GRPO). Three fences keep it from paying for noise: only replies that are worth at least the group's median get any, what
one gets another loses, and all of it is a share of the group's own spread, so a group whose replies do not differ in
worth stays without a signal.
"""

from collections.abc import Sequence
from statistics import median
from typing import Protocol

from pydantic import Field

from her.llm.model import FinishReason
from her.renderers.spoken_thought import runs
from her.reward.group import RewardedReply
from her.schema import Record, RLPrompt, Turn


class NoveltyConfig(Record):
    """How much novelty counts."""

    weight: float = Field(default=0.1, ge=0, le=0.5)
    """Share of the group's spread of rewards that lies between a copy and a reply unlike all others; 0: off."""
    gram: int = Field(default=3, gt=0)
    """Words in a row by which replies are compared."""


class Rewards(Protocol):
    """What a group of replies is worth. `her.reward.GroupReward` is one."""

    async def __call__(
        self, prompt: RLPrompt, texts: Sequence[str], finish_reasons: Sequence[FinishReason | None]
    ) -> Sequence[RewardedReply]: ...


class NovelReward:
    """A reward with the term added; gated and unread replies are left as they are."""

    def __init__(self, inner: Rewards, config: NoveltyConfig) -> None:
        self.inner, self.config = inner, config

    async def __call__(
        self, prompt: RLPrompt, texts: Sequence[str], finish_reasons: Sequence[FinishReason | None]
    ) -> list[RewardedReply]:
        return with_novelty(await self.inner(prompt, texts, finish_reasons), self.config)


def with_novelty(replies: Sequence[RewardedReply], config: NoveltyConfig) -> list[RewardedReply]:
    """The group's replies, the better half's rewards moved by how new each is. Their mean stays."""
    known = [(i, r.turn, r.reward) for i, r in enumerate(replies) if r.turn is not None and r.reward is not None]
    out = list(replies)
    if not config.weight or len(known) < 3:
        return out
    rewards = [reward for _, _, reward in known]
    spread, middle = max(rewards) - min(rewards), median(rewards)
    new = novelty([turn for _, turn, _ in known], gram=config.gram)
    good = [place for place, reward in enumerate(rewards) if reward >= middle]
    usual = sum(new[place] for place in good) / len(good)
    for place in good:
        i, _, reward = known[place]
        out[i] = replies[i].model_copy(update={"reward": reward + config.weight * spread * (new[place] - usual)})
    return out


def novelty(turns: Sequence[Turn], *, gram: int) -> list[float]:
    """From 0 (a copy of every other) to 1: half by the runs of words that others perceive, half by the layout."""
    shown = [runs(" ".join(p.text for p in t.parts if p.kind != "thought"), gram) for t in turns]
    layouts = [t.layout() for t in turns]
    others = max(1, len(turns) - 1)
    found = []
    for i, mine in enumerate(shown):
        alike = sum(_jaccard(mine, theirs) for j, theirs in enumerate(shown) if j != i) / others
        same = (layouts.count(layouts[i]) - 1) / others
        found.append(1 - (alike + same) / 2)
    return found


def _jaccard(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b) if a or b else 1.0
