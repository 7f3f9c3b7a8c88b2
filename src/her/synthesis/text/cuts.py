"""Cuts: a stretch of prose in pieces of at most a budget of tokens, parted where it hurts least.

Owns the preference: a border between scenes, then between two paragraphs of narration, then any paragraph, then a
sentence, then white space; the latest of the best in the second half of what still fits. Every piece fits, however
the text was typed. Knows nothing of what the pieces are for.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from her.schema import Span
from her.synthesis.text.estimate import tokens
from her.synthesis.text.paragraphs import BREAK, paragraphs
from her.synthesis.text.wording import sentences

_SPEAKS = re.compile('["“”«»„「」『』]')
_WORD = re.compile(r"\S+")
_LONGEST_WORD = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """What is not cut further. `rank`: how good it is to cut before it, 0 to 3."""

    start: int
    end: int
    tokens: int
    rank: int


def parts(text: str, span: Span, *, budget: int) -> list[Span]:
    """All of `text[span]` in contiguous pieces."""
    pieces = cut(text, paragraphs(text, span), budget=budget)
    starts = [span.start, *(p.start for p in pieces[1:])]
    return [Span(start=a, end=b) for a, b in zip(starts, [*starts[1:], span.end], strict=True)]


def cut(text: str, places: Sequence[Span], *, budget: int, scenes: Collection[int] = ()) -> list[Span]:
    """The paragraphs `places` in pieces of at most `budget` estimated tokens each. `scenes`: where scenes begin."""
    units = list(_units(text, places, budget=budget, scenes=scenes))
    found: list[Span] = []
    first = 0
    while first < len(units):
        last, filled = first, 0
        while last < len(units) and (filled + units[last].tokens <= budget or last == first):
            filled += units[last].tokens
            last += 1
        if last < len(units):
            last = _best(units, first, last, budget=budget)
        found.append(Span(start=units[first].start, end=units[last - 1].end))
        first = last
    return found


def _best(units: Sequence[_Unit], first: int, last: int, *, budget: int) -> int:
    """Where the next piece begins: at the best border behind the middle, else at `last`."""
    filled, behind = 0, [last]
    for k in range(first + 1, last):
        filled += units[k - 1].tokens
        if filled >= budget / 2:
            behind.append(k)
    return max(behind, key=lambda k: (units[k].rank, k))


def _units(text: str, places: Sequence[Span], *, budget: int, scenes: Collection[int]) -> Iterator[_Unit]:
    silent, broken = False, True
    for place in places:
        here = text[place.start : place.end]
        if BREAK.fullmatch(here):
            broken = True
            continue
        was_silent, silent = silent, not _SPEAKS.search(here)
        rank = 3 if broken or place.start in scenes else 2 if was_silent and silent else 1
        broken = False
        n = tokens(here)
        if n <= budget:
            yield _Unit(start=place.start, end=place.end, tokens=n, rank=rank)
            continue
        for a, b in _shorter(here, budget=budget):
            # With the space behind it: between short words that is much of the text.
            yield _Unit(start=place.start + a, end=place.start + b, tokens=tokens(here[a : b + 1]), rank=rank)
            rank = 0


def _shorter(here: str, *, budget: int) -> Iterator[tuple[int, int]]:
    """The sentences of a paragraph that is too long by itself; of a sentence that is, its words."""
    for start, end in sentences(here):
        if tokens(here[start:end]) <= budget:
            yield start, end
            continue
        for word in _WORD.finditer(here, start, end):
            for a in range(word.start(), word.end(), _LONGEST_WORD):
                yield a, min(a + _LONGEST_WORD, word.end())
