"""Headings: where the chapters of a text begin, by the lines that say so.

Owns every form of heading: `Chapter 1`, a numeral or a number that stands alone, Markdown, Chinese and Japanese
chapters, lines in capitals. A kind of heading counts only where the text uses it throughout: numbers must follow one
another, lines in capitals must be apart by pages. Knows no furniture, scenes or budgets.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from her.synthesis.text.estimate import length
from her.synthesis.text.wording import ends_properly

_ROMAN = r"(?=[IVXLC])(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})"
_COUNT = (
    r"(?:\d{1,4}|"
    + _ROMAN
    + r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    r"sixteen|seventeen|eighteen|nineteen|twenty(?:[- ]\w+)?|thirty(?:[- ]\w+)?|the \w+)"
)
_NAMED = re.compile(
    r"^[ \t]*(?:[#_*]+[ \t]*)?("
    r"(?:chapter|act|book|part|canto|scene|letter|volume|stave|chapitre|kapitel|cap[ií]tulo)\s+"
    + _COUNT
    + r"\b(?:[ \t]*[.:,–—-]+[ \t]*[^\n]{0,80}|[ \t]*)"
    r"|(?:prologue|epilogue)[.:]?)[_*\]]*[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_EASTERN = re.compile(
    r"^[ \t\u3000]*((?:第[一二三四五六七八九十百千零〇两\d]{1,8}[章回节節卷部集幕话話]|"
    r"序章|楔子|引子|尾声|尾聲|終章|终章)"
    r"[^\n。！？]{0,30})[ \t]*$",
    re.MULTILINE,
)
_NUMERAL = re.compile(r"^[ \t]*(" + _ROMAN + r"\.?)[ \t]*$", re.MULTILINE)
_NUMBER = re.compile(r"^[ \t]*([1-9]\d{0,3}\.?)[ \t]*$", re.MULTILINE)
_NUMBERED = re.compile(
    r"^[ \t]*((?:[1-9]\d{0,3}|" + _ROMAN + r")[.)]?[ \t]+[A-Z“\"][^\n.!?]{1,60})[ \t]*$", re.MULTILINE
)
_MARKDOWN = re.compile(r"^#{1,3}[ \t]+([^\n]{1,80}?)[ \t#]*$", re.MULTILINE)
_CAPITALS = re.compile(r"(?:(?<=\n\n)|\A)[ \t]*([A-Z][A-Z0-9 ,.'’&:;-]{2,60})[ \t]*(?=\n[ \t]*\n)")
_TITLE_BELOW = re.compile(r"(?:[ \t]*\n){1,3}[ \t]*([A-Z“\"'‘][^\n]{1,60})[ \t]*(?=\n[ \t]*\n)")
LEAST_WORDS = 20
"""A heading with fewer words below it is an entry of a table of contents, or a part that only holds chapters."""
_APART_WORDS = 150
"""Lines in capitals are headings only where the middle one has at least so many words below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """One heading. `title` has the words between `start` and `end`, one space apart."""

    title: str
    start: int
    end: int


def is_heading(line: str) -> bool:
    """Could this line be a heading by its form alone?"""
    return any(p.fullmatch(line) for p in (_NAMED, _EASTERN, _NUMERAL, _NUMBER, _MARKDOWN))


def headings(text: str) -> list[Heading]:
    """The headings of a text, of the first kind that it uses; empty where it has none."""
    for find in (_named, _eastern, _markdown, _counted(_NUMERAL), _counted(_NUMBER), _counted(_NUMBERED), _capitals):
        if found := find(text):
            return found
    return []


def _of(match: re.Match[str], *, end: int | None = None) -> Heading:
    stop = match.end(1) if end is None else end
    if match.string[stop - 1] == "]" and "[" not in match[0]:
        stop -= 1  # an illustration ends with its heading
    return Heading(title=" ".join(match.string[match.start(1) : stop].split()), start=match.start(1), end=stop)


def _named(text: str) -> list[Heading]:
    return [_with_title(m) for m in _NAMED.finditer(text)]


def _with_title(match: re.Match[str]) -> Heading:
    """`CHAPTER I` and, on a line of its own below, what the chapter is called."""
    below = _TITLE_BELOW.match(match.string, match.end())
    if below is None:
        return _of(match)
    title = below[1].strip()
    called = len(title.split()) <= 8 and not ends_properly(title) and title[-1] not in ',;:"”' and title[0] not in '"“'
    named = title.isupper() or sum(w[0].isupper() for w in title.split()) > len(title.split()) / 2
    return _of(match, end=below.start(1) + len(title)) if called and named and not is_heading(title) else _of(match)


def _eastern(text: str) -> list[Heading]:
    return [_of(m) for m in _EASTERN.finditer(text)]


def _markdown(text: str) -> list[Heading]:
    found = [_of(m) for m in _MARKDOWN.finditer(text)]
    return found if len(found) >= 2 else []


def _counted(pattern: re.Pattern[str]) -> Callable[[str], list[Heading]]:
    def find(text: str) -> list[Heading]:
        found = [_of(m) for m in pattern.finditer(text)]
        values = [_value(h.title) for h in found]
        # The next number, the same again (a table of contents first), or a new part that begins at 1.
        follows = all(b == a + 1 or b == 1 for a, b in pairwise(values))
        return found if len(found) >= 2 and values[0] == 1 and follows else []

    return find


def _value(title: str) -> int:
    first = re.split(r"[.) \t]", title, maxsplit=1)[0]
    if first.isdigit():
        return int(first)
    digits = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}[c] for c in first]
    return sum(-d if i + 1 < len(digits) and digits[i + 1] > d else d for i, d in enumerate(digits))


def _capitals(text: str) -> list[Heading]:
    found = [_of(m) for m in _CAPITALS.finditer(text) if len(m[1].split()) <= 10 and m[1].strip()[-1] not in ",;"]
    # The title of the book, and its author, come before the first words.
    found = [h for h, below in zip(found, below_each(text, found), strict=True) if below >= LEAST_WORDS]
    if len(found) < 3:
        return []
    apart = sorted(below_each(text, found))
    return found if apart[len(apart) // 2] >= _APART_WORDS else []


def below_each(text: str, found: Sequence[Heading]) -> list[int]:
    """Words between each heading and the next."""
    ends = [*(h.start for h in found), len(text)][1:]
    return [length(text[h.end : end]) for h, end in zip(found, ends, strict=True)]
