"""The one grammar: a machine that reads a turn as it arrives and never takes back what it has said.

Strict, lenient and streaming readers all run this machine; they differ in what they do with its repairs and events. It
knows one speaker's name and nothing of viewers. Every departure from the canonical form is a `Repair` with its kind and
position, so "strict" means no more than "no repair was needed".

**It fails closed.** Inside a hidden block everything stays hidden until as many hidden tags closed as opened, whatever
their names; an unclosed block stays hidden to the end. The hard case is the orphan close: `I will betray him.
</role_thinking>Hello.`, usual where the opening was lost or was part of a prompt. Text cannot be unsaid, so:

* Visible text (speech and actions) is *held back* until the next hidden block opens or the turn ends. Only then is it
  certain that it was not the inside of a thought whose opening was lost: a hidden closing tag without an opening hides
  all that is held, name prefix excepted.
* What a hidden opening released stays released. To hide that too would mean that no stream says a word before its end.
* `eager` is the bargain for a person at a screen: once the speaker has named itself, or has opened *and* closed a
  hidden block in this turn, it has shown that it writes both ends, and text goes out as it comes. A later orphan close
  is counted and hides only what is not out yet. Whoever must not learn a secret is never read to eagerly.

Events depend on the text alone, never on how it was cut into chunks (eager or not).
"""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from her.renderers.marks import Mark, More, has_rare, match, opener
from her.renderers.name_prefix import name_prefix
from her.schema import Record

_RUN = 24
"""A longer run of brackets before a mark is thrown away unread: no writing has one, and reading stays linear."""
_ENTITY_TAIL = re.compile(r"&[#a-z0-9;]{0,7}$", re.IGNORECASE)
Layer = Literal["system_thinking", "thought", "action", "speech"]


class Repair(Record):
    """One thing that had to be forgiven. `position` is a character offset into the text, prefill not counted."""

    kind: str
    position: int


class Piece(NamedTuple):
    """More of a turn. A tuple, for one is made every few characters and a frozen dataclass takes thrice the time."""

    kind: Layer
    text: str
    opens: bool = True
    """A new block begins with this text; else the last block of this kind goes on."""


@dataclass(slots=True)
class _Open:
    kind: Layer
    position: int


@dataclass(slots=True)
class _Held:
    kind: Layer
    text: str


