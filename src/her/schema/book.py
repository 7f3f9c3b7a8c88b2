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


class Book(Record):
    """A text as it was read, with its chapters. Spans of scenes and speech point into `text`."""

    id: str
    title: str
    text: str
    chapters: tuple[Chapter, ...]
    licence: str | None = None
    """None: the licence is not known."""
