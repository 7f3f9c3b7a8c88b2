"""Voice: a model's raw text, turned into what one viewer may see on two channels.

Owns the order of the readers: name, tags, display, stop strings. Each is a file of its own and none looks at a tag
but `renderers.stream`. What the prompt had already put in the speaker's mouth is not repeated.
"""

from dataclasses import dataclass

from her.renderers.stream import Piece, StreamReader
from her.schema import Turn, Viewer
from her.serve.exchange import Exchange
from her.serve.opening import NameGuess, Sniff
from her.serve.shown import Channel, Shower, Stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Text for one channel."""

    kind: Channel
    text: str


class Voice:
    """Takes the model's text, gives what is shown."""

    def __init__(self, exchange: Exchange, *, viewer: Viewer, stops: tuple[str, ...], eager: bool) -> None:
        self._viewer = viewer
        self._eager = eager
        self._prefill = exchange.prefill
        unnamed = not exchange.named and not exchange.prefill
        self._sniff = Sniff(exchange.messages) if unnamed else None
        self._guess = NameGuess(exchange.messages) if unnamed else None
        self._speaker = exchange.speaker
        self._shower = Shower(exchange.speaker)
        self._stops = Stops(stops)
        self._reader: StreamReader | None = None if unnamed else self._open(exchange.speaker)
        self._skip = _already(exchange)
        self._thought = False
        plan = Turn(id="probe", speaker=exchange.speaker, system_thinking="?", parts=())
        self._sees_plans = plan.seen_by(viewer).system_thinking is not None

    @property
    def stopped(self) -> bool:
        """Was a stop string met?"""
        return self._stops.hit is not None

    @property
    def repairs(self) -> int:
        """How often the reader had to forgive."""
        return 0 if self._reader is None else len(self._reader.repairs)

    def segments(self) -> tuple[tuple[str, str], ...]:
        """What was seen, by kind."""
        return self._shower.segments(self._stops.hit)

    def reasoning(self, text: str) -> list[Shown]:
        """Thinking that the endpoint sent apart from the text: system thinking, whatever its name there."""
        if not text or not self._sees_plans:
            return []
        opens, self._thought = not self._thought, True
        return self._show([Piece(kind="system_thinking", text=text, opens=opens)])

    def text(self, text: str) -> list[Shown]:
        """What `text` adds."""
        if self._sniff is not None and not self._sniff.done:
            text = self._sniff.feed(text)
        if not text:
            return []
        return self._show(self._named().feed(text))

    def close(self) -> list[Shown]:
        """The rest."""
        if self.stopped:
            return []
        held = self._sniff.feed("", end=True) if self._sniff is not None and not self._sniff.done else ""
        reader = self._named()
        pieces = (reader.feed(held) if held else []) + reader.close()
        if self._guess is not None:
            pieces = self._guess.feed(pieces, end=True)
            self._guess = None
        shown = self._show(pieces)
        rest = self._stops.feed(self._unskipped(self._shower.close())) + self._stops.close()
        return [*shown, Shown(kind="content", text=rest)] if rest else shown

    def _named(self) -> StreamReader:
        if self._reader is None:
            assert self._sniff is not None
            if self._sniff.name is not None:
                self._guess = None
            self._reader = self._open(self._sniff.name or self._speaker)
        return self._reader

    def _open(self, speaker: str) -> StreamReader:
        return StreamReader(self._viewer, speaker=speaker, prefill=self._prefill, eager=self._eager)

    def _show(self, pieces: list[Piece]) -> list[Shown]:
        if self._guess is not None:
            pieces = self._guess.feed(pieces)
        shown: list[Shown] = []
        for piece in pieces:
            for channel, text in self._shower.feed(piece):
                if channel == "content":
                    text = self._stops.feed(self._unskipped(text))
                if text and not (channel == "reasoning" and self.stopped):
                    shown.append(Shown(kind=channel, text=text))
        return shown

    def _unskipped(self, text: str) -> str:
        skipped = text[len(self._skip) :] if text.startswith(self._skip) else ""
        self._skip = self._skip[len(text) :] if self._skip.startswith(text) else ""
        return skipped


def _already(exchange: Exchange) -> str:
    """Display text of the prefill: the client has it."""
    if not exchange.prefill:
        return ""
    reader = StreamReader(Viewer.reader(), speaker=exchange.speaker)
    shower = Shower(exchange.speaker)
    pieces = reader.feed(exchange.prefill) + reader.close()
    return "".join(text for piece in pieces for _, text in shower.feed(piece))
