"""Reading a book: a text becomes a `Book` whose chapters are spans of the text as it was read.

Owns the order of looking: furniture, then headings, then, where there are none, parts of even size cut where the
prose allows it. The text is never cleaned: every later span points into exactly these characters. A text in which
nobody is quoted is refused here, before anything is spent on it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from her.errors import InputError
from her.schema import Book, Chapter, Span
from her.schema.book import BLANK
from her.store import read_text, sha256_text
from her.synthesis.sources.furniture import furniture
from her.synthesis.text.cuts import parts
from her.synthesis.text.estimate import tokens
from her.synthesis.text.headings import LEAST_WORDS, Heading, below_each, headings, is_heading
from her.synthesis.text.quotes import has_dashes, has_dialogue

_FIRST_LINE_WORDS = 12
"""A first line of at most so many words is taken for the title."""
PART_TOKENS = 6000
"""A text without headings is cut into parts of about so many tokens: an ordinary chapter."""
MOST_BYTES = 100 * 2**20
"""A text larger than this is no book."""
_GUTENBERG_TITLE = re.compile(r"^Title:[ \t]*(\S[^\n]{0,200})$", re.MULTILINE)


def read_book(path: Path) -> Book:
    """Read a UTF-8 text. Raises InputError for a missing, empty or binary file and for a text without dialogue."""
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} has over {MOST_BYTES >> 20} MiB, more than any book; cut it into books first")
    text = read_text(path)
    book = book_of(text, stem=path.stem)
    must_speak(book, where=str(path))
    return book


def must_speak(book: Book, *, where: str) -> None:
    """Raises InputError for a book in which nobody is quoted."""
    text = book.read()
    if not any(c.isalnum() for c in text):
        raise InputError(f"{where} holds nothing but licence texts and page furniture; give it the book's own text")
    if not has_dialogue(text) and not has_dashes(text):
        raise InputError(
            f"{where} quotes nobody: no two passages stand between quotation marks; HER needs a text with dialogue "
            "(for a play or a script, give curated CoSER JSON)"
        )


def book_of(text: str, *, stem: str, heads: Sequence[Heading] = (), title: str | None = None) -> Book:
    """A book from a text already in memory. `stem` names it where its first line does not; `heads`: where its chapters
    begin, as far as its own table of contents says so."""
    waste = furniture(text)
    bare = Book(id="x", title="x", text=text, chapters=(), furniture=waste).read()
    return Book(
        id=slug(stem) or f"book-{sha256_text(text)[:8]}",
        title=title or _title(text, bare) or stem,
        text=text,
        chapters=_chapters(bare, _with_words(bare, heads) or _with_words(bare, headings(_signs(text, bare, waste)))),
        furniture=waste,
    )


def slug(name: str) -> str:
    """The name as an id: letters, digits and hyphens, at most 60; empty where it has no such letter."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60].rstrip("-")


def _title(text: str, bare: str) -> str | None:
    if (said := _GUTENBERG_TITLE.search(text[:5000])) and "Project Gutenberg" in text[:5000]:
        return said[1].strip()
    first = bare.strip().split("\n", 1)[0].replace(BLANK, "").strip()
    named = 0 < len(first.split()) <= _FIRST_LINE_WORDS and not first.endswith((".", ",", '"', "”"))
    return first if named else None


def _with_words(bare: str, heads: Sequence[Heading]) -> list[Heading]:
    return [h for h, n in zip(heads, below_each(bare, heads), strict=True) if n >= LEAST_WORDS]


def _signs(text: str, bare: str, waste: Sequence[Span]) -> str:
    """The prose with those illustrations in which a heading is drawn, as some editions do."""
    pieces, at = [], 0
    for place in waste:
        drawn = text[place.start : place.end]
        if drawn.startswith("[") and any(is_heading(line.strip()) for line in drawn.split("\n")[1:]):
            pieces += [bare[at : place.start], drawn]
            at = place.end
    return "".join([*pieces, bare[at:]])


def _chapters(bare: str, heads: Sequence[Heading]) -> tuple[Chapter, ...]:
    whole = Span(start=0, end=len(bare))
    if not heads:
        if tokens(bare) <= 1.5 * PART_TOKENS:
            return (Chapter(number=1, title="Whole text", span=whole),)
        pieces = parts(bare, whole, budget=PART_TOKENS)
        return tuple(Chapter(number=n, title=f"Part {n}", span=p) for n, p in enumerate(pieces, start=1))
    places = [(h.title, h.start) for h in heads]
    if has_dialogue(bare[: heads[0].start]):
        # People talk before the first heading: that is no preface.
        places.insert(0, ("Opening", 0))
    ends = [*(start for _, start in places[1:]), len(bare)]
    return tuple(
        Chapter(number=n, title=title, span=Span(start=start, end=end))
        for n, ((title, start), end) in enumerate(zip(places, ends, strict=True), start=1)
    )
