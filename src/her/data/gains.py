"""Which samples have a thought that earned its place: at least so much gain, or the top share by gain.

Pure, and independent of the order of the samples: ties at the bar fall by a seeded hash of the sample's id. Knows
nothing of how gains are measured. A sample without a gain fails every rule and is counted: an unknown worth is neither
zero nor enough. Held-out samples are not to be chosen by gain: an exam on well-foretold replies is an easier exam.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from her.errors import InputError
from her.schema import Gain, Record, Turn

Dropped = Literal["no_gain", "below_min_gain", "below_top_gain"]
Rank = tuple[float, int]
"""Gain, then the hash that breaks ties."""
_ROUNDING = 1e-9
"""So that 7% of 100 is 7: 0.07 * 100 is a little more."""


class GainRule(Record):
    """What a sample must have. Where both limits are set, it must pass each."""

    layer: Literal["thought", "system_thinking"] = "thought"
    least: float | None = None
    """Nats per token."""
    top: float | None = Field(default=None, gt=0, le=1)
    """Share of the samples that have a gain, rounded up."""
    seed: int = 0

    def gain(self, turn: Turn) -> Gain | None:
        """The turn's gain of the rule's layer; None where it was not measured."""
        return next((g for g in turn.gains if g.layer == self.layer), None)

    def rank(self, sample_id: str, gain: Gain) -> Rank:
        digest = hashlib.sha256(f"her-gain-1\0{self.seed}\0{sample_id}".encode("utf-8", "surrogatepass")).digest()
        return gain.value, int.from_bytes(digest[:8])


@dataclass(frozen=True, slots=True, kw_only=True)
class GainGate:
    """A rule with its bar, ready to be asked for one sample after another."""

    rule: GainRule
    bar: Rank | None
    """The lowest rank within the top share; None where no share is asked for, or nothing has a gain."""

    def refusal(self, sample_id: str, gain: Gain | None) -> Dropped | None:
        """Why the sample is left out; None where it is kept."""
        if self.rule.least is None and self.rule.top is None:
            return None
        if gain is None:
            return "no_gain"
        if self.rule.least is not None and gain.value < self.rule.least:
            return "below_min_gain"
        if self.bar is not None and self.rule.rank(sample_id, gain) < self.bar:
            return "below_top_gain"
        return None


def gain_gate(rule: GainRule, measured: Iterable[tuple[str, Gain]]) -> GainGate:
    """The gate for the samples among which the top share is taken, each with its id and gain.

    Raises InputError where they were measured by more than one scorer: such gains cannot be ranked together. One pass;
    a rank per sample is held in memory where a share is asked for.
    """
    ranks: list[Rank] = []
    scorers: set[str] = set()
    for sample_id, gain in measured:
        scorers.add(gain.scorer)
        if rule.top is not None:
            ranks.append(rule.rank(sample_id, gain))
    if len(scorers) > 1:
        raise InputError(
            f"gains of {len(scorers)} scorers ({', '.join(sorted(scorers))}) cannot be compared; "
            "measure all dialogues with one scorer"
        )
    if rule.top is None or not ranks:
        return GainGate(rule=rule, bar=None)
    ranks.sort(reverse=True)
    return GainGate(rule=rule, bar=ranks[math.ceil(rule.top * len(ranks) - _ROUNDING) - 1])
