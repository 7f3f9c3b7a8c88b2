"""What people and chat clients write: plain text in which `*a gesture*` is an action and all else is speech.

Owns that one convention, which is the clients' own (a client sends back the text it displayed, quotation marks and
all). No hidden layer can be written in it: markup of any other kind is the words of whoever wrote it, and is disarmed
so that no later reader takes it for more.
"""

import re

from her.errors import InputError, TagError
from her.renderers.tags import render_turn
from her.schema import Part, PartKind, Turn, merge_parts

_GESTURE = re.compile(r"(?<![*\w])\*(?![*\s])([^*\n]*[^*\s])\*(?![*\w])")
"""One pair of asterisks around words: `**bold**`, `2 * 3 * 4` and `a*b*c` are speech."""


def read_said(text: str, *, speaker: str, turn_id: str) -> Turn:
    """A turn of visible parts only. Empty text is an InputError."""
    parts = split_gestures(text)
    if not parts:
        raise InputError("there is nothing in that message; say or do something")
    return Turn(id=turn_id, speaker=speaker, parts=parts)


def split_gestures(text: str) -> tuple[Part, ...]:
    """Speech and actions of `text`, in writing order."""
    parts: list[Part] = []
    end = 0
    for found in _GESTURE.finditer(text):
        parts += _speech(text[end : found.start()])
        if gesture := found[1].strip():
            parts.append(disarmed(Part(kind="action", text=gesture)))
        end = found.end()
    parts += _speech(text[end:])
    return merge_parts(tuple(parts))


def with_gestures(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The same parts, with the gestures that stand in speech taken out as actions."""
    split: list[Part] = []
    for part in parts:
        split += split_gestures(part.text) if part.kind == "speech" else [disarmed(part)]
    return merge_parts(tuple(split))


def disarmed(part: Part) -> Part:
    """The part with every bracket that would be read as a tag turned round: `<x>` becomes `(x)`.

    Which brackets those are is the renderers' to say: a text they would refuse to write, they would misread.
    """
    text = part.text
    while (at := _armed(part.kind, text)) is not None:
        end = text.find(">", at, at + 96)
        text = f"{text[:at]}({text[at + 1 :]}" if end < 0 else f"{text[:at]}({text[at + 1 : end]}){text[end + 1 :]}"
    return part if text == part.text else Part(kind=part.kind, text=text)


def _armed(kind: PartKind, text: str) -> int | None:
    """Where `text` would be read as a tag, whatever follows it; None where nowhere."""
    part = Part(kind=kind, text=text)
    for tail in ((), (Part(kind="action", text="x"),)):
        try:
            render_turn(Turn(id="said", speaker="X", parts=(part, *tail)))
        except TagError as e:
            return e.position
    return None


def _speech(text: str) -> list[Part]:
    """Speech without the quotation marks that display puts around it."""
    text = text.strip()
    if text.startswith("“") and text.endswith("”") and text.count("“") == 1 and text.strip("“”").strip():
        text = text[1:-1].strip()
    return [disarmed(Part(kind="speech", text=text))] if text else []
