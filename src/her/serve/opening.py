"""A speaker's name before a reply, where the client did not say whom the model plays.

Owns one guess, made of the raw text (`Sniff`) or, where a plan comes first, of the first speech (`NameGuess`): `Name:
` opens the reply, and the name stands in the client's own prompt. `Listen: I know` keeps its first word unless the
prompt has a Listen.
"""

import re
from collections.abc import Sequence

from her.renderers.stream import Piece
from her.schema import Message

_LONGEST = 60


class NameGuess:
    """Holds the first speech back until it is known whether a name opens it."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._prompt = "\n".join(m.content for m in messages)
        self._held = ""
        self._done = False

    def feed(self, pieces: list[Piece], *, end: bool = False) -> list[Piece]:
        """The pieces, later and without the name."""
        out: list[Piece] = []
        for piece in pieces:
            if self._done or piece.kind == "system_thinking":
                out.append(piece)
            elif piece.kind == "speech":
                self._held += piece.text
                if ":" in self._held or len(self._held) > _LONGEST or "\n" in self._held.strip():
                    out += self._decide()
            else:
                out += [*self._decide(), piece]
        if end and not self._done:
            out += self._decide()
        return out

    def _decide(self) -> list[Piece]:
        self._done = True
        name, colon, rest = self._held.partition(":")
        text = rest.lstrip() if colon and _known(name, self._prompt) else self._held
        return [Piece(kind="speech", text=text)] if text else []


class Sniff:
    """Holds the first text of a raw reply back until it is known whether a known name opens it."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._prompt = "\n".join(m.content for m in messages)
        self._held = ""
        self.name: str | None = None
        self.done = False

    def feed(self, text: str, *, end: bool = False) -> str:
        """The same text, later; `name` is set by then if there is one."""
        self._held += text
        if not (end or ":" in self._held or len(self._held) > _LONGEST or "\n" in self._held.strip()):
            return ""
        self.done = True
        name, colon, _ = self._held.partition(":")
        if colon and _known(name, self._prompt):
            self.name = name.strip()
        held, self._held = self._held, ""
        return held


def _known(name: str, prompt: str) -> bool:
    """Can this be a name, and does the prompt have it as a word?"""
    name = name.strip()
    if not name or "\n" in name or "<" in name or len(name.split()) > 4:
        return False
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", prompt) is not None
