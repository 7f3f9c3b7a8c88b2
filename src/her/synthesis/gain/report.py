"""What is said of gains: means and shares by layer and character, and what could not be measured.

Owns the summary, which is fed book by book, so that a shelf need not be held whole. Means are over turns, their
intervals from resampling whole dialogues, because turns of one scene are not independent.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from her.schema import Gain, Record
from her.stats import Estimate, clustered_mean, share
from her.synthesis.gain.case import GainConfig, Layer, weighed
from her.synthesis.gain.measure import GainResult


class CharacterGain(Record):
    """One character's share of a layer's gains."""

    name: str
    value: Estimate
    positive: Estimate


class LayerGain(Record):
    """A layer over all turns. Means are in nats per token, their intervals from resampling whole dialogues."""

    layer: Layer
    value: Estimate
    positive: Estimate
    """Share of turns whose layer earns more than nothing."""
    over_without: Estimate
    """Mean of given - without."""
    over_shuffled: Estimate
    """Mean of given - shuffled."""
    copied: Estimate
    characters: tuple[CharacterGain, ...]
    """By name."""
    unmeasured: dict[str, int]
    """Reason to count of turns without a gain; they are in no mean."""


class GainReport(Record):
    """What a stage says of its gains."""

    scorer: str
    fingerprint: str
    config: GainConfig
    turns: int
    """Turns of characters whose thoughts can be known."""
    layers: tuple[LayerGain, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    dialogue_id: str
    speaker: str
    gain: Gain


@dataclass(slots=True, kw_only=True)
class GainSummary:
    """Gains as they come in. `scorer`: its name; `fingerprint`: its weights."""

    scorer: str
    fingerprint: str
    config: GainConfig
    turns: int = 0
    rows: list[_Row] = field(default_factory=list)
    unmeasured: Counter[tuple[Layer, str]] = field(default_factory=Counter)

    def add(self, result: GainResult) -> None:
        """Take in what was measured of a book."""
        for d in result.dialogues:
            self.turns += sum(weighed(d, t) for t in d.turns)
            self.rows += [_Row(dialogue_id=d.id, speaker=t.speaker, gain=g) for t in d.turns for g in t.gains]
        self.unmeasured.update((u.layer, u.reason) for u in result.unmeasured)

    def report(self) -> GainReport:
        """What is known so far."""
        return GainReport(
            scorer=self.scorer,
            fingerprint=self.fingerprint,
            config=self.config,
            turns=self.turns,
            layers=tuple(self._layer(layer) for layer in self.config.layers),
        )

    def _layer(self, layer: Layer) -> LayerGain:
        rows = [row for row in self.rows if row.gain.layer == layer]
        speakers: dict[str, list[_Row]] = {}
        for row in rows:
            speakers.setdefault(row.speaker, []).append(row)
        return LayerGain(
            layer=layer,
            value=self._mean(rows, [r.gain.value for r in rows]),
            positive=_positive(rows),
            over_without=self._mean(rows, [r.gain.given - r.gain.without for r in rows]),
            over_shuffled=self._mean(rows, [r.gain.given - r.gain.shuffled for r in rows]),
            copied=self._mean(rows, [r.gain.copied for r in rows]),
            characters=tuple(
                CharacterGain(name=name, value=self._mean(own, [r.gain.value for r in own]), positive=_positive(own))
                for name, own in sorted(speakers.items())
            ),
            unmeasured={reason: n for (of, reason), n in sorted(self.unmeasured.items()) if of == layer},
        )

    def _mean(self, rows: Sequence[_Row], values: list[float]) -> Estimate:
        return clustered_mean(values, [r.dialogue_id for r in rows], seed=self.config.seed)


def _positive(rows: Sequence[_Row]) -> Estimate:
    return share(sum(r.gain.value > 0 for r in rows), len(rows))
