"""View: what one character knows at one moment, in the words a teacher is shown.

The information barrier of synthesis. Everything that reaches a request about a turn comes through here: the scene as
this character knows it, and the turns before, each through `Turn.seen_by`. Later turns, others' thoughts, others'
motives and all system thinking cannot be passed, because nothing here accepts them.
"""

from collections.abc import Sequence

from her.schema import Character, Scene, Turn, Viewer
from her.synthesis.wording import clip, sentences


def line(turn: Turn, *, max_words: int) -> str:
    """One turn on one line, as far as it was already cut to a viewer: `Name: (action) speech`."""
    pieces = []
    for part in turn.parts:
        if part.kind == "speech":
            spoken = [part.text[a:b] for a, b in sentences(part.text)]
            # The end of a long speech is what the next speaker answers.
            kept = clip(reversed(spoken), limit_words=max_words) if len(part.text.split()) > max_words else part.text
            pieces.append(kept if len(part.text.split()) <= max_words else f"... {_in_order(kept, part.text)}")
        else:
            pieces.append(f"({part.text})")
    return f"{turn.speaker}: {' '.join(pieces)}" if pieces else ""


def _in_order(kept: str, whole: str) -> str:
    """The tail of `whole` that has as many words as `kept`."""
    return " ".join(whole.split()[-len(kept.split()) :])


def history(before: Sequence[Turn], *, name: str, turns: int, max_words: int = 40) -> str:
    """The last turns as `name` saw them, oldest first. System thinking is left out: the teacher's plan for a turn must
    not lean on earlier plans."""
    seen = [t.seen_by(Viewer.character(name)) for t in before[-turns:]]
    lines = [text for t in seen if (text := line(t, max_words=max_words))]
    return "\n".join(lines) if lines else "(Nobody has spoken yet.)"


def heard(before: Sequence[Turn], *, name: str) -> list[Turn]:
    """All earlier turns as `name` saw them."""
    return [t.seen_by(Viewer.character(name)) for t in before]


def own_thoughts(before: Sequence[Turn], name: str) -> list[str]:
    """What `name` thought earlier in the scene."""
    return [p.text for t in heard(before, name=name) if t.speaker == name for p in t.parts if p.kind == "thought"]


def knows(scene: Scene, name: str) -> Character:
    """`name` as it knows itself, or a bare character for one who has no card (the scene's crowd)."""
    return scene.character(name) if name in scene.names() else Character(name=name)


def short(text: str, *, limit_words: int) -> str:
    """The first whole sentences of a field that fit."""
    return clip((text[a:b] for a, b in sentences(text)), limit_words=limit_words)
