"""StreamReader: a turn as it arrives, shown to one viewer.

The same machine as the other readers; this file only drops what the viewer may not see. Which that is, is asked of
`Turn.seen_by`, once per kind, so the law of visibility has one home. What is shown equals the whole turn's
`seen_by(viewer)` at every chunking: text that follows a hidden part goes on after a space, as in `merge_parts`.

Most chunks of a stream show nothing, and most of those can be told without the machine; they are kept and read together
with the first chunk that may show something. Nobody sees a word later for it: a test compares every feed with a reader
that keeps nothing.
"""

import re
from functools import lru_cache
from typing import get_args

from her.renderers.machine import Layer, Machine, Piece, Repair
from her.renderers.marks import CUT_TAGS, RARE, TAGS, has_rare
from her.schema import Part, Turn, Viewer

__all__ = ["Piece", "StreamReader"]


_TAG = re.compile("<[^>]*>?")
_RELEASE_NOTHING = frozenset(tag for tag in TAGS if tag.startswith("</") or tag == "<role_action>")
"""Tags after which nothing new is certain: what is held is released by a hidden opening alone (see `machine`)."""


class StreamReader:
    """Feed it chunks; it returns what the viewer may see as soon as that is certain (see `machine`).

    `prefill` is text that the prompt already put in the speaker's mouth. `eager` is for a reader who wants words as
    they come, and is refused to everyone else.
    """

    def __init__(self, viewer: Viewer, *, speaker: str, prefill: str = "", eager: bool = False) -> None:
        if eager and viewer.kind != "reader":
            raise ValueError("eager reading is for a reader outside the scene; others wait until text is certain")
        self._machine = Machine(speaker=speaker, prefill=prefill, eager=eager)
        self._shown = _layers(viewer, speaker)
        self._last: Layer | None = None
        self._early = self._machine.opening()
        self._mute = not self._early and self._machine.mute(self._shown)
        """Text without a tag would show nothing."""
        self._unread: list[str] = []
        """Chunks that show nothing, in order."""
        self._cut = ""
        """The beginning of a tag at their end."""
        self._plain = self._mute
        """Mute, and no tag is cut."""
        waits = not eager and self._shown.isdisjoint(("system_thinking", "thought"))
        self._silent_tags = _RELEASE_NOTHING if waits else frozenset()

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was forgiven so far."""
        if self._unread:
            self._read("")
        return tuple(self._machine.repairs)

    def feed(self, chunk: str) -> list[Piece]:
        """What can be shown after `chunk`."""
        plain = self._plain and "<" not in chunk and "&" not in chunk and (chunk.isascii() or not RARE.search(chunk))
        if plain or (self._mute and self._silent(chunk)):
            self._unread.append(chunk)
            return []
        return self._read(chunk)

    def close(self) -> list[Piece]:
        """The rest: the turn has ended."""
        return self._read("") + self._show(self._machine.close())

    def _silent(self, chunk: str) -> bool:
        """Do the tags in `chunk` show nothing either? Those that release nothing do not, nor does the beginning of a
        canonical tag; whatever is spelt otherwise is for the machine to judge."""
        if has_rare(chunk):
            return False
        cut = ""
        for tag in _TAG.findall(self._cut + chunk):
            if tag in CUT_TAGS:
                cut = tag
            elif tag not in self._silent_tags:
                return False
        self._cut = cut
        self._plain = not cut
        return True

    def _read(self, chunk: str) -> list[Piece]:
        if self._unread:
            self._unread.append(chunk)
            chunk = "".join(self._unread)
            self._unread.clear()
            self._cut = ""
        pieces = self._machine.feed(chunk)
        if pieces or self._early:
            pieces = self._show(pieces)
        self._mute = self._plain = self._machine.mute(self._shown)
        return pieces

    def _show(self, pieces: list[Piece]) -> list[Piece]:
        if self._early:
            pieces, self._early = self._early + pieces, []
        shown: list[Piece] = []
        for piece in pieces:
            if piece.kind not in self._shown:
                continue
            if piece.opens and piece.kind == self._last == "speech":
                shown.append(Piece("speech", f" {piece.text}", opens=False))
            else:
                shown.append(piece)
            if piece.kind != "system_thinking":
                self._last = piece.kind
        return shown


@lru_cache(maxsize=256)
def _layers(viewer: Viewer, speaker: str) -> frozenset[Layer]:
    """What `viewer` sees of a turn by `speaker`."""
    return frozenset(kind for kind in get_args(Layer) if _sees(viewer, kind, speaker))


def _sees(viewer: Viewer, kind: Layer, speaker: str) -> bool:
    if kind == "system_thinking":
        turn = Turn(id="t", speaker=speaker, system_thinking="x", parts=())
        return turn.seen_by(viewer).system_thinking is not None
    return bool(Turn(id="t", speaker=speaker, parts=(Part(kind=kind, text="x"),)).seen_by(viewer).parts)
