"""How tags are usually read: one compiled pattern over the whole reply.

This is the peer of `bench.parse`, written as people write it and as fast as they could make it. It yields the same
parts as our readers on well-formed text. It knows one spelling of three tags, and lets through whatever is not that.
"""

import re

_BLOCK = re.compile(r"<(system_thinking|role_thinking|role_action)>(.*?)</\1>", re.DOTALL)
_TAG = re.compile(r"(</?(?:system_thinking|role_thinking|role_action)>)")
_KIND = {"system_thinking": "system_thinking", "role_thinking": "thought", "role_action": "action"}
_OPENS = {f"<{tag}>": kind for tag, kind in _KIND.items()}
Parts = list[tuple[str, str]]


def by_blocks(text: str, speaker: str) -> Parts:
    """The usual way: find `<tag>...</tag>`; what lies between is speech."""
    parts: Parts = []
    at = 0
    for block in _BLOCK.finditer(text):
        if speech := text[at : block.start()].strip():
            parts.append(("speech", speech))
        parts.append((_KIND[block[1]], block[2].strip()))
        at = block.end()
    if speech := text[at:].strip():
        parts.append(("speech", speech))
    return _unnamed(parts, speaker)


def by_tags(text: str, speaker: str) -> Parts:
    """The quickest way we know: cut at tags; the last tag says what a piece is. It does not see which tag closed."""
    parts: Parts = []
    kind = "speech"
    for piece in _TAG.split(text):
        if piece[:1] == "<" and (piece in _OPENS or piece[1:2] == "/"):
            kind = _OPENS.get(piece, "speech")
        elif piece := piece.strip():
            parts.append((kind, piece))
    return _unnamed(parts, speaker)


def _unnamed(parts: Parts, speaker: str) -> Parts:
    """The parts without the name before the first speech."""
    for i, (kind, text) in enumerate(parts):
        if kind == "speech":
            said = text.removeprefix(f"{speaker}:").lstrip()
            parts[i : i + 1] = [(kind, said)] if said else []
            break
    return parts
