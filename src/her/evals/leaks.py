"""Leaks: what a reply lets others see that should have stayed hidden.

Owns two tests on a reply that was already read leniently. It knows no tag: what is visible is read once more by the one
grammar, and anything it still finds in there besides plain words is markup that got through. When a thought was said
aloud, `renderers.spoken_thought` says, to the gates of training too.
"""

from typing import Literal

from her.errors import TagError
from her.renderers.spoken_thought import speaks_thought, words
from her.renderers.tags import read_lenient
from her.schema import Turn, Viewer

LeakKind = Literal["markup_visible", "thought_spoken"]


def leaks(turn: Turn) -> tuple[LeakKind, ...]:
    """The kinds of leak in a turn as others see it, each at most once."""
    found: list[LeakKind] = []
    visible = turn.seen_by(Viewer.reader())
    if any(_has_markup(part.text, speaker=turn.speaker) for part in visible.parts):
        found.append("markup_visible")
    if speaks_thought(turn):
        found.append("thought_spoken")
    return tuple(found)


def visible_words(turn: Turn) -> int:
    """How many words others see or hear."""
    return sum(len(words(part.text)) for part in turn.seen_by(Viewer.reader()).parts)


def _has_markup(text: str, *, speaker: str) -> bool:
    try:
        reading = read_lenient(text, speaker=speaker, turn_id="again")
    except TagError:
        return True  # nothing but markup
    plain = all(p.kind == "speech" for p in reading.turn.parts) and reading.turn.system_thinking is None
    return bool(reading.repairs) or not plain
