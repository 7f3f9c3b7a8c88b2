"""Quotations: every stretch of a text that stands between quotation marks, with its exact place.

Owns the marks: straight, curly, guillemets, corner brackets, and the single quotes of British books where no double
ones are used. Knows neither who speaks nor whether it matters. A quotation that a paragraph leaves open goes on in
the next paragraph where that one re-opens it, and otherwise ends at the border and is marked unbalanced.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Sequence
from dataclasses import dataclass

from her.schema import Span

_STYLES: tuple[tuple[str, str], ...] = (("“", "”"), ("«", "»"), ("「", "」"), ('"', '"'))
_SINGLE = (("‘", "’"), ("'", "'"))
_MIN_QUOTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    """What stands between one pair of marks, in one paragraph."""

    span: Span
    """The words without their marks."""
    paragraph: int
    balanced: bool
    continues: bool = False
    """Does this go on from the previous paragraph's open quotation?"""


def _style(text: str) -> tuple[tuple[str, str], ...]:
    """The pairs of marks this text uses: doubles where it has any to speak of, else singles."""
    doubles = tuple(s for s in _STYLES if text.count(s[0]) >= _MIN_QUOTES)
    if doubles:
        return doubles
    return tuple(s for s in _SINGLE if len(re.findall(_opening(s[0]), text)) >= _MIN_QUOTES)


def _opening(mark: str) -> str:
    return rf"(?:^|(?<=[\s(\[—–-]))[{re.escape(mark)}](?=\S)"


def has_dialogue(text: str) -> bool:
    """Are at least two passages of more than one word quoted?"""
    spans = [q for q in quotations(text, [Span(start=0, end=len(text))] if text else []) if not _is_word(text, q)]
    return len(spans) >= _MIN_QUOTES


def _is_word(text: str, quotation: Quotation) -> bool:
    return len(text[quotation.span.start : quotation.span.end].split()) < 2


def quotations(text: str, paragraphs: Sequence[Span], *, style_of: str | None = None) -> list[Quotation]:
    """All quotations of the given paragraphs, in order. `style_of`: the text whose marks decide the style."""
    style = _style(style_of if style_of is not None else text)
    found: list[Quotation] = []
    left_open = False
    for index, paragraph in enumerate(paragraphs):
        here = _in_paragraph(text, paragraph, style)
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


def _in_paragraph(text: str, span: Span, style: tuple[tuple[str, str], ...]) -> list[tuple[int, int, bool]]:
    """`(start, end, balanced)` of the words between marks; the last may run to the paragraph's end unbalanced."""
    found: list[tuple[int, int, bool]] = []
    opened: tuple[int, str, str] | None = None
    for i in range(span.start, span.end):
        c = text[i]
        if opened is None:
            opened = next(((i + 1, o, e) for o, e in style if c == o and _may_open(text, i, span, o)), None)
            continue
        start, o, e = opened
        if c == e and _may_close(text, i, span, mark=e):
            found.append((start, i, True))
            opened = None
        elif o != e and c == o and o not in "‘":
            # A second opening mark inside an open quotation: the first was never closed.
            found.append((start, i, False))
            opened = (i + 1, o, e)
    if opened is not None:
        found.append((opened[0], span.end, False))
    return found


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
