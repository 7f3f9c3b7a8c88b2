"""StreamReader: a turn as it arrives, shown to one viewer.

The same grammar as the other readers; this file only drops what the viewer may not see. Which that is, is asked of
`Turn.seen_by`, once per kind, so the law of visibility has one home. What is shown equals the whole turn's
`seen_by(viewer)` at every chunking: text that follows a hidden part goes on after a space, as in `merge_parts`.

Most chunks of a stream can show nothing, and most of those can be told at a glance. They are kept and read together
with the first chunk that may show something, and while the text is canonical the short way reads them. Nobody sees a
word later for it: a test compares every feed with a reader that gives each chunk to the machine.
"""

import re
from functools import lru_cache
from typing import get_args

from her.renderers.canonical import CanonicalReader
from her.renderers.machine import Layer, Machine, Piece, Repair
from her.renderers.marks import CUT_TAGS, RARE, TAGS, has_rare
from her.schema import Part, Turn, Viewer

__all__ = ["Piece", "StreamReader"]

_TAG = re.compile("<[^>]*>?")
_RELEASES = ("<system_thinking>", "<role_thinking>")
"""What is held becomes certain at a hidden opening, and nowhere else before the end (see `machine`)."""
_RELEASE_NOTHING = TAGS.difference(_RELEASES)


class StreamReader:
    """Feed it chunks; it returns what the viewer may see as soon as that is certain (see `machine`).

    `prefill` is text that the prompt already put in the speaker's mouth. `eager` is for a reader who wants words as
    they come, and is refused to everyone else.
    """

    def __init__(self, viewer: Viewer, *, speaker: str, prefill: str = "", eager: bool = False) -> None:
        if eager and viewer.kind != "reader":
            raise ValueError("eager reading is for a reader outside the scene; others wait until text is certain")
        self._shown = _layers(viewer, speaker)
        self._last: Layer | None = None
        self._given = 0
        """Pieces shown."""
        self._unread: list[str] = []
        self._read: list[str] = []
        """What the short way has read, for the machine to read again should it be needed."""
        self._cut = ""
        """The beginning of a tag at the end of what is unread."""
        self._machine = Machine(speaker=speaker, prefill=prefill, eager=eager)
        self._early = self._machine.opening()
        waits = not eager and not prefill and self._shown.isdisjoint(("system_thinking", "thought"))
        self._short = CanonicalReader(speaker) if waits else None
        """Reads while all is canonical, for a viewer to whom hidden text shows nothing."""
        self._plain = not self._early and self._machine.mute(self._shown)
        """More text without a tag would show nothing."""

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was forgiven so far."""
        if self._unread:
            self._by_machine()
        return tuple(self._machine.repairs)

    def feed(self, chunk: str) -> list[Piece]:
        """What can be shown after `chunk`."""
        self._unread.append(chunk)
        if self._plain and "<" not in chunk and "&" not in chunk and (chunk.isascii() or not RARE.search(chunk)):
            return []
        if self._short is None:
            return self._by_machine()
        return self._by_short_way(self._short, chunk)

    def close(self) -> list[Piece]:
        """The rest: the turn has ended."""
        if self._short is not None:
            pieces = self._short.read("".join(self._unread))
            if pieces is not None:
                self._unread.clear()
                return self._show(pieces)
        return self._by_machine() + self._show(self._machine.close())

    def _by_short_way(self, short: CanonicalReader, chunk: str) -> list[Piece]:
        """Read up to the last hidden opening, if one has come: what stood before it is certain now."""
        self._cut, releases, odd = self._weigh(chunk)
        self._plain = not self._cut
        if odd:
            return self._by_machine()
        if not releases:
            return []
        text = "".join(self._unread)
        at = max(text.rfind(tag) for tag in _RELEASES)
        pieces = short.read(text[:at])
        if pieces is None:
            return self._by_machine()
        self._read.append(text[:at])
        self._unread = [text[at:]]
        return self._show(pieces)

    def _weigh(self, chunk: str) -> tuple[str, bool, bool]:
        """The tag that `chunk` cuts, whether it opens a hidden block, whether it holds what the short way refuses."""
        cut, releases = "", False
        for tag in _TAG.findall(self._cut + chunk):
            if tag in _RELEASES:
                releases = True
            elif tag in CUT_TAGS:
                cut = tag
            elif tag not in _RELEASE_NOTHING:
                return cut, releases, True
        return cut, releases, has_rare(chunk)

    def _by_machine(self) -> list[Piece]:
        """Let the machine read what is unread; where it was not asked before, all that came, without what was shown."""
        text = "".join((*self._read, *self._unread))
        self._read.clear()
        self._unread.clear()
        pieces = self._machine.feed(text)
        skip = 0
        if self._short is not None:
            self._short, skip, self._given, self._last = None, self._given, 0, None
        pieces = self._show(pieces)[skip:]
        self._plain = self._machine.mute(self._shown)
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
        self._given += len(shown)
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
