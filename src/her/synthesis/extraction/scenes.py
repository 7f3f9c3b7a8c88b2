"""Scenes of a chapter: which paragraphs belong together, and who is quoted in each.

Owns the utterance (all that one paragraph quotes, one turn of one speaker) and the borders between scenes: a break
line, a long stretch without speech, a budget of words. A scene has at least two utterances. Knows no names and no
model.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Sequence
from dataclasses import dataclass

from her.schema import Chapter, Span
from her.synthesis.people.names import SPEECH_VERBS
from her.synthesis.text.estimate import length
from her.synthesis.text.headings import is_heading
from her.synthesis.text.paragraphs import BREAK, paragraphs
from her.synthesis.text.prose import Prose
from her.synthesis.text.quotes import Quotation, quotations
from her.synthesis.text.wording import words

SILENCE_WORDS = 260
"""So many words of narration without speech end a scene."""
SCENE_WORDS = 1100
"""A scene longer than this is cut at its next narration: about 1,500 tokens."""
MIN_UTTERANCES = 2
RUN_ON_WORDS = 1200
"""A paragraph of over so many words that quotes again and again has lost its line breaks, and with them its turns."""
_RUN_ON_QUOTES = 12
_MARKS = '"“”‘’«»„「」『』'


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One speaker's quoted words: the pieces one paragraph quotes, with the paragraphs that continue them."""

    id: str
    pieces: tuple[Span, ...]
    paragraph: Span
    """From the first to the last paragraph it stands in."""
    balanced: bool

    def run_on(self, text: str) -> bool:
        """Is this no utterance but a whole conversation whose line breaks were lost?"""
        if len(self.pieces) < _RUN_ON_QUOTES:
            return False
        return length(text[self.paragraph.start : self.paragraph.end]) > RUN_ON_WORDS


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
        while start < end and (text[start].isspace() or text[start] in _MARKS):
            start += 1
        while end > start and (text[end - 1].isspace() or (text[end - 1] in _MARKS and text[end - 1] not in "‘’")):
            end -= 1
        if end > start and any(c.isalnum() for c in text[start:end]):
            kept.append(Span(start=start, end=end))
    return kept


def _is_mention(text: str, quotation: Quotation, paragraph: Span) -> bool:
    """A word or two in quotation marks inside a sentence of narration: a mention, not an utterance."""
    said = text[quotation.span.start : quotation.span.end]
    if (
        len(said) > 40
        or len(said.split()) > 3
        or not quotation.balanced
        or said[-1] in ",.!?…—-。！？，"
        or quotation.span.start - 1 <= paragraph.start
    ):
        return False
    around = text[paragraph.start : quotation.span.start] + text[quotation.span.end : paragraph.end]
    return not SPEECH_VERBS & set(words(around)) or said[0].islower()


def utterances(prose: Prose, places: Sequence[Span], *, chapter: int) -> list[Utterance]:
    """The utterances of a chapter's paragraphs."""
    found: list[tuple[list[Span], int, int, bool]] = []
    for q in quotations(prose.text, places, style=prose.style):
        if _is_mention(prose.text, q, places[q.paragraph]):
            continue
        if found and (found[-1][2] == q.paragraph or (q.continues and found[-1][2] == q.paragraph - 1)):
            pieces, first, _, balanced = found[-1]
            pieces.append(q.span)
            found[-1] = (pieces, first, q.paragraph, balanced and q.balanced)
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


def body(prose: Prose, chapter: Chapter) -> list[Span]:
    """The paragraphs of a chapter, its heading left out."""
    title = re.compile(r"\s*" + r"\s+".join(re.escape(word) for word in chapter.title.split()) + r"(?!\w)")
    head = title.match(prose.text, chapter.span.start, chapter.span.end)
    start = head.end() if head else chapter.span.start
    if start == chapter.span.end:
        return []
    places = paragraphs(prose.text, Span(start=start, end=chapter.span.end))
    if head is None and places and is_heading(prose.text[places[0].start : places[0].end]):
        return places[1:]
    return places


def groups(prose: Prose, places: Sequence[Span], spoken: Sequence[Utterance]) -> list[list[Span]]:
    """The paragraphs of a chapter by scene, those in which nobody speaks included. Break lines are in none."""
    speaks = _speaking(places, spoken)
    found: list[list[Span]] = [[]]
    silent = total = 0
    spoken_before = False
    for place in places:
        here = prose.text[place.start : place.end]
        if BREAK.fullmatch(here.strip()):
            found.append([])
            silent = total = 0
            spoken_before = False
            continue
        n = length(here)
        has_speech = place.start in speaks
        silent = 0 if has_speech else silent + n
        if spoken_before and not has_speech and (silent > SILENCE_WORDS or total > SCENE_WORDS):
            found.append([])
            silent = total = 0
            spoken_before = False
        found[-1].append(place)
        spoken_before = spoken_before or has_speech
        total += n
    return [group for group in found if group]


def _speaking(places: Sequence[Span], spoken: Sequence[Utterance]) -> set[int]:
    """The starts of the paragraphs in which somebody speaks."""
    found, k = set(), 0
    for place in places:
        while k < len(spoken) and spoken[k].paragraph.end <= place.start:
            k += 1
        if k < len(spoken) and spoken[k].paragraph.start <= place.start:
            found.add(place.start)
    return found


def scenes(prose: Prose, chapter: Chapter) -> tuple[list[SceneText], list[Utterance]]:
    """The scenes of a chapter, and the utterances that stand too much alone to make one."""
    places = body(prose, chapter)
    spoken = utterances(prose, places, chapter=chapter.number)
    found: list[SceneText] = []
    alone: list[Utterance] = []
    at = 0
    for group in groups(prose, places, spoken):
        inside = []
        while at < len(spoken) and spoken[at].paragraph.start <= group[-1].start:
            inside.append(spoken[at])
            at += 1
        if len(inside) < MIN_UTTERANCES:
            alone.extend(inside)
            continue
        found.append(
            SceneText(
                id=f"{prose.book.id}.c{chapter.number:02d}.s{len(found) + 1:02d}",
                chapter=chapter,
                span=Span(start=group[0].start, end=group[-1].end),
                paragraphs=tuple(group),
                utterances=tuple(inside),
            )
        )
    return found, alone
