"""The Judge protocol, and what two orders of one question come to.

A judge answers one comparison in the order given. `both_orders` asks it both ways round: orders that disagree are a
tie and are counted as inconsistent; an order that could not be read leaves the question unread. HER's own code asks
one order only and so cannot tell a preference from a habit of position (HER §4.8).
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from her.errors import VerdictError
from her.schema import Comparison, Decided, Record, Unparsed, Verdict


@runtime_checkable
class Judge(Protocol):
    """Compares two replies. Never raises for an answer it cannot read: that is `Unparsed`."""

    name: str
    fingerprint: str
    """What judges: model, prompt and settings. Part of manifests; no secrets."""
    positional: bool
    """May the answer depend on the order of the candidates? False only where the order cannot matter by
    construction."""

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        """One verdict per comparison, in order."""
        ...


class Joint(Record):
    """One question, asked both ways round. Every verdict here is in the order of the original comparison."""

    verdict: Verdict
    consistent: bool | None
    """Did both orders name the same winner? None where an order was not read."""
    first: Verdict
    """As asked."""
    second: Verdict
    """The answer to the swapped question, swapped back."""


def join(first: Verdict, second: Verdict) -> Joint:
    """What two answers to one question come to; both in the order of the original comparison."""
    if isinstance(first, Unparsed) or isinstance(second, Unparsed):
        reasons = [v.reason for v in (first, second) if isinstance(v, Unparsed)]
        verdict: Verdict = Unparsed(reason=reasons[0])
        return Joint(verdict=verdict, consistent=None, first=first, second=second)
    consistent = first.winner == second.winner
    margins = [v.margin for v in (first, second) if v.margin is not None]
    margin = sum(margins) / 2 if len(margins) == 2 else None
    agreed = tuple(f for f in first.findings if f in second.findings)
    verdict = Decided(winner=first.winner if consistent else "tie", findings=agreed, margin=margin)
    return Joint(verdict=verdict, consistent=consistent, first=first, second=second)


async def ask(judge: Judge, comparisons: Sequence[Comparison]) -> list[Verdict]:
    """One order, with the judge held to its protocol."""
    verdicts = await judge.judge(comparisons)
    if len(verdicts) != len(comparisons):
        raise VerdictError(
            f"judge {judge.name!r} gave {len(verdicts)} verdicts on {len(comparisons)} comparisons; report this judge"
        )
    return verdicts


async def both_orders(judge: Judge, comparisons: Sequence[Comparison]) -> list[Joint]:
    """Both orders of every comparison. A judge that cannot depend on the order is asked once."""
    if not judge.positional:
        return [join(v, v) for v in await ask(judge, comparisons)]
    n = len(comparisons)
    verdicts = await ask(judge, [*comparisons, *(c.swap() for c in comparisons)])
    return [join(a, b.swap()) for a, b in zip(verdicts[:n], verdicts[n:], strict=True)]
