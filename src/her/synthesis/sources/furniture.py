"""Furniture: what stands in an e-book and is not the author's, as spans; the text itself is never changed.

Owns the finding of licence texts, transcriber's notes, illustrations, page numbers, running heads, addresses of
download sites and marks of footnotes. In doubt a line is the author's: what is furniture is never read again. Knows
headings well enough to leave them alone.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from her.schema import Span
from her.synthesis.text.headings import is_heading
from her.synthesis.text.paragraphs import BREAK
from her.synthesis.text.wording import ends_properly

_START = re.compile(
    r"\*{3}\s*START OF (?:THE|THIS) PROJECT GUTENBERG[^*]{0,300}\*{3}|\*END\*THE SMALL PRINT![^\n]*\*END\*",
    re.IGNORECASE,
)
_END = re.compile(
    r"\*{3}\s*END OF (?:THE|THIS) PROJECT GUTENBERG|^[ \t]*End of (?:the |this )?Project Gutenberg",
    re.IGNORECASE | re.MULTILINE,
)
_CREDIT = re.compile(
    r"\s*(?:Produced|Prepared|Transcribed|E-?text prepared|This e-?(?:book|text) was (?:produced|prepared))"
    r"\s+(?:by|from)\b[^\n]*(?:\n[^\n]+)*",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"^[ \t]*Transcriber[’']?s?[’']? Notes?\b(?:\W*\n\s*\n)?[^\n]*(?:\n[^\n]*\S[^\n]*)*", re.IGNORECASE | re.MULTILINE
)
"""A paragraph; where it is a heading alone, the paragraph below it too."""
_BRACKETED = re.compile(
    r"\[(?:Illustration|Frontispiece|Sidenote|Transcriber|Footnote|Decoration|Music|Blank page|Editor|Pg|Page)\b"
    r"(?:[^\[\]]|\[[^\[\]]{0,300}\]){0,2000}\]|\{\d{1,4}\}",
    re.IGNORECASE,
)
_MARK = re.compile(r"(?<=[^\s\[])\[(?:\d{1,3}|[A-Za-z*†‡])\]|(?<=[\w.,;:!?\"”’])[¹²³⁰⁴-⁹]+")
_NUMBER = re.compile(r"[-–—|\[( ]*(\d{1,4})[-–—|\]). ]*")
_PAGE = re.compile(r"(?:[-*•]\s*)?\[?(?:page|pg|p)\.?[-\s]?\d{1,5}\]?", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]{1,63}\.(?:com|org|net|info|co\.uk)\b", re.IGNORECASE)
_CONTENTS = re.compile(r"(?:#+\s*)?(?:table of )?contents\W*", re.IGNORECASE)
_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_LONGEST_LINE = 100
"""A longer line is no running head and no address, and is not looked at: a book may be one line."""
_MOST_WORDS = 8
"""A running head and a line of the tail have at most so many words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line that is not empty, without its edges of space."""

    start: int
    text: str

    def span(self) -> Span:
        return Span(start=self.start, end=self.start + len(self.text))


def furniture(text: str) -> tuple[Span, ...]:
    """Everything in `text` that is not the author's: in order, disjoint, none touching another."""
    whole = _licence(text)
    low = whole[0].end if whole and whole[0].start == 0 else 0
    high = whole[-1].start if whole and whole[-1].end == len(text) else len(text)
    if low >= high:
        return ()
    inside = (m for p in (_NOTE, _BRACKETED, _MARK) for m in p.finditer(text, low, high))
    taken = _joined([*whole, *(Span(start=m.start(), end=m.end()) for m in inside)])
    lines = list(_lines(text, low, high, taken))
    return _joined([*taken, *_of_lines(lines)])


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same places in order, those that touch as one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        if found and span.start <= found[-1].end:
            found[-1] = Span(start=found[-1].start, end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def _licence(text: str) -> list[Span]:
    """The licence before and behind a Project Gutenberg text, and who produced it."""
    found = []
    begins = next((m for m in _START.finditer(text) if m.start() < len(text) / 2), None)
    if begins is not None:
        end = begins.end()
        if credit := _CREDIT.match(text, end):
            end = credit.end()
        found.append(Span(start=0, end=end))
    ends = _END.search(text, begins.end() if begins else len(text) // 2)
    if ends is not None:
        found.append(Span(start=ends.start(), end=len(text)))
    return found


def _lines(text: str, low: int, high: int, taken: Sequence[Span]) -> Iterator[_Line]:
    """The lines that hold more than furniture found before."""
    k = 0
    for match in re.finditer(r"[^\n]+", text[low:high]):
        stripped = match.group().strip()
        if not stripped:
            continue
        start = low + match.start() + match.group().index(stripped)
        while k < len(taken) and taken[k].end <= start:
            k += 1
        if k < len(taken) and taken[k].start <= start and start + len(stripped) <= taken[k].end:
            continue
        yield _Line(start=start, text=stripped)


def _of_lines(lines: Sequence[_Line]) -> list[Span]:
    """Whole lines that are furniture."""
    numbers = {i: int(m[1]) for i, line in enumerate(lines) if (m := _NUMBER.fullmatch(line.text))}
    pages = {i for i, line in enumerate(lines) if _PAGE.fullmatch(line.text)}
    heads = _running_heads(lines, pages | set(numbers))
    if not _count_chapters(lines, numbers, heads):
        pages |= set(numbers)
    far = {i for i, line in enumerate(lines) if _is_address(line.text)}
    # What is left of a letter-spaced address that was broken over two lines.
    far |= {i for i, line in enumerate(lines) if _is_spaced(line.text) and {i - 1, i + 1} & far}
    found = pages | heads | far
    found |= {i for i, line in enumerate(lines) if _CONTENTS.fullmatch(line.text) and i + 1 in pages}
    tail = len(lines) - 1
    while tail > 0 and (tail in found or (found and max(found) > tail and _is_tail(lines[tail].text))):
        found.add(tail)
        tail -= 1
    return [lines[i].span() for i in sorted(found)]


def _is_tail(line: str) -> bool:
    return len(line.split()) <= _MOST_WORDS and not ends_properly(line) and line[0] not in "\"“‘'"


def _is_spaced(line: str) -> bool:
    """`E b d`: letters set apart."""
    tokens = line.split()
    return 3 <= len(tokens) > len(line) / 4 and sum(len(t) == 1 for t in tokens) >= 0.8 * len(tokens)


def _is_address(line: str) -> bool:
    if len(line) > _LONGEST_LINE:
        return False
    tight = line.replace(" ", "") if _is_spaced(line) else line
    found = sum(len(m.group()) for m in _ADDRESS.finditer(tight))
    return found > 0.4 * len(tight)


def _open(lines: Sequence[_Line], i: int) -> bool:
    """Does line `i` stand where the line before has not come to an end?"""
    return i > 0 and not ends_properly(lines[i - 1].text) and len(lines[i - 1].text.split()) > _MOST_WORDS


def _count_chapters(lines: Sequence[_Line], numbers: Mapping[int, int], heads: set[int]) -> bool:
    """Are lines that are a number alone chapters? They are where they count from 1 without a gap and none of them
    stands inside a sentence or beside a running head; otherwise they are pages."""
    values = list(numbers.values())
    counted = len(values) >= 2 and values[0] == 1 and all(b == a + 1 for a, b in pairwise(values))
    return counted and not any(_open(lines, i) or {i - 1, i + 1} & heads for i in numbers)


def _running_heads(lines: Sequence[_Line], pages: set[int]) -> set[int]:
    """Short lines in capitals, repeated, that break sentences or stand beside page numbers."""
    groups: dict[str, list[int]] = {}
    short = [(i, line) for i, line in enumerate(lines) if len(line.text) <= _LONGEST_LINE]
    sizes = Counter(_EDGES.sub("", line.text).casefold() for _, line in short)
    for i, line in short:
        bare = _EDGES.sub("", line.text)
        key = bare.casefold()
        if not bare or sizes[key] < 3 or len(bare.split()) > _MOST_WORDS or BREAK.fullmatch(line.text):
            continue
        letters = [c for c in bare if c.isalpha()]
        capitals = sum(c.isupper() for c in letters)
        if capitals < 0.6 * len(letters) or line.text[-1] in '.!?:;,"”’' or is_heading(line.text):
            continue
        groups.setdefault(key, []).append(i)
    found: set[int] = set()
    for places in groups.values():
        inside = sum(_open(lines, i) for i in places)
        numbered = sum(bool({i - 1, i + 1} & pages) or bool(re.search(r"\d", lines[i].text)) for i in places)
        if inside >= 0.1 * len(places) or numbered >= 0.5 * len(places):
            found.update(places)
    return found
