"""Mark: what one item earned on one metric, or why it earned nothing that could be read.

Owns the rule that there is no number for an unread reply: a mark is `Scored` or `Unscored`, and nothing turns one into
the other. `ItemScore` holds all marks of one item with what a reader needs to doubt them.
"""

from typing import Annotated, Literal

from pydantic import Field

from her.schema import Record


class Scored(Record):
    """A value that was earned."""

    kind: Literal["scored"] = "scored"
    metric: str
    value: float
    judge: str | None
    """Who gave it; None for code and for the mean over a panel."""


class Unscored(Record):
    """A value that nobody can tell. It is counted, by reason, and never averaged."""

    kind: Literal["unscored"] = "unscored"
    metric: str
    reason: str
    judge: str | None


Mark = Annotated[Scored | Unscored, Field(discriminator="kind")]


class Finding(Record):
    """A fault that a judge named, for the report to show beside its line."""

    metric: str
    judge: str
    kind: str
    """The type of fault, in the benchmark's own words."""
    severity: float | None
    """None where the protocol has none."""
    line: int | None
    """Which line of the play, from 0; None where the judge named none that can be found."""
    text: str


class Control(Record):
    """Something beside the score that could explain it: turns, tokens, overlap, what a blind guesser would earn."""

    name: str
    value: float


class ItemScore(Record):
    """One item, one repeat."""

    item_id: str
    cluster: str
    """Items of one cluster (story, scene, book) are not independent; intervals resample clusters."""
    repeat: int
    title: str | None
    """The book it comes from, for contamination; None where there is none."""
    facets: dict[str, str]
    """What figures are broken down by: `order: 2`, `deception: yes`."""
    marks: tuple[Mark, ...]
    controls: tuple[Control, ...]
    findings: tuple[Finding, ...]
    answer: str | None
    """What was read of the reply, where the benchmark has one answer an item."""
    gold: str | None
