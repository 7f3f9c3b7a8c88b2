"""StreamReader: a turn as it arrives, shown to one viewer.

The same machine as the other readers; this file only drops what the viewer may not see. Which that is, is asked of
`Turn.seen_by`, once per kind, so the law of visibility has one home. What is shown equals the whole turn's
`seen_by(viewer)` at every chunking: text that follows a hidden part goes on after a space, as in `merge_parts`.
"""

from typing import get_args

from her.renderers.machine import Event, Layer, Machine, Repair
from her.schema import Part, Record, Turn, Viewer


class Piece(Record):
    """More of what the viewer sees. `opens`: a new part begins here; else the last part of this kind goes on."""

    kind: Layer
    text: str
    opens: bool = True


class StreamReader:
    """Feed it chunks; it returns what the viewer may see as soon as that is certain (see `machine`).

    `prefill` is text that the prompt already put in the speaker's mouth. `eager` is for a reader who wants words as
    they come, and is refused to everyone else.
    """

    def __init__(self, viewer: Viewer, *, speaker: str, prefill: str = "", eager: bool = False) -> None:
        if eager and viewer.kind != "reader":
            raise ValueError("eager reading is for a reader outside the scene; others wait until text is certain")
        self._machine = Machine(speaker=speaker, prefill=prefill, eager=eager)
        self._shown = {kind for kind in get_args(Layer) if _sees(viewer, kind, speaker)}
        self._last: Layer | None = None
        self._early = self._machine.opening()

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was forgiven so far."""
        return tuple(self._machine.repairs)

    def feed(self, chunk: str) -> list[Piece]:
        """What can be shown after `chunk`."""
        return self._show(self._machine.feed(chunk))

    def close(self) -> list[Piece]:
        """The rest: the turn has ended."""
        return self._show(self._machine.close())

    def _show(self, events: list[Event]) -> list[Piece]:
        pieces = []
        for event in (*self._early, *events):
            if event.kind not in self._shown:
                continue
            if event.opens and event.kind == self._last == "speech":
                piece = Piece(kind="speech", text=f" {event.text}", opens=False)
            else:
                piece = Piece(kind=event.kind, text=event.text, opens=event.opens)
            pieces.append(piece)
            if event.kind != "system_thinking":
                self._last = event.kind
        self._early = []
        return pieces


def _sees(viewer: Viewer, kind: Layer, speaker: str) -> bool:
    if kind == "system_thinking":
        turn = Turn(id="t", speaker=speaker, system_thinking="x", parts=())
        return turn.seen_by(viewer).system_thinking is not None
    return bool(Turn(id="t", speaker=speaker, parts=(Part(kind=kind, text="x"),)).seen_by(viewer).parts)
