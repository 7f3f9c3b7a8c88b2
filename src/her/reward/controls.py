"""Controls: what looks like a judge and does not read. They are measured beside judges and never rewarded with.

Labels that a control predicts are labels that a judge can learn without reading. A judge that cannot beat every control
has not been shown to read.
"""

from collections.abc import Mapping, Sequence

from her.renderers.overlap import bleu
from her.renderers.overlap import words as tokens
from her.reward.length import Layer, length
from her.schema import Comparison, Decided, Turn, Unparsed, Verdict
from her.store import canonical, sha256_text


class LengthJudge:
    """The longer reply wins, or the longer thought, or the shorter speech."""

    positional = False

    def __init__(self, layer: Layer, *, longer: bool = True) -> None:
        control = f"{'longer' if longer else 'shorter'}-{layer}"
        self.name = f"control:{control}"
        self.fingerprint = f"control-1:{control}"
        self._sign = 1 if longer else -1
        self._layer: Layer = layer

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        return [
            _decided(self._sign * (length(c.cand_1, self._layer) - length(c.cand_2, self._layer))) for c in comparisons
        ]


class RandomJudge:
    """A coin for every pair of replies, the same in both orders and in every run with the same seed."""

    name = "control:random"
    positional = False

    def __init__(self, *, seed: int = 0) -> None:
        self.fingerprint = f"control-1:random:{seed}"
        self._seed = seed

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for c in comparisons:
            first, second = (canonical(t.model_dump(mode="json")) for t in (c.cand_1, c.cand_2))
            heads = int(sha256_text(canonical([self._seed, c.id, *sorted((first, second))]))[:8], 16) % 2 == 0
            verdicts.append(_decided(0 if first == second else 1 if heads == (first < second) else -1))
        return verdicts


Place = tuple[str, str]
"""A scene's id and a turn's."""


class OverlapJudge:
    """The reply with the higher BLEU to what was really said there wins; unread where nobody knows what was."""

    name = "control:bleu"
    positional = False

    def __init__(self, references: Mapping[Place, Turn]) -> None:
        self.fingerprint = "control-1:bleu"
        self._references = references

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        return [self._one(c) for c in comparisons]

    def _one(self, comparison: Comparison) -> Verdict:
        reference = self._references.get((comparison.scene.id, comparison.cand_1.id))
        if reference is None:
            return Unparsed(reason="no_reference")
        said = _tokens(reference)
        # Two words together, not four: whole replies share a run of four with their reference too rarely to differ.
        first, second = (bleu(said, _tokens(t), most=2) for t in (comparison.cand_1, comparison.cand_2))
        if first is None or second is None:
            return Unparsed(reason="no_words")
        return _decided(first - second)


def _tokens(turn: Turn) -> list[str]:
    return tokens(" ".join(p.text for p in turn.parts))


def _decided(gap: float) -> Decided:
    return Decided(winner="tie" if gap == 0 else "cand_1" if gap > 0 else "cand_2")
