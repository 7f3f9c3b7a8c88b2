"""Sampling: from prompts to labelled pairs. A policy replies n times, its replies meet by schedule, a judge decides.

Owns the order: sample, gate, pair, ask both ways round. Two orders that disagree are a tie and are counted; a game that
could not be read is no pair; a reply that fails a gate meets nobody. Every one of these is counted by name. HER pairs
replies by their number and asks one order (HER §4.2); the circulant here gives each reply both places equally often.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from her.errors import DeadLetterError, ReplyError
from her.llm.model import ChatModel, Request
from her.reward.games import circulant
from her.reward.gates import GateConfig, gate
from her.reward.judge import Joint, Judge, both_orders
from her.schema import Comparison, Decided, Preference, Record, RLPrompt, Turn

NO_PRINCIPLE = "(not named)"


class SampleConfig(Record):
    """How candidates are made and who meets whom."""

    n: int = Field(default=4, ge=2)
    """Replies to a prompt."""
    k: int = Field(default=1, ge=1)
    """Offsets of the circulant: k·n pairs a prompt, less those that a gate breaks."""
    temperature: float = Field(default=1.0, ge=0)
    max_tokens: int = Field(default=400, gt=0)
    seed: int = 0
    concurrency: int = Field(default=4, ge=1)


class Judged(Record):
    """What a judge said of one pair, both ways round. Kept beside the pairs: balancing needs the findings."""

    id: str
    joint: Joint


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Comparisons to be labelled, and what came of every reply."""

    comparisons: tuple[Comparison, ...]
    replies: dict[str, int]
    """`fit`, or why a reply meets nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Pairs with labels, the verdicts behind them, and what came of every comparison."""

    pairs: tuple[Preference, ...]
    judged: tuple[Judged, ...]
    outcomes: dict[str, int]
    """`decided`, `tie`, `inconsistent` (kept as a tie), or `unread: REASON` (no pair)."""


async def sample(policy: ChatModel, prompts: Sequence[RLPrompt], *, config: SampleConfig, gates: GateConfig) -> Sampled:
    """Let the policy reply and pair what passes the gates. Equal replies are one reply."""
    counts: Counter[str] = Counter()
    busy = asyncio.Semaphore(config.concurrency)

    async def reply(prompt: RLPrompt, index: int) -> Turn | None:
        request = Request(
            messages=prompt.messages,
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            seed=config.seed,
            sample_index=index,
        )
        async with busy:
            try:
                answer = await policy.reply(request)
            except (ReplyError, DeadLetterError):
                counts["no_reply"] += 1
                return None
        found = gate(answer.text, prompt, finish_reason=answer.finish_reason, config=gates)
        counts[found.fault or "fit"] += 1
        return None if found.turn is None else found.turn.model_copy(update={"id": prompt.turn_id})

    async def pairs(prompt: RLPrompt) -> list[Comparison]:
        replies = await asyncio.gather(*(reply(prompt, i) for i in range(config.n)))
        fit: list[Turn] = []
        for turn in (t for t in replies if t is not None):
            if any(turn.parts == other.parts for other in fit):
                counts["fit"] -= 1
                counts["said_twice"] += 1
            else:
                fit.append(turn)
        met = circulant(len(fit), config.k)
        # Two replies meet once: the other order is asked of every pair anyway.
        once = [(i, j) for at, (i, j) in enumerate(met) if (j, i) not in met[:at]]
        return [_comparison(prompt, fit[i], fit[j], f"{prompt.id}.{i}.{j}") for i, j in once]

    made = await asyncio.gather(*(pairs(p) for p in prompts))
    return Sampled(comparisons=tuple(c for found in made for c in found), replies=dict(sorted((+counts).items())))


async def label(judge: Judge, comparisons: Sequence[Comparison]) -> Labelled:
    """Ask a judge both orders of every comparison."""
    outcomes: Counter[str] = Counter()
    pairs: list[Preference] = []
    judged: list[Judged] = []
    for asked, joint in zip(comparisons, await both_orders(judge, comparisons), strict=True):
        verdict = joint.verdict
        judged.append(Judged(id=asked.id, joint=joint))
        if not isinstance(verdict, Decided):
            outcomes[f"unread: {verdict.reason}"] += 1
            continue
        outcomes["inconsistent" if not joint.consistent else "tie" if verdict.winner == "tie" else "decided"] += 1
        principle = next((f.principle for f in verdict.findings if f.winner == verdict.winner), NO_PRINCIPLE)
        pairs.append(
            Preference(
                comparison=asked,
                winner=verdict.winner,
                principle=principle,
                reason=f"{judge.name}, {'both orders' if joint.consistent else 'whose orders disagree'}",
                labeller="teacher",
            )
        )
    return Labelled(pairs=tuple(pairs), judged=tuple(judged), outcomes=dict(sorted(outcomes.items())))


def _comparison(prompt: RLPrompt, first: Turn, second: Turn, ident: str) -> Comparison:
    return Comparison(
        id=ident,
        scene=prompt.scene,
        history=prompt.history,
        character=prompt.character,
        cand_1=first,
        cand_2=second,
    )
