"""SynthPage: what a synthesis has to say for itself, in one record.

Owns the shape of its `report.json`. It computes nothing but sums: whoever ran the stages fills it in. No clock is in
it, so that a run that was killed and went on ends with the same bytes as one that was not.
"""

from typing import Literal

from her.evals.run_report import ModelLine, SampleDialogue
from her.renderers.layouts import Layouts
from her.schema import Record
from her.stats import Estimate


class Count(Record):
    """One line of the counts. `of`: out of how many; None where it is no part of anything."""

    what: str
    n: int
    of: int | None = None


class LostRow(Record):
    """What one stage gave up, and which answers it refused on the way, by reason."""

    stage: str
    rejected: dict[str, int]
    refused: dict[str, int]


class CharacterRow(Record):
    """One character's gains."""

    name: str
    value: Estimate
    positive: Estimate


class GainSection(Record):
    """Gains of one layer, in nats per token of the source's reply."""

    layer: Literal["thought", "system_thinking"]
    values: tuple[float, ...]
    """One for each turn measured."""
    value: Estimate
    positive: Estimate
    """Share above nothing."""
    over_without: Estimate
    over_shuffled: Estimate
    copied: Estimate
    characters: tuple[CharacterRow, ...]
    unmeasured: dict[str, int]
    """Reason to turns that have no gain."""

    def name(self) -> str:
        return self.layer.replace("_", " ")


class CallRow(Record):
    """What was asked of a model under one heading."""

    what: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """None: the model's price is not known, or the endpoint did not say how many tokens it counted."""


class SynthPage(Record):
    """A whole synthesis."""

    run: str
    title: str
    """Of the book."""
    models: tuple[ModelLine, ...]
    """Teacher, and scorer where gains were measured."""
    seed: int
    versions: dict[str, str]
    counts: tuple[Count, ...]
    speech_found: Count | None
    """Turns whose speech stands in the text word for word; None where there is no text to look in."""
    lost: tuple[LostRow, ...]
    layouts_before: Layouts
    layouts_after: Layouts
    gains: tuple[GainSection, ...] | None
    """None: gains were not asked for."""
    flags: dict[str, int]
    """Kind of doubt to count."""
    calls: tuple[CallRow, ...]
    samples: tuple[SampleDialogue, ...]

    def rejected(self) -> int:
        return sum(sum(row.rejected.values()) for row in self.lost)

    def refused(self) -> int:
        return sum(sum(row.refused.values()) for row in self.lost)

    def cost_usd(self) -> float | None:
        """All of it; None where a part is not known."""
        costs = [row.cost_usd for row in self.calls]
        known = [c for c in costs if c is not None]
        return sum(known) if len(known) == len(costs) else None
