"""Beats: what a speaker does between its words, as the book tells it, and the turn that comes of both.

Owns the reading of actions from the narration of an utterance's own paragraph: a sentence whose subject is the
speaker, or the clause after `said X, and ...`. The subject is left out (HER: no pronoun for the actor); what is left
stands in the book word for word, with its span. Nothing is invented here.
"""

import re

from her.schema import Part, Span, Turn, merge_parts
from her.synthesis.extraction.scenes import Utterance
from her.synthesis.extraction.speakers import said_pieces
from her.synthesis.people.names import SPEECH_VERBS, Person
from her.synthesis.text.wording import normalise, sentences, words

_MAX_WORDS = 24
_STATE_TEXT = """
was were had is are has could would should did might must felt thought knew seemed wondered believed wished hoped
wanted remembered understood supposed never not who whose
"""
_STATE = frozenset(_STATE_TEXT.split())
_ADVERB = re.compile(r"(?:\w+ly|then|only|also|merely|just)\s+")
_AND_CLAUSE = re.compile(r",?\s+and (?:(?:as )?(?:he|she) )?(?=\w)")


def beat(sentence: str, person: Person) -> tuple[int, int] | None:
    """Offsets of the predicate where the sentence tells an act of this person; None where it does not."""
    forms = [*sorted((person.name, *person.aliases), key=len, reverse=True), "He", "She"]
    if person.gender == "he":
        forms.remove("She")
    elif person.gender == "she":
        forms.remove("He")
    start = next((len(f) + 1 for f in forms if sentence.startswith(f"{f} ")), None)
    if start is None:
        # `Mara said, and she cut the seventh wick square.`
        match = re.search(r", and (?:he|she) ", sentence)
        if match is None or not SPEECH_VERBS & set(words(sentence[: match.start()])):
            return None
        start = match.end()
    if adverb := _ADVERB.match(sentence, start):
        start = adverb.end()
    end = len(sentence.rstrip(" .!,;:—-"))
    verb = next(iter(words(sentence[start:end])), "")
    if (
        not verb
        or verb in _STATE
        or (verb in SPEECH_VERBS - {"laughed", "sighed", "put", "began"})
        or not verb[0].isalpha()
    ):
        return None
    predicate = sentence[start:end]
    if len(words(predicate)) > _MAX_WORDS or len(words(predicate)) < 2 or re.search(r"[\"“”<>]", predicate):
        return None
    return start, end


def bare_turn(
    text: str, utterance: Utterance, *, turn_id: str, speaker: str, person: Person | None
) -> tuple[Turn, tuple[Span, ...]]:
    """The turn as the book has it: speech with spans, and the speaker's own acts between. Also every span of speech."""
    parts: list[Part] = []
    said = said_pieces(text, utterance.pieces)
    edges = [
        utterance.paragraph.start,
        *(e for p in utterance.pieces for e in (p.start, p.end)),
        utterance.paragraph.end,
    ]
    for i in range(len(utterance.pieces) + 1):
        low, high = edges[2 * i], edges[2 * i + 1]
        action = _act(text, low, high, person) if person is not None else None
        if action is not None:
            parts.append(action)
        if i < len(utterance.pieces):
            parts.append(Part(kind="speech", text=said[i], span=utterance.pieces[i]))
    return Turn(id=turn_id, speaker=speaker, parts=merge_parts(tuple(parts))), utterance.pieces


def _act(text: str, low: int, high: int, person: Person) -> Part | None:
    """The first act told in `text[low:high]`."""
    while low < high and not (text[low].isalnum()):
        low += 1
    stretch = text[low:high]
    for start, end in sentences(stretch):
        sentence = stretch[start:end]
        found = beat(sentence, person)
        if found is None:
            continue
        words_of_it = normalise(sentence[found[0] : found[1]])
        if words_of_it:
            at = low + start
            return Part(kind="action", text=words_of_it, span=Span(start=at + found[0], end=at + found[1]))
    return None