class Machine:
    """Feed it text; it returns what has become certain. `close` returns the rest."""

    def __init__(self, *, speaker: str, prefill: str = "", eager: bool = False) -> None:
        self.repairs: list[Repair] = []
        self._name = name_prefix(speaker)
        self._eager = eager
        self._offset = -len(prefill)
        """Position of `_text[0]` in the text, prefill not counted."""
        self._text = ""
        self._stack: list[_Open] = []
        """What is open. An action is at the bottom or nowhere: inside a hidden block it is only text."""
        self._held: list[_Held] = []
        self._live = False
        self._lead: str | None = ""
        """The beginning of the first speech, until it is known whether the speaker names itself there."""
        self._lead_at = 0
        self._named = False
        self._seen: set[Layer] = set()
        self._block: Layer | None = None
        self._started = False
        self._space = ""
        self._gap = False
        self._tail = ""
        self._block_at = 0
        self._out: list[Piece] = []
        self._opening = self.feed(prefill) if prefill else []

    # ---- reading

    def opening(self) -> list[Piece]:
        """What the prefill alone made certain; asked once, before the first `feed`."""
        return self._opening

    def feed(self, chunk: str) -> list[Piece]:
        """What is certain after `chunk`."""
        self._text += chunk
        self._read(final=False)
        return self._drain()

    def close(self) -> list[Piece]:
        """The rest: the turn has ended."""
        self._read(final=True)
        self._settle_name(ends=True)
        hidden = [o for o in self._stack if o.kind != "action"]
        for block in hidden or self._stack[:1]:
            self._repair("unclosed", block.position)
            break
        self._end_block()
        self._release()
        self._stack.clear()
        return self._drain()

    def mute(self, shown: frozenset[Layer]) -> bool:
        """Is it certain that text without an opener would now add nothing to what is out of the `shown` layers?"""
        if self._text:
            return False
        if self._hidden():
            return self._block not in shown
        return not (self._live if self._stack else self._eager)

    def _drain(self) -> list[Piece]:
        out, self._out = self._out, []
        return out

    def _read(self, *, final: bool) -> None:
        text, at, end = self._text, 0, len(self._text)
        rare = has_rare(text)
        while at < end:
            here = opener(text, at) if rare else text.find("<", at)
            if here < 0:
                here = end
            if here > at:
                if self._stack:
                    self._put(text[at:here])
                else:
                    self._say(text[at:here], at)
                at = here
                if at == end:
                    break
            found = match(text, at)
            if isinstance(found, Mark):
                self._mark(found, at + self._offset)
                at += found.length
                continue
            step = self._step(at, final=final)
            if step is None:
                break
            at = step
        self._text = text[at:]
        self._offset += at

    def _step(self, at: int, *, final: bool) -> int | None:
        """Read one mark, or the text that only looked like one; returns where to go on, None to wait."""
        here = at
        while True:
            found = match(self._text, here)
            if isinstance(found, More):
                if not final:
                    return None
                last = match(self._text, here, final=True)
                if isinstance(last, Mark):
                    found = last
                elif found.likely or self._stack:
                    self._repair("truncated_tag", at + self._offset)
                    return len(self._text)
                else:
                    self._say(self._text[at : here + 1], at)
                    return here + 1
            if isinstance(found, Mark):
                if here > at:
                    # A bracket that runs into a mark would be read as one when text is joined over the mark.
                    self._repair("dangling_bracket", at + self._offset)
                self._mark(found, here + self._offset)
                return here + found.length
            if found.cut is None:
                self._say(self._text[at : here + 1], at)
                return here + 1
            here += found.cut
            if here - at > _RUN:
                self._repair("dangling_bracket", at + self._offset)
                return here

    # ---- marks

    def _mark(self, mark: Mark, position: int) -> None:
        if mark.fault and position >= 0:
            self._repair(mark.fault, position)
        if mark.kind == "action":
            if self._hidden():
                self._repair("nested", position)
                self._gap = True
            else:
                self._action(mark, position)
        elif mark.kind in ("speech", "control"):
            self._join()
        elif mark.closes:
            self._close_hidden(mark, position)
        elif mark.empty:
            self._repair("empty", position)
        else:
            self._open_hidden(mark, position)

    def _hidden(self) -> bool:
        return bool(self._stack) and self._stack[-1].kind != "action"

    def _action(self, mark: Mark, position: int) -> None:
        if self._lead is not None:
            self._settle_name(ends=True)
        if self._stack:
            if not mark.closes:
                self._repair("nested", position)
            self._end_block()
            self._stack.clear()
            if mark.closes:
                return
        elif mark.closes:
            self._repair("orphan_close", position)
            if not self._live and self._block == "speech" and self._held:
                # Its opening was lost: the speech before it was the action.
                self._held[-1].kind = "action"
            self._end_block()
            return
        self._end_block()
        if not mark.empty:
            self._stack.append(_Open("action", position))
            self._begin("action", position)

    def _open_hidden(self, mark: Mark, position: int) -> None:
        if self._lead is not None:
            self._settle_name(ends=True)
        first = not self._seen and not self._held and not self._named and not self._stack
        kind: Layer = "system_thinking" if mark.kind == "system" or (mark.kind == "think" and first) else "thought"
        top = self._stack[-1] if self._stack else None
        if top and top.position < 0 <= position and not self._started and top.kind == kind:
            # The prompt opened this block and the model opened it again.
            self._repair("repeated_open", position)
            return
        if top:
            self._repair("nested", position)
        elif kind == "system_thinking" and not first:
            self._repair("late_system", position)
        if top and any(o.kind == "system_thinking" for o in self._stack):
            kind = "system_thinking"
        same = bool(top) and any(o.kind == kind for o in self._stack)
        self._stack.append(_Open(kind, position))
        if same and self._block == kind:
            self._gap = True
            return
        self._end_block()
        self._release()
        self._begin(kind, position)

    def _close_hidden(self, mark: Mark, position: int) -> None:
        if not self._hidden():
            self._orphan(mark, position)
            return
        closed = self._stack.pop().kind
        if mark.kind != "think" and (mark.kind == "system") != (closed == "system_thinking"):
            self._repair("mis_closed", position)
        outer = self._stack[-1].kind if self._stack else None
        if outer == self._block:
            self._gap = True
            return
        self._end_block()
        if outer:
            self._begin(outer, position)
        if self._eager and outer in (None, "action"):
            self._live = True

    def _orphan(self, mark: Mark, position: int) -> None:
        """A hidden closing tag that nothing opened: what is held was the inside of that block."""
        self._repair("orphan_close", position)
        self._settle_name(ends=True)
        self._end_block()
        self._stack.clear()
        hidden = " ".join(h.text.strip() for h in self._held if h.text.strip())
        self._held.clear()
        if hidden:
            system = mark.kind == "system" or (mark.kind == "think" and not self._seen and not self._named)
            kind: Layer = "system_thinking" if system else "thought"
            self._seen.add(kind)
            self._out.append(Piece(kind, hidden))
        if not self._named and not self._seen & {"action", "speech"}:
            self._lead = ""

    def _join(self) -> None:
        """A mark was dropped and the text goes on: inside a block with a space, in speech as it stands, except where
        `&` and `lt;` would meet and make a tag."""
        if self._hidden() or (self._started and _ENTITY_TAIL.search(self._tail)):
            self._gap = True
        elif self._lead and _ENTITY_TAIL.search(self._lead):
            self._lead += " "

    # ---- text

    def _say(self, text: str, at: int) -> None:
        if self._stack:
            self._put(text)
        elif self._lead is not None:
            if not self._lead.strip():
                self._lead_at = at + self._offset + len(text) - len(text.lstrip())
            self._lead += text
            self._settle_name(ends=False)
        else:
            self._speak(text, at + self._offset)

    def _speak(self, text: str, position: int) -> None:
        if self._block is None:
            if text.isspace():
                return
            self._begin("speech", position)
        self._put(text)

    def _settle_name(self, *, ends: bool) -> None:
        """Decide whether the first speech opens with the speaker's name, and strip it."""
        if self._lead is None or self._stack:
            return
        lead = self._lead.lstrip()
        found = self._name.find(lead, ends=ends) if lead else None
        if found is None:
            return
        self._lead = None
        if found.length:
            self._named = True
            if self._body():
                self._repair("late_name", self._lead_at)
            elif not found.canonical:
                self._repair("name_style", self._lead_at)
            self._live = self._live or self._eager
            if self._live:
                self._release()
            lead = lead[found.length :]
        if lead:
            self._speak(lead, self._lead_at)

    def _body(self) -> bool:
        return bool(self._seen & {"thought", "action", "speech"} or self._held)

    # ---- blocks

    def _begin(self, kind: Layer, position: int) -> None:
        self._block, self._block_at = kind, position
        self._started = self._gap = False
        self._space = self._tail = ""
        if not self._live and kind in ("action", "speech"):
            self._held.append(_Held(kind, ""))

    def _put(self, text: str) -> None:
        """More text of the current block; edge whitespace is kept back until text follows it."""
        assert self._block is not None
        opens = not self._started
        whole = text.lstrip() if opens else self._space + text
        body = whole.rstrip()
        self._space = whole[len(body) :]
        if not body:
            return
        if self._gap and not opens and not body[0].isspace():
            body = f" {body}"
        self._gap = False
        self._started = True
        self._tail = body[-8:] if len(body) > 8 else (self._tail + body)[-8:]
        if not self._live and self._block in ("action", "speech"):
            self._held[-1].text += body
        else:
            self._seen.add(self._block)
            self._out.append(Piece(self._block, body, opens))

    def _end_block(self) -> None:
        if self._block and not self._started:
            self._repair("empty", self._block_at)
            if self._block in ("action", "speech") and not self._live:
                self._held.pop()
        self._block = None

    def _release(self) -> None:
        """What is held is certain now."""
        for held in self._held:
            self._seen.add(held.kind)
            self._out.append(Piece(held.kind, held.text))
        self._held.clear()

    def _repair(self, kind: str, position: int) -> None:
        self.repairs.append(Repair(kind=kind, position=max(0, position)))
