"""Comparison, Principle, Verdict and Preference: two replies, what is asked of them, and what was found."""

from typing import Annotated, Literal

from pydantic import Field

from her.schema.record import Record
from her.schema.scene import Scene
from her.schema.turn import Provenance, Turn

Winner = Literal["cand_1", "cand_2", "tie"]

DIMENSIONS = (
    "Character Development",
    "Relationship Development",
    "Emotional Expression",
    "Action Description",
    "Atmosphere & Environment",
    "Dialogue & Interaction",
    "Narrative & Plot",
    "Conflict & Tension",
    "Details & Description",
    "Overall Quality",
    "Safety & Boundaries",
    "Worldview Consistency",
)
"""HER's twelve dimensions, in the paper's order."""
_SWAPPED: dict[Winner, Winner] = {"cand_1": "cand_2", "cand_2": "cand_1", "tie": "tie"}


class Principle(Record):
    """One rule by which replies are compared (HER §3.2)."""

    name: str
    dimension: str
    polarity: Literal["negative", "positive"]
    """negative: a flaw; the candidate that commits it loses at once. positive: a quality, weighed against others."""
    level: Literal["sentence", "session"]
    """sentence: judged on the reply alone; session: needs the history."""
    definition: str
    good: str
    """A short reply that keeps the principle."""
    bad: str
    """A short reply that breaks it."""
    author: str
    """Who wrote the entry: a person, or the name of the model that did."""
    pairs: tuple[str, ...] = ()
    """Ids of the labelled pairs it was induced from; none where it was written without."""


class Comparison(Record):
    """Two replies of one character at one place in a scene."""

    id: str
    scene: Scene
    history: tuple[Turn, ...]
    character: str
    cand_1: Turn
    cand_2: Turn

    def swap(self) -> "Comparison":
        """The same question in the other order; twice is identity. The id stays: it names the pair, not the order."""
        return Comparison(
            id=self.id,
            scene=self.scene,
            history=self.history,
            character=self.character,
            cand_1=self.cand_2,
            cand_2=self.cand_1,
        )


class PrincipleFinding(Record):
    """Which candidate one principle favours."""

    principle: str
    winner: Winner

    def swap(self) -> "PrincipleFinding":
        return PrincipleFinding(principle=self.principle, winner=_SWAPPED[self.winner])


class Decided(Record):
    """A verdict that was read."""

    kind: Literal["decided"] = "decided"
    winner: Winner
    findings: tuple[PrincipleFinding, ...] = ()
    margin: float | None = None
    """How much better cand_1 is (positive) or cand_2 (negative), in the judge's own unit; None where it gives none."""

    def swap(self) -> "Decided":
        """The same verdict about the swapped comparison."""
        return Decided(
            winner=_SWAPPED[self.winner],
            findings=tuple(f.swap() for f in self.findings),
            margin=None if self.margin is None else -self.margin,
        )


class Unparsed(Record):
    """A verdict that could not be read. It is counted, shown and never rewarded."""

    kind: Literal["unparsed"] = "unparsed"
    reason: str

    def swap(self) -> "Unparsed":
        return self


Verdict = Annotated[Decided | Unparsed, Field(discriminator="kind")]


class Preference(Record):
    """A comparison with its label."""

    comparison: Comparison
    winner: Winner
    principle: str
    """The principle that decides."""
    reason: str
    labeller: Provenance

    def swap(self) -> "Preference":
        """The same preference in the other order; twice is identity."""
        return Preference(
            comparison=self.comparison.swap(),
            winner=_SWAPPED[self.winner],
            principle=self.principle,
            reason=self.reason,
            labeller=self.labeller,
        )
