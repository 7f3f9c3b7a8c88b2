"""Book, Chapter and Span: a text and where in it a thing was found."""

from pydantic import Field, model_validator

from her.schema.record import Record


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
    """A text as it was read, with its chapters. Spans of scenes and speech point into `text`, which is never cleaned."""

    id: str
    title: str
    text: str
    chapters: tuple[Chapter, ...]
    furniture: tuple[Span, ...] = ()
    """What is not the author's: licence texts, running heads, page numbers, transcriber's notes. Nobody reads it."""
    licence: str | None = None
    """None: the licence is not known."""
