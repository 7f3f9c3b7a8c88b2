"""Paragraphs: where they begin and end in a text as it was scanned, typed or converted.

Three kinds of layout are met in the wild: a blank line between paragraphs; one line per paragraph with no blank
lines; and double-spaced e-books, where a blank line follows every *line* and a paragraph's border has to be read off
the words. Offsets are exact. Works on prose whose furniture is blanked: a paragraph goes on behind a page number.
Knows nothing of quotations beyond the sight of a quotation mark.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from her.schema import Span
from her.schema.book import BLANK
from her.synthesis.text.wording import ends_properly

_LINE = re.compile(r"[^\n]+")
BREAK = re.compile(r"(?:[*•·#~⁂_=\-–—]\s*){3,}|[*#⁂§]")
"""A line that stands between two scenes."""
_OPENERS = "\"“‘«'「『„"
_SPACES = " \t\xa0"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    start: int
    end: int
    gap: str
    """What stands between the previous line and this one."""


def _lines(text: str, span: Span) -> Iterator[_Line]:
    previous_end = span.start
    for match in _LINE.finditer(text, span.start, span.end):
        raw = match.group()
        stripped = raw.strip()
        if not stripped:
            continue
        start = match.start() + raw.index(stripped)
        yield _Line(start=start, end=start + len(stripped), gap=text[previous_end:start])
        previous_end = start + len(stripped)


def _layout(text: str, lines: list[_Line]) -> str:
    """`double`: blank lines fall inside sentences; `lines`: there are next to no blank lines; else `blank`."""
    pairs = list(pairwise(lines))
    if not pairs:
        return "blank"
    blank = [(a, b) for a, b in pairs if b.gap.count("\n") >= 2]
    inside = sum(1 for a, b in blank if a.end - a.start > 30 and not _closes(text[a.start : a.end]))
    if len(blank) > len(pairs) / 2 and inside > len(pairs) / 4:
        return "double"
    if len(blank) < len(pairs) / 20 and median(line.end - line.start for line in lines) > 30:
        closed = sum(1 for a, _ in pairs if _closes(text[a.start : a.end]))
        return "lines" if closed > len(pairs) * 0.7 else "blank"
    return "blank"


def _closes(line: str) -> bool:
    return ends_properly(line) or line.endswith((":", "--", "—", "："))


@dataclass(slots=True, kw_only=True)
class _Open:
    """The paragraph that is being read, with the quotation marks it has opened and closed."""

    start: int
    end: int
    straight: int = 0
    raised: int = 0

    def take(self, text: str, line: _Line) -> None:
        self.end = line.end
        self.straight += text.count('"', line.start, line.end)
        self.raised += text.count("“", line.start, line.end) - text.count("”", line.start, line.end)

    def inside(self) -> bool:
        """Does a quotation stand open?"""
        return self.straight % 2 == 1 or self.raised > 0


def paragraphs(text: str, span: Span) -> list[Span]:
    """The paragraphs of `text[span]` in order. A scene-break line is a paragraph of its own."""
    lines = list(_lines(text, span))
    if not lines:
        return []
    layout = _layout(text, lines)
    width = sorted(line.end - line.start for line in lines)[int(len(lines) * 0.8)]
    found: list[Span] = []
    open_: _Open | None = None
    last = lines[0]
    for line in lines:
        if open_ is not None and _border(text, open_=open_, last=last, line=line, layout=layout, width=width):
            found.append(Span(start=open_.start, end=open_.end))
            open_ = None
        if open_ is None:
            open_ = _Open(start=line.start, end=line.end)
        open_.take(text, line)
        last = line
    assert open_ is not None
    return [*found, Span(start=open_.start, end=open_.end)]


def _border(text: str, *, open_: _Open, last: _Line, line: _Line, layout: str, width: int) -> bool:
    before, after = text[last.start : last.end], text[line.start : line.end]
    if BREAK.fullmatch(before) or BREAK.fullmatch(after):
        return True
    if BLANK in line.gap and not _closes(before) and (after[0].islower() or open_.inside() or before[-1] in ",;-."):
        # Only furniture parts the two: the sentence goes on behind it.
        return False
    if layout == "lines":
        return True
    if line.gap.count("\n") < 2:
        return False
    if layout == "blank":
        return True
    if not _closes(before):
        return False
    opens = after[0] in _OPENERS
    if open_.inside():
        return opens
    short = last.end - last.start < width * 0.75
    spaced_line = any(part and not part.strip(_SPACES) for part in line.gap.split("\n")[1:-1])
    quote_ended = before[-1] in '"”»' and after[0].isupper()
    return opens or short or spaced_line or quote_ended
