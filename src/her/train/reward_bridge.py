"""RewardBridge: between a trainer's flat batches of token ids and a reward that wants whole groups of texts.

Owns decoding, the check that groups arrive whole, the record of rollouts, and the figures of a step. Of several
processes the first alone rewards: it gathers all groups and tells each process the rewards of its own. Knows no engine.
"""

import asyncio
import json
import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from her.errors import TrainError
from her.renderers.layouts import layout_stats
from her.renderers.tokens import prompt_ids
from her.renderers.variety import variety
from her.reward.features import phrases
from her.reward.group import RewardedReply
from her.schema import RLPrompt
from her.store import canonical
from her.train.policy import GroupReward, PolicyConfig, PolicyStep, Rollout
from her.train.processes import processes

Usable = tuple[RLPrompt, tuple[int, ...]]
"""A prompt with its token ids, exactly as at inference."""


def fitting(prompts: Sequence[RLPrompt], tokenizer: Any, *, most: int) -> list[Usable]:
    """The prompts of at most `most` tokens."""
    encoded = [(p, prompt_ids(p.messages, tokenizer)) for p in prompts]
    return [(p, ids) for p, ids in encoded if len(ids) <= most]


class RewardBridge:
    """TRL's reward function: a flat batch in, one number or None each out. Counts what it sees."""

    __name__ = "group_reward"

    def __init__(
        self,
        reward: GroupReward | None,
        usable: Sequence[Usable],
        tokenizer: Any,
        *,
        config: PolicyConfig,
        rollouts: Path,
        witness: GroupReward | None = None,
    ) -> None:
        self.reward, self.witness, self.usable, self.tokenizer = reward, witness, usable, tokenizer
        self.config, self.rollouts = config, rollouts
        self.ends = {int(tokenizer.eos_token_id)}
        self.seen: list[tuple[list[RewardedReply], list[list[int]]]] = []
        """Groups since the last log: rewards and completion ids."""
        self.agreed = self.compared = 0
        """Pairs since the last log on which reward and witness could be compared."""

    async def __call__(
        self, *, completion_ids: list[list[int]], number: list[int], trainer_state: Any, **rest: Any
    ) -> list[float | None]:
        here, size = processes(), self.config.group_size
        if len(number) % size or any(len(set(number[i : i + size])) != 1 for i in range(0, len(number), size)):
            raise TrainError(f"a reward call is not made of whole groups of {size}; keep whole groups on one device")
        parts = [json.loads(text) for text in here.gather(json.dumps([number, completion_ids]))]
        rewards: list[float | None] = []
        if here.first:
            numbers, ids = ([x for part in parts for x in part[i]] for i in (0, 1))
            rewards = await self._score(ids, numbers, step=int(trainer_state.global_step) + 1)
        rewards = json.loads(here.tell(json.dumps(rewards)))
        before = sum(len(part[0]) for part in parts[: here.rank])
        return rewards[before : before + len(number)]

    async def _score(self, completion_ids: list[list[int]], number: list[int], *, step: int) -> list[float | None]:
        """Rewards of whole groups."""
        size = self.config.group_size
        starts = range(0, len(number), size)
        groups = [completion_ids[i : i + size] for i in starts]
        replies = await asyncio.gather(
            *(self._group(self.usable[number[i]][0], g) for i, g in zip(starts, groups, strict=True))
        )
        every = self.config.guard.witness_every
        if self.witness is not None and every and step % every == 0:
            heard = [
                self._heard(self.usable[number[i]][0], g, r) for i, g, r in zip(starts, groups, replies, strict=True)
            ]
            for agreed, compared in await asyncio.gather(*heard):
                self.agreed, self.compared = self.agreed + agreed, self.compared + compared
        lines = []
        for i, group, rewarded in zip(starts, groups, replies, strict=True):
            self.seen.append((list(rewarded), group))
            for ids, r in zip(group, rewarded, strict=True):
                text, finish = self.text_of(ids)
                prompt_id = self.usable[number[i]][0].id
                rollout = Rollout(
                    step=step, prompt_id=prompt_id, text=text, finish_reason=finish, reward=r.reward, gated=r.gated
                )
                lines.append(canonical(rollout.model_dump(mode="json")) + "\n")
        with self.rollouts.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
        return [r.reward for rewarded in replies for r in rewarded]

    async def _group(self, prompt: RLPrompt, group: list[list[int]]) -> Sequence[RewardedReply]:
        assert self.reward is not None  # where nothing is scored, there is none
        texts, finishes = zip(*(self.text_of(ids) for ids in group), strict=True)
        rewarded = await self.reward(prompt, list(texts), list(finishes))
        if len(rewarded) != len(group):
            raise TrainError(f"{len(rewarded)} rewards for {len(group)} replies to {prompt.id!r}; mend the reward")
        if bad := [r.reward for r in rewarded if r.reward is not None and not math.isfinite(r.reward)]:
            raise TrainError(f"a reward for {prompt.id!r} is {bad[0]}; an unknown reward must be None")
        return rewarded

    async def _heard(
        self, prompt: RLPrompt, group: list[list[int]], rewarded: Sequence[RewardedReply]
    ) -> tuple[int, int]:
        """Of the pairs that both put in an order, how many in the same, and how many there are."""
        assert self.witness is not None
        texts, finishes = zip(*(self.text_of(ids) for ids in group), strict=True)
        theirs = await self.witness(prompt, list(texts), list(finishes))
        # A gate speaks for both, so a reply that it stopped says nothing about their agreement.
        known = [
            (ours.reward, other.reward)
            for ours, other in zip(rewarded, theirs, strict=True)
            if ours.gated is None and ours.reward is not None and other.reward is not None
        ]
        signs = [(a[0] - b[0]) * (a[1] - b[1]) for a, b in combinations(known, 2)]
        return sum(s > 0 for s in signs), sum(s != 0 for s in signs)

    def text_of(self, ids: list[int]) -> tuple[str, Literal["stop", "length"]]:
        """What was written, as it is: only the end of turn is taken off. (TRL would drop every special token.)"""
        ended = bool(ids) and ids[-1] in self.ends
        text = self.tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False)
        return str(text), "stop" if ended else "length"


