"""Chunks: a chapter in stretches that one request can hold, cut at the borders of scenes where that is possible.

Owns the stretch and its halves. A chunk never crosses a chapter. By rules a chunk is also what a plot is: a stretch of
a chapter. Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from her.schema import Chapter, Span
from her.synthesis.extraction.scenes import body, groups, utterances
from her.synthesis.text.cuts import cut
from her.synthesis.text.estimate import tokens
from her.synthesis.text.prose import Prose
from her.synthesis.text.wording import normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One stretch of a chapter."""

    id: str
    chapter: Chapter
    span: Span
    paragraphs: tuple[Span, ...]

    def shown(self, prose: Prose) -> str:
        """The stretch as a model reads it: a paragraph a line, blank lines between, no furniture."""
        return "\n\n".join(normalise(prose.text[p.start : p.end]) for p in self.paragraphs)

    def halves(self, prose: Prose) -> tuple["Chunk", ...]:
        """Two chunks in its place; itself where it cannot be cut."""
        budget = max(1, -(-sum(tokens(prose.text[p.start : p.end]) for p in self.paragraphs) * 2 // 3))
        pieces = cut(prose.text, self.paragraphs, budget=budget)
        if len(pieces) < 2:
            return (self,)
        both = (pieces[0], Span(start=pieces[1].start, end=pieces[-1].end))
        return tuple(
            Chunk(id=f"{self.id}{side}", chapter=self.chapter, span=p, paragraphs=_within(self.paragraphs, p))
            for side, p in zip("ab", both, strict=True)
        )


def _within(places: Sequence[Span], span: Span) -> tuple[Span, ...]:
    """The paragraphs inside `span`, cut to it."""
    return tuple(
        Span(start=max(p.start, span.start), end=min(p.end, span.end))
        for p in places
        if p.start < span.end and p.end > span.start
    )


def chunks(prose: Prose, chapter: Chapter, *, budget: int) -> list[Chunk]:
    """The chunks of a chapter, each of at most `budget` estimated tokens."""
    places = body(prose, chapter)
    spoken = utterances(prose, places, chapter=chapter.number)
    starts = {group[0].start for group in groups(prose, places, spoken)}
    return [
        Chunk(
            id=f"{prose.book.id}.c{chapter.number:02d}.k{n:02d}",
            chapter=chapter,
            span=piece,
            paragraphs=_within(places, piece),
        )
        for n, piece in enumerate(cut(prose.text, places, budget=budget, scenes=starts), start=1)
    ]
