"""Canonical text, read at the speed of one pattern.

Most text is exactly as it should be, and for such text cutting at the tags is enough. Owns that short way and forgives
nothing: whatever is not plainly canonical is refused with None and is `machine`'s to read. The machine remains what
defines a turn; a test holds that this file never disagrees with it.
"""

import re

from her.renderers.machine import Layer, Piece
from her.renderers.marks import CANONICAL, has_rare
from her.renderers.name_prefix import name_prefix

_LAYERS: dict[str, Layer] = {"system": "system_thinking", "thought": "thought", "action": "action"}
_TAG = re.compile(f"(</?(?:{'|'.join(CANONICAL.values())})>)")
_OPENS = {f"<{CANONICAL[kind]}>": (layer, f"</{CANONICAL[kind]}>") for kind, layer in _LAYERS.items()}


class CanonicalReader:
    """Reads a turn whole, or in stretches that each hold whole blocks; the first that is refused ends its use."""

    def __init__(self, speaker: str) -> None:
        self._name = name_prefix(speaker)
        self._opened: set[Layer] = set()
        """Layers that were read; speech too, if only the name was said."""

    def read(self, text: str) -> list[Piece] | None:
        """The pieces of `text`; None where anything in it would have to be forgiven, or only looks like a tag."""
        tokens = _TAG.split(text)
        if len(tokens) % 4 != 1 or text.count("<") != len(tokens) // 2 or has_rare(text):
            return None
        pieces: list[Piece] = []
        for i in range(0, len(tokens) - 1, 4):
            plain, opening, inside, closing = tokens[i : i + 4]
            layer, wanted = _OPENS.get(opening, (None, ""))
            inside = inside.strip()
            if layer is None or closing != wanted or not inside or (plain and not self._say(plain, pieces)):
                return None
            if layer == "system_thinking" and self._opened:
                return None
            self._opened.add(layer)
            pieces.append(Piece(layer, inside))
        return pieces if self._say(tokens[-1], pieces) else None

    def _say(self, text: str, pieces: list[Piece]) -> bool:
        """Add speech; the first without its speaker's name. False where the name is not where or as it should be."""
        said = text.strip()
        if said and "speech" not in self._opened:
            lead = text.lstrip()
            name = self._name.find(lead, ends=True)
            if name is not None and name.length:
                if not name.canonical or self._opened - {"system_thinking"}:
                    return False
                said = lead[name.length :].strip()
            self._opened.add("speech")
        if said:
            pieces.append(Piece("speech", said))
        return True
