"""Propose, evaluate, revise: one labelled pair becomes a principle that explains its label, or a counted reject.

A proposal is evaluated blind: the teacher judges the same pair with that rule alone and without the label, in both
orders. A rule under which it does not come to the label is told so and written again. The steps are Auto-Rubric's
(arXiv 2510.17314); what a pair was judged with no rule at all is recorded beside them, because a rule that confirms
what the judge thought already has explained nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from her.errors import DeadLetterError, ReplyError, TeacherError
from her.llm.model import ChatModel, Request
from her.reward.brief import FULL, Brief
from her.reward.generative import GenerativeJudge
from her.reward.induction.proposal import proposal_messages, proposal_schema, read_proposal
from her.reward.judge import both_orders
from her.reward.pack import Pack
from her.schema import Preference, Principle, Record, Winner
from her.stage import Progress

SMALL_BRIEF = Brief(max_turns=2, max_words=20, max_findings=1, verdict_style="label")
"""For a teacher of a few hundred million parameters: a short place, and a verdict read from one token."""
NO_RULE = Pack(
    name="none",
    version="1",
    principles=(
        Principle(
            name="Better Reply",
            dimension="Overall Quality",
            polarity="positive",
            level="session",
            definition="The reply is the better one.",
            good="a",
            bad="b",
            author="her",
        ),
    ),
)
"""A judge must have a pack. With a brief that lists nothing, this one says nothing, in the schema either."""


class ProposeConfig(Record):
    """How principles are asked for."""

    brief: Brief = FULL
    """What the teacher is shown of a pair. `max_principles` does not count here: one rule is shown."""
    per_pair: int = Field(default=1, gt=0)
    """Proposals for each pair, each in a conversation of its own."""
    revisions: int = Field(default=1, ge=0)
    """How often a rule that failed is written again."""
    guided: bool = False
    """Is the engine asked to hold each text to a form? For small teachers."""
    max_tokens: int = Field(default=500, gt=0)
    temperature: float = Field(default=0.7, ge=0)
    seed: int = 0
    concurrency: int = Field(default=4, gt=0)


class Candidate(Record):
    """A principle that explains its pair."""

    principle: Principle
    pair: str
    attempts: int
    without_rule: Winner | None
    """The teacher's verdict on the pair with no rule at all; None where it could not be read."""
    was_right: bool
    """Was that the label already?"""


Step = Literal["propose", "evaluate", "embed", "select"]


class Reject(Record):
    """A proposal that came to nothing, and why."""

    pair: str
    number: int
    """Which proposal for the pair, from 0."""
    step: Step
    reason: str
    detail: str
    """The last answer's fault, in words; never a hidden thought."""


@dataclass(slots=True, kw_only=True)
class Proposed:
    """What a round of proposals came to."""

    candidates: list[Candidate] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Every answer that was refused, by step and reason, those that were mended later too."""
    calls: int = 0
    """Proposals asked for, revisions included."""


async def propose(teacher: ChatModel, pairs: Sequence[Preference], config: ProposeConfig, told: Progress) -> Proposed:
    """Ask about every pair. An endpoint that is down stops it; an answer that cannot be used costs one attempt."""
    proposed, done = Proposed(), 0
    gate = asyncio.Semaphore(config.concurrency)

    async def one(pair: Preference) -> list[Candidate | Reject]:
        nonlocal done
        async with gate:
            before = await _verdict(teacher, pair, None, config)
            found = [await _conversation(teacher, pair, n, before, config, proposed) for n in range(config.per_pair)]
        done += 1
        told(done, len(pairs), f"{sum(isinstance(f, Candidate) for f in found)} rules from {pair.comparison.id}")
        return found

    for found in await asyncio.gather(*(one(pair) for pair in pairs)):
        proposed.candidates += [f for f in found if isinstance(f, Candidate)]
        proposed.rejects += [f for f in found if isinstance(f, Reject)]
    return proposed


async def _conversation(
    teacher: ChatModel, pair: Preference, number: int, before: Winner | None, config: ProposeConfig, counts: Proposed
) -> Candidate | Reject:
    """One proposal with its revisions."""
    failed, step, reason, fault = "", "propose", "", ""
    for attempt in range(config.revisions + 1):
        messages = proposal_messages(
            config.brief.preference(pair), role_thinking=config.brief.role_thinking, failed=failed, fault=fault
        )
        request = Request(
            messages=messages,
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            top_p=0.95,
            seed=config.seed,
            json_schema=proposal_schema(guided=config.guided),
            sample_index=number * (config.revisions + 1) + attempt,
        )
        counts.calls += 1
        try:
            reply = await teacher.reply(request)
            failed = reply.text[:2000]
            pack = read_proposal(reply, pair, author=teacher.name)
            verdict = await _verdict(teacher, pair, pack, config)
            if verdict == pair.winner:
                return Candidate(
                    principle=pack.principles[0],
                    pair=pair.comparison.id,
                    attempts=attempt + 1,
                    without_rule=before,
                    was_right=before == pair.winner,
                )
            step, reason, fault = "evaluate", *_missed(verdict)
        except TeacherError as e:
            step, reason, fault = "propose", e.reason, str(e)
        except DeadLetterError as e:
            step, reason, fault, failed = "propose", "dead_letter", e.reason, ""
        except ReplyError as e:
            step, reason, fault, failed = "propose", "no_reply", str(e), ""
        counts.refused[f"{step}.{reason}"] += 1
    return Reject(
        pair=pair.comparison.id,
        number=number,
        step="evaluate" if step == "evaluate" else "propose",
        reason=reason,
        detail=fault[:200],
    )


def _missed(verdict: Winner | None) -> tuple[str, str]:
    if verdict is None:
        return "unread", "a reader who knew only this rule gave no verdict that could be read"
    if verdict == "tie":
        return "no_difference", "a reader who knew only this rule saw no difference between the two replies"
    return "other_reply", "a reader who knew only this rule chose the other reply"


async def _verdict(teacher: ChatModel, pair: Preference, rule: Pack | None, config: ProposeConfig) -> Winner | None:
    """The teacher's verdict on a pair, both orders, with one rule or none; None where it could not be read."""
    limits = {**config.brief.model_dump(), "max_principles": 0 if rule is None else None}
    judge = GenerativeJudge(teacher, rule or NO_RULE, brief=Brief.model_validate(limits), concurrency=2)
    (joint,) = await both_orders(judge, [pair.comparison])
    return joint.verdict.winner if joint.verdict.kind == "decided" else None
