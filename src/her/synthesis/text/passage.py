"""Passage: what a source says around one dialogue, cut out of its book.

A dialogue is worked with its passage and without its book, so that any process can do it. Offsets stay those of
`Book.text`. Owns which of the text may support an addition to the scene's setting: what stands before the scene's first
word, because a setting describes what is so before the dialogue; in a curated file the whole plot, because the file
does not say where in it the dialogue begins.
"""

from collections.abc import Collection

from her.schema import Book, Dialogue, Record, Span

REACH = 24_000
"""Characters before a scene's first word that a passage holds at most: some fifteen pages."""


class Passage(Record):
    """A stretch of a book, furniture blanked (see `Book.read`)."""

    start: int
    """Offset of the text's first character in `Book.text`."""
    text: str
    quotable: Span | None
    """Where a quote may come from; None where nothing stands before the scene's first word."""

    def at(self, span: Span) -> str | None:
        """What the book says at `span`; None where the passage does not reach so far."""
        low, high = span.start - self.start, span.end - self.start
        return self.text[low:high] if low >= 0 and high <= len(self.text) else None

    def quotable_text(self) -> str:
        """The part of the text that a quote may come from."""
        return "" if self.quotable is None else self.text[self._low() : self.quotable.end - self.start]

    def _low(self) -> int:
        return self.quotable.start - self.start if self.quotable is not None else 0


def passage_of(book: Book, dialogue: Dialogue, *, spoken: Collection[Span]) -> Passage | None:
    """The passage of a dialogue whose words stand at `spoken`; None for a scene that no book tells."""
    scene = dialogue.scene
    if scene.span is None:
        return None
    if dialogue.provenance == "imported":
        whole = scene.span
        return Passage(start=whole.start, text=book.read(whole), quotable=whole)
    first = min((s.start for s in spoken), default=scene.span.start)
    chapter = next((c.span for c in book.chapters if c.span.start <= scene.span.start < c.span.end), scene.span)
    start = max(chapter.start, first - REACH)
    end = max([scene.span.end, *(s.end for s in spoken)])
    quotable = Span(start=start, end=first) if first > start else None
    return Passage(start=start, text=book.read(Span(start=start, end=end)), quotable=quotable)
