"""Quotations: every stretch of a text that stands between quotation marks, with its exact place.

Owns the marks: straight, curly, guillemets, corner brackets, and the single quotes of British books where no double
ones are used. Knows neither who speaks nor whether it matters. A quotation that a paragraph leaves open goes on in
the next paragraph where that one re-opens it, and otherwise ends at the border and is marked unbalanced.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from her.schema import Span
from her.synthesis.text.estimate import length

Style = tuple[tuple[str, str], ...]
"""The pairs of marks that a text uses."""
_STYLES: Style = (("“", "”"), ("«", "»"), ("「", "」"), ("『", "』"), ('"', '"'))
_SINGLE: Style = (("‘", "’"), ("'", "'"))
_MIN_QUOTES = 2
_DASHED = re.compile(r"^[ \t]*[—–―][ \t]*\w", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """What stands between one pair of marks, in one paragraph."""

    span: Span
    """The words without their marks."""
    paragraph: int
    balanced: bool
    continues: bool = False
    """Does this go on from the previous paragraph's open quotation?"""


def style_of(text: str) -> Style:
    """The pairs of marks this text uses: doubles where it has any to speak of, else singles."""
    doubles = tuple(s for s in _STYLES if text.count(s[0]) >= _MIN_QUOTES)
    if text.count("„") >= _MIN_QUOTES:
        # Where a low mark opens, a raised one closes: in German the one that opens in English.
        raised = max("“”", key=text.count)
        doubles = (("„", raised), *(s for s in doubles if s[0] != "“"))
    if doubles:
        return doubles
    return tuple(s for s in _SINGLE if len(list(islice(re.finditer(_opening(s[0]), text), _MIN_QUOTES))) >= _MIN_QUOTES)


def _opening(mark: str) -> str:
    return rf"(?:^|(?<=[\s(\[—–-]))[{re.escape(mark)}](?=\S)"


def has_dialogue(text: str) -> bool:
    """Are at least two passages of more than one word quoted?"""
    if not text:
        return False
    style = style_of(text)
    whole = (text[a:b] for a, b, _ in _marked(text, Span(start=0, end=len(text)), style))
    return len(list(islice((q for q in whole if length(q) >= 2), _MIN_QUOTES))) == _MIN_QUOTES


def has_dashes(text: str) -> bool:
    """Do at least two lines open with a dash, as speech does in books without quotation marks?"""
    return len(list(islice(_DASHED.finditer(text), _MIN_QUOTES))) == _MIN_QUOTES


def quotations(text: str, paragraphs: Sequence[Span], *, style: Style | None = None) -> list[Quotation]:
    """All quotations of the given paragraphs, in order. `style`: the marks to look for; None: those `text` uses."""
    marks = style_of(text) if style is None else style
    found: list[Quotation] = []
    left_open = False
    for index, paragraph in enumerate(paragraphs):
        here = list(_marked(text, paragraph, marks))
        for k, (start, end, balanced) in enumerate(here):
            inner = _trim(text, start, end)
            if inner is None:
                continue
            at_start = start - 1 <= paragraph.start
            found.append(
                Quotation(
                    span=inner,
                    paragraph=index,
                    balanced=balanced,
                    continues=left_open and k == 0 and at_start,
                )
            )
        left_open = bool(here) and not here[-1][2]
    return _settle(found)


def _settle(found: list[Quotation]) -> list[Quotation]:
    """A quotation left open and re-opened by the next one is balanced after all."""
    settled = []
    for i, q in enumerate(found):
        carried = i + 1 < len(found) and found[i + 1].continues and found[i + 1].paragraph == q.paragraph + 1
        settled.append(
            Quotation(span=q.span, paragraph=q.paragraph, balanced=q.balanced or carried, continues=q.continues)
        )
    return settled


def _trim(text: str, start: int, end: int) -> Span | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start=start, end=end) if end > start and any(c.isalnum() for c in text[start:end]) else None


def _marked(text: str, span: Span, style: Style) -> Iterator[tuple[int, int, bool]]:
    """`(start, end, balanced)` of the words between marks; the last may run to the paragraph's end unbalanced."""
    if not style:
        return
    opened: tuple[int, str, str] | None = None
    every = re.compile("[" + re.escape("".join(o + e for o, e in style)) + "]")
    for match in every.finditer(text, span.start, span.end):
        i, c = match.start(), match.group()
        if opened is None:
            opened = next(((i + 1, o, e) for o, e in style if c == o and _may_open(text, i, span, o)), None)
            continue
        start, o, e = opened
        if c == e and _may_close(text, i, span, mark=e):
            yield start, i, True
            opened = None
        elif o != e and c == o and o not in "‘":
            # A second opening mark inside an open quotation: the first was never closed.
            yield start, i, False
            opened = (i + 1, o, e)
    if opened is not None:
        yield opened[0], span.end, False


def _may_open(text: str, i: int, span: Span, mark: str) -> bool:
    if mark not in "'‘":
        return True
    before = text[i - 1] if i > span.start else " "
    after = text[i + 1] if i + 1 < span.end else " "
    return not before.isalnum() and not after.isspace()


def _may_close(text: str, i: int, span: Span, *, mark: str) -> bool:
    """A single mark closes only after a stop or before a break; elsewhere it is an apostrophe."""
    if mark not in "'’":
        return True
    before = text[i - 1] if i > span.start else " "
    after = text[i + 1] if i + 1 < span.end else " "
    return not after.isalnum() and (before in ",.!?…—-;:" or (after in ",.!?;:" and not before.isspace()))
