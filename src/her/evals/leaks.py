"""Leaks: what a reply lets others see that should have stayed hidden.

Owns two tests on a reply that was already read leniently. It knows no tag: what is visible is read once more by the one
grammar, and anything it still finds in there besides plain words is markup that got through.
"""

import re
from typing import Literal

from her.errors import TagError
from her.renderers.tags import read_lenient
from her.schema import Turn, Viewer

LeakKind = Literal["markup_visible", "thought_spoken"]
COPIED_WORDS = 6
"""A run of this many words that stands in a thought and in what others see was copied. Five-word runs of everyday
English ("I do not want to") recur by chance."""
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


def leaks(turn: Turn) -> tuple[LeakKind, ...]:
    """The kinds of leak in a turn as others see it, each at most once."""
    found: list[LeakKind] = []
    visible = turn.seen_by(Viewer.reader())
    if any(_has_markup(part.text, speaker=turn.speaker) for part in visible.parts):
        found.append("markup_visible")
    shown = {run for part in visible.parts for run in _runs(part.text)}
    if any(run in shown for part in turn.parts if part.kind == "thought" for run in _runs(part.text)):
        found.append("thought_spoken")
    return tuple(found)


def visible_words(turn: Turn) -> int:
    """How many words others see or hear."""
    return sum(len(_WORD.findall(part.text)) for part in turn.seen_by(Viewer.reader()).parts)


def _has_markup(text: str, *, speaker: str) -> bool:
    try:
        reading = read_lenient(text, speaker=speaker, turn_id="again")
    except TagError:
        return True  # nothing but markup
    plain = all(p.kind == "speech" for p in reading.turn.parts) and reading.turn.system_thinking is None
    return bool(reading.repairs) or not plain


def _runs(text: str) -> set[tuple[str, ...]]:
    words = [w.lower() for w in _WORD.findall(text)]
    return {tuple(words[i : i + COPIED_WORDS]) for i in range(len(words) - COPIED_WORDS + 1)}