def step_of(bridge: RewardBridge, step: int, loss: float, *, entropy: float | None, seconds: float) -> PolicyStep:
    """The figures of the groups that the bridge has seen."""
    replies = [r for rewarded, _ in bridge.seen for r in rewarded]
    completions = [ids for _, group in bridge.seen for ids in group]
    known = [[r.reward for r in rewarded if r.reward is not None] for rewarded, _ in bridge.seen]
    rewards = [x for group in known for x in group]
    texts = [" ".join(p.text for p in r.turn.parts) for r in replies if r.turn is not None]
    return PolicyStep(
        step=step,
        replies=len(replies),
        reward=sum(rewards) / len(rewards) if rewards else None,
        unknown=len(replies) - len(rewards),
        gated=sum(r.gated is not None for r in replies),
        truncated=sum(bridge.text_of(ids)[1] == "length" for ids in completions),
        groups=len(known),
        flat_groups=sum(not group or max(group) - min(group) < 1e-9 for group in known),
        games=sum(r.games for r in replies),
        unread=sum(r.unread for r in replies),
        pleasing=sum(any(phrases(text, name) for name in ("frame", "drama")) for text in texts),
        layouts=layout_stats(r.turn for r in replies if r.turn is not None),
        variety=variety([[r.turn for r in rewarded if r.turn is not None] for rewarded, _ in bridge.seen]),
        agreed=bridge.agreed,
        compared=bridge.compared,
        completion_tokens=sum(len(ids) for ids in completions) / len(completions),
        token_entropy=entropy,
        loss=loss,
        seconds=seconds,
    )
