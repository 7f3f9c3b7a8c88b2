"""Shower and Stops: display text that only ever grows, and where it is cut.

Owns the step from pieces to text on two channels. How a turn looks is `renderers.display`'s to say: the visible parts
so far are rendered as a whole, and that much is let out which no further text can change.
"""

from typing import Literal

from her.renderers.display import render_display
from her.renderers.stream import Piece
from her.schema import Part, Turn, Viewer

Channel = Literal["reasoning", "content"]
_MORE = "\uffff"
"""A noncharacter, so it is in no reply: stands for the text still to come."""
_CLEAN = dict.fromkeys([ord(_MORE), *(c for c in range(32) if c not in (9, 10)), 127])
"""Control characters do nothing good in a client's terminal or page."""


class Shower:
    """Takes pieces in writing order, gives display text."""

    def __init__(self, speaker: str) -> None:
        self._speaker = speaker
        self._seen: list[tuple[str, str]] = []
        self._out = ""

    def feed(self, piece: Piece) -> list[tuple[Channel, str]]:
        """What can be shown now."""
        kind, text = piece.kind, piece.text.translate(_CLEAN)
        new = piece.opens or not self._seen or self._seen[-1][0] != kind
        if not text or (new and not text.strip()):
            return []
        if kind in {"system_thinking", "thought"}:
            again = new and any(k in {"system_thinking", "thought"} for k, _ in self._seen)
            self._add(kind, text, new=new)
            return [("reasoning", f"\n\n{text}" if again else text)]
        self._add(kind, text, new=new)
        return [("content", grown)] if (grown := self._grow(self._stable())) else []

    def close(self) -> str:
        """The rest of the content."""
        return self._grow(self._render(""))

    def segments(self, cut: str | None = None) -> tuple[tuple[str, str], ...]:
        """What was seen, by kind. `cut`: the stop string that ended it."""
        seen = [(kind, text.strip()) for kind, text in self._seen]
        if cut and seen:
            kind, text = seen[-1]
            seen[-1] = (kind, text.partition(cut)[0].strip())
        return tuple((kind, text) for kind, text in seen if text)

    def _add(self, kind: str, text: str, *, new: bool) -> None:
        if new:
            self._seen.append((kind, text.lstrip()))
        else:
            self._seen[-1] = (kind, self._seen[-1][1] + text)

    def _stable(self) -> str:
        """So much of the display as more text of the last part leaves alone."""
        ended, open_ = self._render(""), self._render(_MORE)
        return ended[: next((i for i, (a, b) in enumerate(zip(ended, open_, strict=False)) if a != b), len(ended))]

    def _render(self, more: str) -> str:
        parts: list[Part] = []
        visible = [(kind, text) for kind, text in self._seen if kind in {"action", "speech"}]
        for number, (kind, text) in enumerate(visible):
            text = (text + more if number == len(visible) - 1 else text).strip()
            if not text:
                continue
            if parts and parts[-1].kind == kind == "speech":
                parts[-1] = Part(kind="speech", text=f"{parts[-1].text} {text}")
            else:
                parts.append(Part(kind="action" if kind == "action" else "speech", text=text))
        turn = Turn(id="shown", speaker=self._speaker, parts=tuple(parts)).seen_by(Viewer.reader())
        return render_display(turn, name=False) if turn.parts else ""

    def _grow(self, text: str) -> str:
        assert text.startswith(self._out) or self._out.startswith(text), "display text changed behind what was shown"
        grown = text[len(self._out) :]
        self._out += grown
        return grown


class Stops:
    """Cuts a text at the first stop string. Holds back what may be the beginning of one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.hit: str | None = None

    def feed(self, text: str) -> str:
        """What is certainly before any stop string."""
        if self.hit is not None:
            return ""
        text = self._held + text
        places = [(at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if places:
            at, self.hit = min(places)
            self._held = ""
            return text[:at]
        keep = max((n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def close(self) -> str:
        """What was held and turned out to be none."""
        rest, self._held = self._held, ""
        return "" if self.hit is not None else rest
