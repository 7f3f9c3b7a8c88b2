"""Book, Chapter and Span: a text and where in it a thing was found."""

from bisect import bisect_right
from itertools import pairwise

from pydantic import Field, model_validator

from her.schema.record import Record

BLANK = "\f"
"""What stands for every character of furniture when a book is read. White space, and found in no text of our day."""


class Span(Record):
    """A half-open range `[start, end)` of character offsets into `Book.text`."""

    start: int = Field(ge=0)
    end: int

    @model_validator(mode="after")
    def _ordered(self) -> "Span":
        if self.end <= self.start:
            raise ValueError(f"span {self.start}..{self.end} is empty or reversed")
        return self


class Chapter(Record):
    """One chapter; `number` counts from 1 in reading order."""

    number: int = Field(ge=1)
    title: str
    span: Span


class Plot(Record):
    """A stretch of a book in which one thing happens; scenes belong to it (CoSER, HER §2.1)."""

    id: str
    chapter: int
    span: Span | None
    """None for imported data that does not say."""
    summary: str | None = None
    prominence: int | None = Field(default=None, ge=0, le=100)
    """How much of the book hangs on it, as the extractor judged; None where nobody judged."""
    characters: tuple[str, ...] = ()
    """Who carries it, as named in the scenes."""


class Book(Record):
    """A text as it was read, with its chapters. Spans of scenes and speech point into `text`, never cleaned."""

    id: str
    title: str
    text: str
    chapters: tuple[Chapter, ...]
    furniture: tuple[Span, ...] = ()
    """What is not the author's: licence texts, running heads, page numbers, transcriber's notes. Nobody reads it.
    In order, and none touches another."""
    licence: str | None = None
    """None: the licence is not known."""

    @model_validator(mode="after")
    def _ordered(self) -> "Book":
        if any(a.end >= b.start for a, b in pairwise(self.furniture)):
            raise ValueError(f"the furniture of {self.id} is out of order or overlaps")
        return self

    def read(self, span: Span | None = None) -> str:
        """What the author says at `span` (default: everywhere). Furniture is blanked character by character, so that
        offsets stay those of `text`."""
        start, end = (span.start, span.end) if span is not None else (0, len(self.text))
        pieces, at = [], start
        for place in self.furniture[bisect_right(self.furniture, start, key=lambda f: f.end) :]:
            if place.start >= end:
                break
            low, high = max(place.start, start), min(place.end, end)
            pieces += [self.text[at:low], BLANK * (high - low)]
            at = high
        return "".join([*pieces, self.text[at:end]])
