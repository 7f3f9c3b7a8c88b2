"""Locate: where a text says what an extracting teacher copied from it.

Owns three looks, each less strict than the last: the same characters; the same but for white space, marks and
capitals; nearly the same words. Speech is looked for in what the text puts between quotation marks, joined
over the `said X` in between, so that a copy that left those words out is still found, piece by piece. Whatever was
found, the text's own words are taken and not the copy's. Nothing is found twice.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal

from her.schema import Span
from her.synthesis.text.fidelity import difference
from her.synthesis.text.wording import content_words, normalise, placed_words, words

Look = Literal["exact", "normalised", "fuzzy"]
NEAR = 0.8
"""Share of words of copy and text that must match in order. Below it, what stands there is something else."""
_LEAST_WORDS = 4
"""A copy of fewer words is found exactly or not at all: three words are near to anything."""
_PLACES = 8
_SLACK = 4
_FOLDED = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "—": "-", "–": "-", "‑": "-", "…": "."})
_CLOSES = re.compile(r"[^\w\s\"“”«»「」『』]+")
_OUTER = '"“”«»„「」『』 \t\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a copy stands. `pieces`: in order, one for each stretch without a break."""

    pieces: tuple[Span, ...]
    look: Look
    change: str
    """How the copy differs from the text; empty unless the look was fuzzy."""


class Stream:
    """The given stretches of a text as one, each character with its offset. Remembers what was found."""

    def __init__(self, text: str, places: Sequence[Span]) -> None:
        self._text = text
        folded: list[str] = []
        self._at: list[int] = []
        self._joints: set[int] = set()
        for place in places:
            for i in range(place.start, place.end):
                c = text[i].translate(_FOLDED).lower()
                if c.isspace():
                    if not folded or folded[-1] == " ":
                        continue
                    c = " "
                folded.append(c[:1])
                self._at.append(i)
            if folded and folded[-1] == " ":
                self._joints.add(len(folded) - 1)
            elif folded:
                self._joints.add(len(folded))
                folded.append(" ")
                self._at.append(place.end)
        self._folded = "".join(folded)
        self._words = placed_words(self._folded)
        self._where: dict[str, list[int]] = defaultdict(list)
        for i, (word, _, _) in enumerate(self._words):
            self._where[word].append(i)
        self._taken: list[tuple[int, int]] = []

    def find(self, copy: str, *, after: int, take: bool = True) -> Found | None:
        """The first place behind offset `after` that says `copy`, else the first of all. `take`: the place is then
        spoken for."""
        needle = re.sub(r"\s+", " ", copy.strip(_OUTER).translate(_FOLDED)).lower()
        if not any(c.isalnum() for c in needle):
            return None
        start = bisect_left(self._at, after)
        place = self._same(needle, start) or self._same(needle.rstrip(".,;:!?-"), start)
        change = ""
        look: Look = "normalised"
        if place is None:
            place = self._near(needle, start)
            if place is None:
                return None
            said = self._folded[place[0] : place[1]]
            if words(said) != words(needle):
                look, change = "fuzzy", difference(copy, said)
        place = (place[0], self._to_close(place[1]))
        if take:
            self._taken.append(place)
        pieces = self._pieces(*place)
        if look == "normalised" and " ".join(self._text[p.start : p.end] for p in pieces) == copy.strip():
            look = "exact"
        return Found(pieces=pieces, look=look, change=change)

    def nearest(self, copy: str) -> str:
        """What comes nearest to a copy that was not found, as a difference; empty where nothing does."""
        best = self._best(words(copy.translate(_FOLDED)), 0, least=0.4)
        return "" if best is None else difference(copy, self._folded[best[0] : best[1]])

    def _same(self, needle: str, start: int) -> tuple[int, int] | None:
        if not needle:
            return None
        for first, last in ((start, len(self._folded)), (0, start + len(needle))):
            at = self._folded.find(needle, first, last)
            while at >= 0:
                end = at + len(needle)
                if self._whole(at, end) and self._free(at, end):
                    return at, end
                at = self._folded.find(needle, at + 1, last)
        return None

    def _whole(self, at: int, end: int) -> bool:
        """Does the place begin and end between words?"""
        before, after = self._folded[at - 1 : at], self._folded[end : end + 1]
        opens = not (before.isalnum() and self._folded[at].isalnum() and before.isascii())
        return opens and not (after.isalnum() and self._folded[end - 1].isalnum() and after.isascii())

    def _free(self, at: int, end: int) -> bool:
        return all(end <= a or b <= at for a, b in self._taken)

    def _near(self, needle: str, start: int) -> tuple[int, int] | None:
        own = words(needle)
        return self._best(own, start, least=NEAR if len(own) >= _LEAST_WORDS else 1.0)

    def _best(self, own: Sequence[str], start: int, *, least: float) -> tuple[int, int] | None:
        """The place whose words match best, by votes of single words for where the copy would begin."""
        votes: Counter[int] = Counter()
        for j, word in enumerate(own):
            places = self._where.get(word, ())
            for i in places if len(places) <= 50 else ():
                votes[i - j] += 1
        found: tuple[float, int, int] | None = None
        first = bisect_left(self._words, start, key=lambda w: w[1])
        ranked = sorted(votes, key=lambda s: (-votes[s], s < first, s))[:_PLACES]
        for shift in ranked:
            low = max(0, shift - _SLACK)
            window = self._words[low : shift + len(own) + _SLACK]
            matcher = SequenceMatcher(None, list(own), [w for w, _, _ in window], autojunk=False)
            blocks = [b for b in matcher.get_matching_blocks() if b.size]
            if not blocks:
                continue
            a, b = blocks[0].b, blocks[-1].b + blocks[-1].size
            score = 2 * sum(block.size for block in blocks) / (len(own) + b - a)
            at, end = window[a][1], window[b - 1][2]
            if score >= least and (found is None or score > found[0]) and self._free(at, end):
                found = (score, at, end)
        return None if found is None else found[1:]

    def _to_close(self, end: int) -> int:
        """Behind the marks that close the sentence found."""
        closes = _CLOSES.match(self._folded, end)
        return closes.end() if closes else end

    def _pieces(self, at: int, end: int) -> tuple[Span, ...]:
        borders = [at - 1, *(k for k in range(at, end) if k in self._joints), end]
        raw = [(self._at[a + 1], self._at[b - 1] + 1) for a, b in pairwise(borders) if b - a > 1]
        return tuple(p for p in (self._trimmed(*place) for place in raw) if p is not None)

    def _trimmed(self, start: int, end: int) -> Span | None:
        while start < end and (self._text[start].isspace() or self._text[start] in _OUTER):
            start += 1
        while end > start and (self._text[end - 1].isspace() or self._text[end - 1] in _OUTER):
            end -= 1
        return Span(start=start, end=end) if end > start else None


def told(copy: str, quote: str) -> bool:
    """Does a quote speak of what `copy` says? Half of its words of meaning, endings aside."""
    own, other = _stems(copy), _stems(quote)
    return bool(own) and len(own & other) >= len(own) / 2


def _stems(text: str) -> set[str]:
    return {re.sub(r"(?:ing|ed|es|s|ly)$", "", w)[:6] for w in content_words(normalise(text))}
