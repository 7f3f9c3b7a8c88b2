"""Measuring a judge against labelled pairs: how often right, how often of one mind, how often silent, how fond of
length.

Every pair is asked in both orders. A pair scores 1 where verdict and label agree, 1/2 where just one of them is a
tie, 0 where they name different winners; a pair that was not read scores nothing and is counted apart. Intervals
resample whole scenes, because pairs of one scene are not independent.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import get_args

from her.errors import VerdictError
from her.llm.ledger_rows import Tally
from her.reward.controls import LengthJudge as LengthJudge
from her.reward.judge import Joint, Judge, both_orders
from her.reward.length import Layer as Layer
from her.reward.length import LengthBias, LengthCorrelation, length_correlation, won_by_longer
from her.reward.length import length as length
from her.schema import Decided, Preference, Record, Unparsed, Verdict
from her.stats import Estimate, clustered_score, share


class PrincipleAccuracy(Record):
    """Accuracy on the pairs that one principle decides."""

    principle: str
    accuracy: Estimate


class TokensPerVerdict(Record):
    """What one verdict takes on average, with all that it needs: principles that were written for it, too. Read: prompt
    tokens (for a judge that is not asked but scored, the scored ones alone). Written: tokens of the answers."""

    read: float
    written: float
    verdicts: int
    calls: int
    """Paid calls behind them."""


class JudgeReport(Record):
    """What a judge is worth on some pairs."""

    judge: str
    fingerprint: str
    pairs: int
    accuracy: Estimate
    """Over pairs read in both orders; two orders that disagree are a tie."""
    one_order: Estimate
    """The same over single questions, each order a question: what a caller gets who asks once."""
    swap_consistency: Estimate
    """Share of pairs read in both orders whose orders name the same winner. 1 by construction where not
    `positional`."""
    positional: bool
    first_place: Estimate
    """Share of decided questions won by whoever stood first; 1/2 is fair."""
    ties: Estimate
    """Share of read pairs whose joint verdict is a tie."""
    unread: Estimate
    """Share of pairs with an order that could not be read."""
    unread_reasons: dict[str, int]
    lengths: tuple[LengthBias, ...]
    """For the whole reply and each layer."""
    length_correlation: LengthCorrelation
    mixed_selection: Estimate
    """Share of answers with two findings or more in which each candidate wins one (HER: about 70% healthy, about 6%
    collapsed). n=0: the judge writes no such answer."""
    tokens: TokensPerVerdict | None
    """None: the judge asks no model, the model does not say, or nobody counted."""
    principles: tuple[PrincipleAccuracy, ...]

    def score(self) -> float:
        """One number to choose by: accuracy, an unread pair counting as a coin toss. Not for reporting."""
        silent = self.unread.value or 0.0
        return (1 - silent) * (0.0 if self.accuracy.value is None else self.accuracy.value) + silent / 2


async def measure(
    judge: Judge, preferences: Sequence[Preference], *, seed: int = 0, spent: Callable[[], Tally] | None = None
) -> JudgeReport:
    """Ask both orders of every pair and count. `spent` says what these questions have cost,
    once they are answered."""
    if not preferences:
        raise VerdictError("no labelled pairs to measure a judge on; give at least one")
    joints = await both_orders(judge, [p.comparison for p in preferences])
    asked = list(zip(preferences, joints, strict=True))
    read = [(p, j, j.verdict) for p, j in asked if isinstance(j.verdict, Decided)]
    single = [(p, v, place) for p, j in asked for v, place in ((j.first, 1), (j.second, 2)) if isinstance(v, Decided)]
    decided = [(v, place) for _, v, place in single if v.winner != "tie"]
    first = sum((v.winner == "cand_1") == (place == 1) for v, place in decided)
    judged = [(p.comparison, v.winner) for p, _, v in read]
    labelled = [(p.comparison, p.winner) for p in preferences]
    by_principle = groupby(sorted(read, key=lambda r: r[0].principle), key=lambda r: r[0].principle)
    return JudgeReport(
        judge=judge.name,
        fingerprint=judge.fingerprint,
        pairs=len(asked),
        accuracy=_accuracy([(p, v) for p, _, v in read], seed=seed),
        one_order=_accuracy([(p, v) for p, v, _ in single], seed=seed),
        swap_consistency=share(sum(bool(j.consistent) for _, j, _ in read), len(read)),
        positional=judge.positional,
        first_place=share(first, len(decided)),
        ties=share(sum(v.winner == "tie" for _, _, v in read), len(read)),
        unread=share(len(asked) - len(read), len(asked)),
        unread_reasons=_reasons(joints),
        lengths=tuple(
            LengthBias(
                layer=layer,
                judged=won_by_longer(judged, layer),
                labelled=won_by_longer(labelled, layer),
            )
            for layer in get_args(Layer)
        ),
        length_correlation=LengthCorrelation(
            judged=length_correlation(judged, seed=seed), labelled=length_correlation(labelled, seed=seed)
        ),
        mixed_selection=mixed_selection([v for j in joints for v in (j.first, j.second)]),
        tokens=None if spent is None else _tokens(spent(), verdicts=len(asked) * (2 if judge.positional else 1)),
        principles=tuple(
            PrincipleAccuracy(principle=name, accuracy=_accuracy([(p, v) for p, _, v in rows], seed=seed))
            for name, rows in by_principle
        ),
    )


def select(reports: Sequence[JudgeReport]) -> JudgeReport:
    """The judge to reward with: best score on the pairs set aside for choosing; the earlier of equals."""
    if not reports:
        raise VerdictError("no judge was measured, so none can be chosen")
    return max(reports, key=lambda r: r.score())


def credit(preference: Preference, verdict: Decided) -> float:
    """1 for the label, 1/2 where just one side is a tie, 0 for the other reply."""
    if preference.winner == verdict.winner:
        return 1.0
    return 0.5 if "tie" in (preference.winner, verdict.winner) else 0.0


def mixed_selection(verdicts: Sequence[Verdict]) -> Estimate:
    """Share of verdicts with at least two findings in which each candidate wins at least one."""
    sides = [{f.winner for f in v.findings} for v in verdicts if isinstance(v, Decided) and len(v.findings) > 1]
    return share(sum({"cand_1", "cand_2"} <= found for found in sides), len(sides))


def _accuracy(rows: Sequence[tuple[Preference, Decided]], *, seed: int) -> Estimate:
    return clustered_score([credit(p, v) for p, v in rows], [p.comparison.scene.id for p, _ in rows], seed=seed)


def _tokens(tally: Tally, *, verdicts: int) -> TokensPerVerdict | None:
    if not tally.calls or not tally.prompt_tokens:
        return None
    return TokensPerVerdict(
        read=tally.prompt_tokens / verdicts,
        written=tally.completion_tokens / verdicts,
        verdicts=verdicts,
        calls=tally.calls,
    )


def _reasons(joints: Sequence[Joint]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for joint in joints:
        if isinstance(joint.verdict, Unparsed):
            counts[joint.verdict.reason] = counts.get(joint.verdict.reason, 0) + 1
    return dict(sorted(counts.items()))
