"""Measuring a judge against labelled pairs: how often right, how often of one mind, how often silent, how fond of
length.

Every pair is asked in both orders. A pair scores 1 where verdict and label agree, 1/2 where just one of them is a
tie, 0 where they name different winners; a pair that was not read scores nothing and is counted apart. Intervals
resample whole scenes, because pairs of one scene are not independent.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Literal, get_args

from her.errors import VerdictError
from her.reward.gates import words
from her.reward.judge import Joint, Judge, both_orders
from her.schema import Comparison, Decided, Preference, Record, Turn, Unparsed, Verdict
from her.stats import Estimate, clustered_mean, share

Layer = Literal["reply", "thought", "action", "speech"]


class PrincipleAccuracy(Record):
    """Accuracy on the pairs that one principle decides."""

    principle: str
    accuracy: Estimate


class LengthBias(Record):
    """Who is preferred where lengths differ. A judge's share far from the labels' is a taste of the judge; a labels'
    share far from 1/2 is a way to guess them without reading."""

    layer: Layer
    judged: Estimate
    """Share of decided pairs won by the longer."""
    labelled: Estimate
    """Share of labelled pairs won by the longer."""


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
    principles: tuple[PrincipleAccuracy, ...]

    def score(self) -> float:
        """One number to choose by: accuracy, an unread pair counting as a coin toss. Not for reporting."""
        silent = self.unread.value or 0.0
        return (1 - silent) * (0.0 if self.accuracy.value is None else self.accuracy.value) + silent / 2


async def measure(judge: Judge, preferences: Sequence[Preference], *, seed: int = 0) -> JudgeReport:
    """Ask both orders of every pair and count."""
    if not preferences:
        raise VerdictError("no labelled pairs to measure a judge on; give at least one")
    joints = await both_orders(judge, [p.comparison for p in preferences])
    asked = list(zip(preferences, joints, strict=True))
    read = [(p, j, j.verdict) for p, j in asked if isinstance(j.verdict, Decided)]
    single = [(p, v, place) for p, j in asked for v, place in ((j.first, 1), (j.second, 2)) if isinstance(v, Decided)]
    decided = [(v, place) for _, v, place in single if v.winner != "tie"]
    first = sum((v.winner == "cand_1") == (place == 1) for v, place in decided)
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
                judged=_longer([(p.comparison, v.winner) for p, _, v in read], layer),
                labelled=_longer([(p.comparison, p.winner) for p in preferences], layer),
            )
            for layer in get_args(Layer)
        ),
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


def length(turn: Turn, layer: Layer) -> int:
    """Words of one layer, or of all three (`reply`)."""
    return sum(len(words(p.text)) for p in turn.parts if layer in ("reply", p.kind))


class LengthJudge:
    """A control, not a judge: the longer reply wins, or the longer thought, or the shorter speech.

    Labels that a control predicts are labels that a judge can learn without reading. A judge that cannot beat every
    control has not been shown to read.
    """

    positional = False

    def __init__(self, layer: Layer, *, longer: bool = True) -> None:
        control = f"{'longer' if longer else 'shorter'}-{layer}"
        self.name = f"control:{control}"
        self.fingerprint = f"control-1:{control}"
        self._sign = 1 if longer else -1
        self._layer: Layer = layer

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        lengths = [self._sign * (length(c.cand_1, self._layer) - length(c.cand_2, self._layer)) for c in comparisons]
        return [Decided(winner="tie" if d == 0 else "cand_1" if d > 0 else "cand_2") for d in lengths]


def _accuracy(rows: Sequence[tuple[Preference, Decided]], *, seed: int) -> Estimate:
    return clustered_mean([credit(p, v) for p, v in rows], [p.comparison.scene.id for p, _ in rows], seed=seed)


def _longer(rows: Sequence[tuple[Comparison, str]], layer: Layer) -> Estimate:
    lengths = [(length(c.cand_1, layer), length(c.cand_2, layer), w) for c, w in rows if w != "tie"]
    differ = [(a > b) == (w == "cand_1") for a, b, w in lengths if a != b]
    return share(sum(differ), len(differ))


def _reasons(joints: Sequence[Joint]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for joint in joints:
        if isinstance(joint.verdict, Unparsed):
            counts[joint.verdict.reason] = counts.get(joint.verdict.reason, 0) + 1
    return dict(sorted(counts.items()))
