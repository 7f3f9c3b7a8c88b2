"""Enriched: one turn as a teacher gave it back, held against the turn it was given.

Owns the rules of HER's first stage as code: same speaker, same speech, thoughts in the first person, actions without
their actor, no two parts of a kind side by side, no growth, one language, nobody's mind read. Each fault has a reason
of its own, under which it is counted. What passes has the teacher's order and the source's words.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from her.errors import TagError, TeacherError
from her.renderers import foreign_names, read_lenient, read_strict
from her.schema import Part, Turn
from her.synthesis.text.estimate import length
from her.synthesis.text.fidelity import difference, relaid, similarity
from her.synthesis.text.language import Language, mixes
from her.synthesis.text.passage import Passage
from her.synthesis.text.perspective import check_plain
from her.synthesis.text.voice import action_fault, thought_fault
from her.synthesis.text.wording import overlap, run_of, shares_run, words

LONG_THOUGHT = 300
"""Characters of one thought at most; the paper's pipeline sets longer ones apart."""
LONG_ACTION = 24
"""Words of one action at most."""
_RUNS: dict[Language, tuple[int, int, int]] = {"en": (6, 6, 8), "other": (6, 6, 8), "zh": (8, 9, 14)}
"""Words (characters, in Chinese) in a row that are copied and not chance: from speech, from others' minds, from oneself
earlier."""
_CALM, _GROWTH, _SETTLED = 24, 1.75, 3
"""Growth: what a turn adds is compared with what the first three enriched turns added on average; up to 24 words pass
anyhow. A teacher that writes more each turn doubles within a scene, and 1.75 times is beyond any mood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a turn is judged by, beside its source."""

    language: Language
    forms: tuple[str, ...]
    """The speaker's name and aliases."""
    others: tuple[str, ...]
    hidden: tuple[str, ...]
    """Others' thoughts and private notes."""
    known: str
    """What the speaker may know: its own notes, the scene, and what it saw of the turns before."""
    earlier: tuple[str, ...]
    """The speaker's own thoughts before."""
    added: tuple[int, ...]
    """Words that each enriched turn of the dialogue added so far."""
    most_added: int
    least_similar: float
    example: str
    """The example of the prompt, which is not to be copied."""


def accept(text: str, *, source: Turn, standing: Standing, passage: Passage | None) -> Turn:
    """The enriched turn. Raises TeacherError with the reason of the first fault, in this order:

    grammar, nested       not a well-formed turn; a tag within a tag
    speaker               others speak in it
    adjacent              two thoughts or two actions side by side
    speech_changed        the words are not the source's; the detail is the difference
    lost_thought, lost_action   the source had one and none is left
    markup, talks_of_user, other_language, loops, mixes_languages   in a thought or action
    not_first_person, third_person, copies_speech, reads_minds, repeats, copies_example   of a thought
    names_actor, speech_in_action   of an action
    length                a thought, an action or all that was added is too long
    grows                 it adds far more than the dialogue's first turns did
    """
    turn = _read(text, source=source)
    if strangers := foreign_names(turn, standing.others):
        raise TeacherError(f"{', '.join(strangers)} speaks in it", "speaker")
    if any(a.kind == b.kind for a, b in pairwise(turn.parts)):
        raise TeacherError(turn.layout(), "adjacent")
    if similarity(turn.speech(), source.speech()) < standing.least_similar:
        raise TeacherError(difference(turn.speech(), source.speech()), "speech_changed")
    for kind in ("thought", "action"):
        if _has(source, kind) and not _has(turn, kind):
            raise TeacherError(text, f"lost_{kind}")
    for part in turn.parts:
        if part.kind == "thought":
            _thought(part.text, source=source, standing=standing)
        elif part.kind == "action":
            _action(part.text, source=source, standing=standing)
    _size(turn, source=source, standing=standing)
    parts = relaid(source.parts, turn.parts, passage)
    if parts is None:
        raise TeacherError(difference(turn.speech(), source.speech()), "speech_changed")
    bare = tuple(
        p if p.kind == "speech" else Part(kind=p.kind, text=re.sub(r"(?<!\.)[.。]$", "", p.text)) for p in parts
    )
    return Turn(id=source.id, speaker=source.speaker, parts=bare, gains=source.gains, flags=source.flags)


def added_words(turn: Turn, source: Turn) -> int:
    """How much longer than its source a turn is in thoughts and actions."""
    return max(0, _hidden_length(turn) - _hidden_length(source))


def _read(text: str, *, source: Turn) -> Turn:
    try:
        turn = read_strict(text.strip(), speaker=source.speaker, turn_id=source.id)
    except TagError as e:
        try:
            repairs = read_lenient(text, speaker=source.speaker, turn_id=source.id).repairs
        except TagError:
            raise TeacherError(str(e), "grammar") from e
        raise TeacherError(str(e), "nested" if any(r.kind == "nested" for r in repairs) else "grammar") from e
    if turn.system_thinking is not None:
        raise TeacherError(text, "grammar")
    return turn


def _has(turn: Turn, kind: str) -> bool:
    return any(p.kind == kind for p in turn.parts)


def _hidden_length(turn: Turn) -> int:
    return sum(length(p.text) for p in turn.parts if p.kind != "speech")


def _thought(text: str, *, source: Turn, standing: Standing) -> None:
    spoken, minds, own = _RUNS[standing.language]
    _plain(text, source=source, standing=standing)
    if fault := thought_fault(text, forms=standing.forms, language=standing.language):
        raise TeacherError(text, fault)
    if shares_run(text, source.speech(), length=spoken) or (
        len(words(text)) > 4 and overlap(text, source.speech()) > 0.8
    ):
        raise TeacherError(text, "copies_speech")
    if any(run_of(text, secret, length=minds, known=standing.known) for secret in standing.hidden):
        raise TeacherError(text, "reads_minds")
    if any(shares_run(text, past, length=own) for past in standing.earlier):
        raise TeacherError(text, "repeats")
    if shares_run(text, standing.example, length=5):
        raise TeacherError(text, "copies_example")
    if len(text) > LONG_THOUGHT:
        raise TeacherError(text, "length")


def _action(text: str, *, source: Turn, standing: Standing) -> None:
    _plain(text, source=source, standing=standing)
    if fault := action_fault(text, forms=standing.forms, language=standing.language):
        raise TeacherError(text, fault)
    if length(text) > LONG_ACTION:
        raise TeacherError(text, "length")


def _plain(text: str, *, source: Turn, standing: Standing) -> None:
    context = f"{source.speech()} {standing.known}"
    check_plain(text, source=context, loop=6)
    if mixes(text, context):
        raise TeacherError(text, "mixes_languages")


def _size(turn: Turn, *, source: Turn, standing: Standing) -> None:
    added = added_words(turn, source)
    if added > standing.most_added:
        raise TeacherError(f"{added} words added, {standing.most_added} at most", "length")
    first = standing.added[:_SETTLED]
    if len(first) == _SETTLED:
        most = max(_CALM, int(_GROWTH * sum(first) / _SETTLED))
        if added > most:
            raise TeacherError(f"{added} words added, {most} at most after {list(first)}", "grows")
