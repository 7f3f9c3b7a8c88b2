"""Likelihood of the reference: how well the examined model expects the words that the book (or a person) really said.

Owns the control `reference likelihood`: mean log-probability in nats a token, over all reference replies of an item. It
needs no judge, so a judged score that rises while it falls is worth a look. An item whose references could not be
scored is `Unmeasured`, with the reason, and has no such control.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from her.errors import DeadLetterError
from her.evals.benchmarks.mark import Control, ItemScore
from her.llm.model import ScoreItem, Scorer
from her.schema import Record

NAME = "reference likelihood"


class Measured(Record):
    """What the references of one item came to."""

    kind: Literal["measured"] = "measured"
    item_id: str
    logprob: float
    """In nats, summed over `tokens` tokens of all references."""
    tokens: int


class Unmeasured(Record):
    """An item without the control."""

    kind: Literal["unmeasured"] = "unmeasured"
    item_id: str
    reason: str


Likelihood = Annotated[Measured | Unmeasured, Field(discriminator="kind")]


class LikelihoodLine(Record):
    """One item's line in a run's file."""

    found: Likelihood


async def measure(item_id: str, references: Sequence[ScoreItem], scorer: Scorer) -> LikelihoodLine:
    """Score all references of one item. One that exceeds the model's context leaves the item unmeasured."""
    if not references:
        return LikelihoodLine(found=Unmeasured(item_id=item_id, reason="no reference"))
    try:
        scores = await scorer.score(references)
    except DeadLetterError as e:
        return LikelihoodLine(found=Unmeasured(item_id=item_id, reason=e.reason))
    tokens = sum(s.tokens for s in scores)
    return LikelihoodLine(found=Measured(item_id=item_id, logprob=sum(s.logprob for s in scores), tokens=tokens))


def with_likelihood(scores: Sequence[ItemScore], lines: Sequence[LikelihoodLine]) -> tuple[ItemScore, ...]:
    """The scores with the control beside them, where it was measured."""
    known = {f.item_id: f.logprob / f.tokens for line in lines if isinstance(f := line.found, Measured)}
    return tuple(
        s.model_copy(update={"controls": (*s.controls, Control(name=NAME, value=known[s.item_id]))})
        if s.item_id in known
        else s
        for s in scores
    )


def missing(lines: Sequence[LikelihoodLine]) -> str | None:
    """Why items have no such control, in words; None where all have it."""
    reasons = Counter(f.reason for line in lines if isinstance(f := line.found, Unmeasured))
    if not reasons:
        return None
    return f"{reasons.total()} of {len(lines)} items: " + ", ".join(f"{why} {n}" for why, n in sorted(reasons.items()))
