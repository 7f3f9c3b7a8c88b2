"""Evidence: is a quotation in the source, and where?

Owns the finding of a quote that a teacher copied: white space, the shapes of quotation marks and dashes, and an
ellipsis written as three points do not count, everything else does. What is kept is the source's own text.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

from collections.abc import Iterator

from her.errors import TeacherError
from her.schema import Book, Chapter, Quote, Span
from her.synthesis.text.passage import Passage
from her.synthesis.text.wording import normalise, same_words

_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


def verify(book: Book, chapter: Chapter, *, text: str, span: Span) -> Quote:
    """The quote, if the chapter says it there. Raises TeacherError `quote_not_found` otherwise."""
    inside = chapter.span.start <= span.start and span.end <= chapter.span.end
    if not inside or not same_words(text, book.read(span)):
        raise TeacherError(text, "quote_not_found")
    return Quote(text=text, span=span)


def find(passage: Passage, text: str) -> Quote:
    """The place of a quote that came without one. Raises TeacherError `quote_not_found`, or `quote_too_late` where the
    source says it, but not before the scene."""
    wanted, _ = _squeezed(text)
    body, places = _squeezed(passage.text)
    late = False
    for at in _everywhere(body, wanted):
        start, end = places[at], places[at + len(wanted) - 1] + 1
        if _within(passage.text, start) or _within(passage.text, end):
            continue
        span = Span(start=passage.start + start, end=passage.start + end)
        quotable = passage.quotable
        if quotable is not None and quotable.start <= span.start and span.end <= quotable.end:
            return Quote(text=normalise(passage.text[start:end]), span=span)
        late = True
    raise TeacherError(text, "quote_too_late" if late else "quote_not_found")


def _squeezed(text: str) -> tuple[str, list[int]]:
    """The visible characters, alike ones made equal, and where each stands."""
    found = [(c.translate(_SAME), i) for i, c in enumerate(text) if not c.isspace()]
    return "".join(same for same, _ in found), [i for same, i in found for _ in same]


def _everywhere(body: str, wanted: str) -> Iterator[int]:
    at = body.find(wanted) if wanted else -1
    while at >= 0:
        yield at
        at = body.find(wanted, at + 1)


def _within(text: str, at: int) -> bool:
    """Do both sides of this place belong to one word?"""
    if not 0 < at < len(text):
        return False
    a, b = text[at - 1], text[at]
    return a.isalnum() and b.isalnum() and a < "\u2e80" and b < "\u2e80"
