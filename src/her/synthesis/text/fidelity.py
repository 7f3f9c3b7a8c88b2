"""Fidelity: a teacher may move speech and may not change it.

Owns the comparison of what a teacher copied with what the source says, and the way back: a turn takes the order that
the teacher gave it and keeps the source's own words, each part with the place where the book says it. Knows no model.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from her.schema import Part, Span, merge_parts
from her.synthesis.text.passage import Passage
from her.synthesis.text.wording import placed_words, words

_OPENING = '"“‘«「『(（[—–'


def similarity(copy: str, original: str) -> float:
    """Share of the words of both that match in order, in [0, 1]. Case, marks and spacing do not count."""
    a, b = words(copy), words(original)
    return SequenceMatcher(None, a, b, autojunk=False).ratio() if a or b else 1.0


def difference(copy: str, original: str, *, limit: int = 160) -> str:
    """What a copy changed, cut short: `[-lost-]` and `{+new+}`, with a word on either side."""
    a, b = words(original), words(copy)
    pieces = []
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            kept = a[a1:a2]
            pieces.append(" ".join(kept) if len(kept) <= 2 else f"{kept[0]} … {kept[-1]}")
            continue
        pieces += [f"[-{' '.join(a[a1:a2])}-]"] * (a2 > a1) + [f"{{+{' '.join(b[b1:b2])}+}}"] * (b2 > b1)
    whole = " ".join(pieces)
    return whole if len(whole) <= limit else f"{whole[: limit - 1]}…"


def relaid(source: Sequence[Part], copy: Sequence[Part], passage: Passage | None) -> tuple[Part, ...] | None:
    """The parts of `copy` with the speech of `source`, cut where the copy cuts its own.

    None where a stretch of the copy's speech holds none of the source's words: there is nothing to put there.
    """
    spoken = [p for p in source if p.kind == "speech"]
    segments = [p.text for p in copy if p.kind == "speech"]
    if not segments:
        return None if spoken else tuple(copy)
    if not spoken:
        return None
    pieces = _cut(spoken, segments, passage)
    if pieces is None:
        return None
    rest = iter(pieces)
    return tuple(next(rest) if p.kind == "speech" else p for p in copy)


def split_part(part: Part, at: int, passage: Passage | None) -> tuple[Part, Part] | None:
    """A speech as two, before and from character `at`; None where a side would be empty."""
    first, second = part.text[:at].strip(), part.text[at:].strip()
    if not first or not second:
        return None
    skipped = len(part.text) - len(part.text[at:].lstrip())
    return _slice(part, 0, len(first), passage), _slice(part, skipped, len(part.text), passage)


def _cut(spoken: Sequence[Part], segments: Sequence[str], passage: Passage | None) -> list[Part] | None:
    """The whole speech of the source in as many pieces as there are segments."""
    whole = " ".join(p.text for p in spoken)
    placed = placed_words(whole)
    borders = [0]
    count = 0
    copied = [words(s) for s in segments]
    matcher = SequenceMatcher(None, [w for w, _, _ in placed], [w for s in copied for w in s], autojunk=False)
    blocks = matcher.get_opcodes()
    for segment in copied[:-1]:
        count += len(segment)
        borders.append(_border(whole, placed, _counterpart(blocks, count)))
    borders.append(len(whole))
    pieces = []
    for low, high in pairwise(borders):
        text = whole[low:high].strip()
        if not any(c.isalnum() for c in text):
            return None
        start = low + whole[low:high].index(text)
        pieces.append(_piece(spoken, start, start + len(text), passage))
    return pieces


def _counterpart(blocks: Sequence[tuple[str, int, int, int, int]], j: int) -> int:
    """The index among the source's words that stands where the copy's word `j` does."""
    for kind, a1, a2, b1, b2 in blocks:
        if b1 <= j < b2:
            return a1 + (j - b1) if kind == "equal" else a1 if j == b1 else a2
    return blocks[-1][2] if blocks else 0


def _border(text: str, placed: Sequence[tuple[str, int, int]], i: int) -> int:
    """The offset before word `i`: behind the marks that close what stands before, before those that open."""
    if i <= 0:
        return 0
    at = placed[i - 1][2]
    end = placed[i][1] if i < len(placed) else len(text)
    while at < end and not text[at].isspace() and text[at] not in _OPENING:
        at += 1
    return at


def _piece(spoken: Sequence[Part], low: int, high: int, passage: Passage | None) -> Part:
    """`[low, high)` of the joined speech as one part; its place is kept where it lies within one part of the source."""
    found, at = [], 0
    for part in spoken:
        a, b = max(low - at, 0), min(high - at, len(part.text))
        if a < b and part.text[a:b].strip():
            found.append(_slice(part, a, b, passage))
        at += len(part.text) + 1
    return merge_parts(tuple(found))[0]


def _slice(part: Part, low: int, high: int, passage: Passage | None) -> Part:
    """Characters `[low, high)` of a speech with the place in the book where they stand, as far as it can be told."""
    text = part.text[low:high].strip()
    if text == part.text:
        return part
    low += part.text[low:high].index(text)
    span = _sub_span(part, low, low + len(text), passage) if part.span is not None else None
    return Part(kind="speech", text=text, span=span, invented=part.invented)


def _sub_span(part: Part, low: int, high: int, passage: Passage | None) -> Span | None:
    """Text and book differ in white space alone, so the n-th visible character of one is that of the other."""
    raw = passage.at(part.span) if passage is not None and part.span is not None else None
    if raw is None or part.span is None:
        return None
    places = [i for i, c in enumerate(raw) if not c.isspace()]
    if len(places) != sum(not c.isspace() for c in part.text):
        return None
    before = sum(not c.isspace() for c in part.text[:low])
    within = sum(not c.isspace() for c in part.text[low:high])
    return Span(start=part.span.start + places[before], end=part.span.start + places[before + within - 1] + 1)
