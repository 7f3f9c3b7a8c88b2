"""Scenes of a chapter: which paragraphs belong together, and who is quoted in each.

Owns the utterance (all that one paragraph quotes, one turn of one speaker) and the borders between scenes: a break
line, a long stretch without speech, a budget of words. A scene has at least two utterances. Knows no names and no
model.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

from collections.abc import Sequence
from dataclasses import dataclass

from her.schema import Book, Chapter, Span
from her.synthesis.names import SPEECH_VERBS
from her.synthesis.paragraphs import BREAK, paragraphs
from her.synthesis.quotes import Quotation, quotations
from her.synthesis.wording import words

SILENCE_WORDS = 260
"""So many words of narration without speech end a scene."""
SCENE_WORDS = 1100
"""A scene longer than this is cut at its next narration: about 1,500 tokens."""
MIN_UTTERANCES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One speaker's quoted words: the pieces one paragraph quotes, with the paragraphs that continue them."""

    id: str
    pieces: tuple[Span, ...]
    paragraph: Span
    """From the first to the last paragraph it stands in."""
    balanced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneText:
    """A stretch of one chapter in which people talk."""

    id: str
    chapter: Chapter
    span: Span
    paragraphs: tuple[Span, ...]
    utterances: tuple[Utterance, ...]

    def narration(self, text: str, span: Span | None = None) -> list[Span]:
        """The stretches of `span` (default: the whole scene) that nobody speaks, in order."""
        return unquoted(text, span or self.span, [p for u in self.utterances for p in u.pieces])


def unquoted(text: str, span: Span, pieces: Sequence[Span]) -> list[Span]:
    """What is left of `span` between quoted pieces, without the marks themselves."""
    found, at = [], span.start
    for piece in sorted((p for p in pieces if p.start < span.end and p.end > span.start), key=lambda p: p.start):
        found.append((at, piece.start))
        at = piece.end
    found.append((at, span.end))
    kept = []
    for start, end in found:
        while start < end and (text[start].isspace() or text[start] in '"“”‘’«»「」'):
            start += 1
        while end > start and (text[end - 1].isspace() or text[end - 1] in '"“”«»「」'):
            end -= 1
        if end > start and any(c.isalnum() for c in text[start:end]):
            kept.append(Span(start=start, end=end))
    return kept


def _is_mention(text: str, quotation: Quotation, paragraph: Span) -> bool:
    """A word or two in quotation marks inside a sentence of narration: a mention, not an utterance."""
    said = text[quotation.span.start : quotation.span.end]
    if (
        len(said.split()) > 3
        or not quotation.balanced
        or said[-1] in ",.!?…—-"
        or quotation.span.start - 1 <= paragraph.start
    ):
        return False
    around = text[paragraph.start : quotation.span.start] + text[quotation.span.end : paragraph.end]
    return not SPEECH_VERBS & set(words(around)) or said[0].islower()


def utterances(text: str, places: Sequence[Span], *, style_of: str, chapter: int) -> list[Utterance]:
    """The utterances of a chapter's paragraphs."""
    found: list[tuple[list[Span], int, int, bool]] = []
    for q in quotations(text, places, style_of=style_of):
        if _is_mention(text, q, places[q.paragraph]):
            continue
        if found and (found[-1][2] == q.paragraph or (q.continues and found[-1][2] == q.paragraph - 1)):
            pieces, first, _, balanced = found[-1]
            found[-1] = ([*pieces, q.span], first, q.paragraph, balanced and q.balanced)
        else:
            found.append(([q.span], q.paragraph, q.paragraph, q.balanced))
    return [
        Utterance(
            id=f"c{chapter:02d}.u{n:03d}",
            pieces=tuple(pieces),
            paragraph=Span(start=places[first].start, end=places[last].end),
            balanced=balanced,
        )
        for n, (pieces, first, last, balanced) in enumerate(found, start=1)
    ]


def body(book: Book, chapter: Chapter) -> list[Span]:
    """The paragraphs of a chapter, its heading left out."""
    places = paragraphs(book.text, chapter.span)
    if places and " ".join(book.text[places[0].start : places[0].end].split()).startswith(chapter.title):
        return places[1:]
    return places


def scenes(book: Book, chapter: Chapter) -> tuple[list[SceneText], list[Utterance]]:
    """The scenes of a chapter, and the utterances that stand too much alone to make one."""
    text = book.text
    places = body(book, chapter)
    spoken = utterances(text, places, style_of=text, chapter=chapter.number)
    speaks = {p.start for u in spoken for p in places if u.paragraph.start <= p.start < u.paragraph.end}
    groups: list[list[Span]] = [[]]
    silent = total = 0
    for place in places:
        here = text[place.start : place.end]
        if BREAK.fullmatch(here.strip()):
            groups.append([])
            silent = total = 0
            continue
        n = len(here.split())
        has_speech = place.start in speaks
        spoken_before = any(p.start in speaks for p in groups[-1])
        silent = 0 if has_speech else silent + n
        if spoken_before and not has_speech and (silent > SILENCE_WORDS or total > SCENE_WORDS):
            groups.append([])
            silent = total = 0
        groups[-1].append(place)
        total += n
    found: list[SceneText] = []
    alone: list[Utterance] = []
    for group in groups:
        inside = [u for u in spoken if group and group[0].start <= u.paragraph.start <= group[-1].start]
        if len(inside) < MIN_UTTERANCES:
            alone.extend(inside)
            continue
        found.append(
            SceneText(
                id=f"{book.id}.c{chapter.number:02d}.s{len(found) + 1:02d}",
                chapter=chapter,
                span=Span(start=group[0].start, end=group[-1].end),
                paragraphs=tuple(group),
                utterances=tuple(inside),
            )
        )
    return found, alone
