"""Told: what a whole book's narration says, apart from what its people say.

Owns the reading of every chapter by rules, the chosen ones and the others: names, genders and profiles are those of
the book, not of a chapter. Knows no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from her.schema import Chapter, Span
from her.synthesis.extraction.scenes import SceneText, Utterance, body, scenes, unquoted
from her.synthesis.text.prose import Prose


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A book with its scenes and its narration, by chapter number."""

    prose: Prose
    scenes: Mapping[int, Sequence[SceneText]]
    alone: Mapping[int, Sequence[Utterance]]
    """Utterances that stand too much alone to make a scene."""
    narration: Mapping[int, Sequence[Span]]

    @classmethod
    def of(cls, prose: Prose) -> "Told":
        """Read every chapter."""
        found = {c.number: scenes(prose, c) for c in prose.book.chapters}
        return cls(
            prose=prose,
            scenes={n: s for n, (s, _) in found.items()},
            alone={n: a for n, (_, a) in found.items()},
            narration={c.number: _narration(prose, c, *found[c.number]) for c in prose.book.chapters},
        )

    def text(self) -> str:
        """All narration, a stretch a line."""
        return "\n".join(self.prose.text[s.start : s.end] for s in self.everywhere())

    def everywhere(self) -> list[Span]:
        """Every stretch of narration in reading order."""
        return [s for spans in self.narration.values() for s in spans]


def _narration(prose: Prose, chapter: Chapter, found: Sequence[SceneText], alone: Sequence[Utterance]) -> list[Span]:
    """What nobody speaks in a chapter, its heading left out."""
    pieces = [p for s in found for u in s.utterances for p in u.pieces] + [p for u in alone for p in u.pieces]
    pieces.sort(key=lambda p: p.start)
    stretches, k = [], 0
    # By paragraph, so that no sentence runs over a heading or a break.
    for place in body(prose, chapter):
        while k < len(pieces) and pieces[k].end <= place.start:
            k += 1
        last = k
        while last < len(pieces) and pieces[last].start < place.end:
            last += 1
        stretches += unquoted(prose.text, place, pieces[k:last])
    return stretches
