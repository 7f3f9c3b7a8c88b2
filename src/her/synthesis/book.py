"""Reading a book: a text file becomes a `Book` whose chapters are spans of the text as it was read.

Owns headings. The text is never cleaned: every later span points into exactly these characters. A text in which
nobody is quoted is refused here, before anything is spent on it.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from pathlib import Path

from her.errors import InputError
from her.schema import Book, Chapter, Span
from her.store import read_text, sha256_text
from her.synthesis.quotes import has_dialogue

_ROMAN = r"(?=[IVXLC])(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})"
_COUNT = (
    r"(?:\d{1,3}|"
    + _ROMAN
    + r"|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    r"sixteen|seventeen|eighteen|nineteen|twenty(?:[- ]\w+)?|thirty(?:[- ]\w+)?|the \w+)"
)
_NAMED = re.compile(
    r"^[ \t]*((?:chapter|act|book|part|canto|scene|letter)\s+"
    + _COUNT
    + r"\b(?:[ \t]*[.:,–—-]+[ \t]*[^\n]{0,80}|[ \t]*)"
    r"|(?:prologue|epilogue)[.:]?)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_BARE = re.compile(
    r"^[ \t]*(" + _ROMAN + r"\.?|第[一二三四五六七八九十百零\d]+[章回节][^\n]{0,30})[ \t]*$", re.MULTILINE
)
_FIRST_LINE_WORDS = 12
"""A first line of at most so many words is taken for the title."""


def read_book(path: Path) -> Book:
    """Read a UTF-8 text. Raises InputError for a missing, empty or binary file and for a text without dialogue."""
    text = read_text(path)
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise InputError(f"{path} holds lone surrogates; convert it to clean UTF-8 first")
    book = book_of(text, stem=path.stem)
    if not has_dialogue(text):
        raise InputError(
            f"{path} quotes nobody: no two passages stand between quotation marks; HER needs a text with dialogue "
            "(for a play or a script, give curated CoSER JSON)"
        )
    return book


def book_of(text: str, *, stem: str) -> Book:
    """A book from a text already in memory; `stem` names it where its first line does not."""
    first = text.strip().split("\n", 1)[0].strip()
    named = 0 < len(first.split()) <= _FIRST_LINE_WORDS and not first.endswith((".", ",", '"', "”"))
    slug = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-").lower() or f"book-{sha256_text(text)[:8]}"
    return Book(id=slug, title=first if named else stem, text=text, chapters=_chapters(text))


def _chapters(text: str) -> tuple[Chapter, ...]:
    """By named headings, else by bare numerals (at least two), else the whole text as one chapter."""
    heads = list(_NAMED.finditer(text))
    if not heads:
        bare = list(_BARE.finditer(text))
        heads = bare if len(bare) >= 2 else []
    bodies: list[tuple[str, int, int]] = []
    for i, head in enumerate(heads):
        end = heads[i + 1].start() if i + 1 < len(heads) else len(text)
        # A heading with nothing below it is an entry of a table of contents, or a part that only holds chapters.
        if len(text[head.end() : end].split()) >= 20:
            bodies.append((" ".join(head.group(1).split()), head.start(), end))
    if not bodies:
        return (Chapter(number=1, title="Whole text", span=Span(start=0, end=len(text))),)
    return tuple(
        Chapter(number=n, title=title, span=Span(start=start, end=end))
        for n, (title, start, end) in enumerate(bodies, start=1)
    )
