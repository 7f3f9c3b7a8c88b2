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
from typing import Literal

from her.renderers.marks import OPENERS, Mark, More, match
from her.schema import Record

_RUN = 24
"""A longer run of brackets before a mark is thrown away unread: no writing has one, and reading stays linear."""
_ENTITY_TAIL = re.compile(r"&[#a-z0-9;]{0,7}$", re.IGNORECASE)
Layer = Literal["system_thinking", "thought", "action", "speech"]


class Repair(Record):
    """One thing that had to be forgiven. `position` is a character offset into the text, prefill not counted."""

    kind: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """More of a turn. `opens`: a new block of its kind begins with this text."""

    kind: Layer
    text: str
    opens: bool


@dataclass(slots=True, kw_only=True)
class _Open:
    kind: Layer
    position: int


@dataclass(slots=True, kw_only=True)
class _Held:
    kind: Layer
    text: str


class Machine:
    """Feed it text; it returns what has become certain. `close` returns the rest."""

    def __init__(self, *, speaker: str, prefill: str = "", eager: bool = False) -> None:
        self.repairs: list[Repair] = []
        self._name = re.compile(
            rf"\s*(?P<mark>\*\*|\*|_|\")?(?P<name>{re.escape(speaker)})(?P=mark)?\s*:(?P<mark2>\*\*|\*|_|\")?(?:\s+|$)",
            re.IGNORECASE,
        )
        self._speaker = speaker
        self._name_limit = 2 * len(speaker) + 16
        self._eager = eager
        self._prefilled = len(prefill)
        self._offset = -len(prefill)
        """Position of `_text[0]` in the text, prefill not counted."""
        self._text = ""
        self._stack: list[_Open] = []
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
        self._out: list[Event] = []
        self._opening = self.feed(prefill)

    # ---- reading

    def opening(self) -> list[Event]:
        """What the prefill alone made certain; asked once, before the first `feed`."""
        return self._opening

    def feed(self, chunk: str) -> list[Event]:
        """What is certain after `chunk`."""
        self._text += chunk
        self._read(final=False)
        return self._drain()

    def close(self) -> list[Event]:
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

    def _drain(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _read(self, *, final: bool) -> None:
        at = 0
        while at < len(self._text):
            found = OPENERS.search(self._text, at)
            if not found:
                self._say(self._text[at:], at)
                at = len(self._text)
                break
            if found.start() > at:
                self._say(self._text[at : found.start()], at)
                at = found.start()
            step = self._step(at, final=final)
            if step is None:
                break
            at = step
        self._text, self._offset = self._text[at:], self._offset + at

    def _step(self, at: int, *, final: bool) -> int | None:
        """Read one mark, or the text that only looked like one; returns where to go on, None to wait."""
        here = at
        while True:
            found = match(self._text, here, final=False)
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
                self._mark(found)
                return found.end
            if found.cut_at is None:
                self._say(self._text[at : here + 1], at)
                return here + 1
            here = found.cut_at
            if here - at > _RUN:
                self._repair("dangling_bracket", at + self._offset)
                return here

    # ---- marks

    def _mark(self, mark: Mark) -> None:
        position = mark.start + self._offset
        if mark.fault and position >= 0:
            self._repair(mark.fault, position)
        hidden = any(o.kind != "action" for o in self._stack)
        if mark.kind in ("speech", "control"):
            self._join(hidden=hidden)
        elif mark.kind == "action":
            if hidden:
                self._repair("nested", position)
                self._gap = True
            else:
                self._action(mark, position)
        elif mark.closes:
            self._close_hidden(mark, position, hidden=hidden)
        elif mark.empty:
            self._repair("empty", position)
        else:
            self._open_hidden(mark, position)

    def _action(self, mark: Mark, position: int) -> None:
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
            self._stack.append(_Open(kind="action", position=position))
            self._begin("action", position)

    def _open_hidden(self, mark: Mark, position: int) -> None:
        self._settle_name(ends=True)
        first = not self._seen and not self._held and not self._named and not self._stack
        kind: Layer = "system_thinking" if mark.kind == "system" or (mark.kind == "think" and first) else "thought"
        top = self._stack[-1] if self._stack else None
        if top and top.position < 0 <= position and not self._started and top.kind == kind:
            # The prompt opened this block and the model opened it again.
            self._repair("repeated_open", position)
            return
        if self._stack:
            self._repair("nested", position)
        elif kind == "system_thinking" and not first:
            self._repair("late_system", position)
        if any(o.kind == "system_thinking" for o in self._stack):
            kind = "system_thinking"
        same = any(o.kind == kind for o in self._stack)
        self._stack.append(_Open(kind=kind, position=position))
        if same and self._block == kind:
            self._gap = True
            return
        self._end_block()
        self._release()
        self._begin(kind, position)

    def _close_hidden(self, mark: Mark, position: int, *, hidden: bool) -> None:
        if not hidden:
            self._orphan(mark, position)
            return
        top = next(i for i in reversed(range(len(self._stack))) if self._stack[i].kind != "action")
        closed = self._stack.pop(top)
        wanted = {"system": "system_thinking", "thought": "thought"}.get(mark.kind, closed.kind)
        if wanted != closed.kind:
            self._repair("mis_closed", position)
        outer = self._stack[-1].kind if self._stack else None
        if outer == self._block:
            self._gap = True
            return
        self._end_block()
        if outer:
            self._begin(outer, position)
        elif self._eager:
            self._live = True
        if outer == "action" and self._eager:
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
            self._out.append(Event(kind=kind, text=hidden, opens=True))
        if not self._named and not self._seen & {"action", "speech"}:
            self._lead = ""

    def _join(self, *, hidden: bool) -> None:
        """A mark was dropped and the text goes on: inside a block with a space, in speech as it stands, except where
        `&` and `lt;` would meet and make a tag."""
        if hidden or (self._started and _ENTITY_TAIL.search(self._tail)):
            self._gap = True
        elif self._lead and _ENTITY_TAIL.search(self._lead):
            self._lead += " "

    # ---- text

    def _say(self, text: str, at: int) -> None:
        if not text:
            return
        position = at + self._offset
        if self._stack:
            self._put(text)
        elif self._lead is not None:
            if not self._lead.strip():
                self._lead_at = position + len(text) - len(text.lstrip())
            self._lead += text
            self._settle_name(ends=False)
        else:
            self._speak(text, position)

    def _speak(self, text: str, position: int) -> None:
        if self._block is None:
            if not text.strip():
                return
            self._begin("speech", position)
        self._put(text)

    def _settle_name(self, *, ends: bool) -> None:
        """Decide whether the first speech opens with the speaker's name, and strip it."""
        if self._lead is None or self._stack:
            return
        lead = self._lead.lstrip()
        if not lead or (not ends and len(lead) < self._name_limit and not self._certain(lead)):
            return
        found = self._name.match(lead)
        if found and not ends and found.end() == len(lead) and len(lead) < self._name_limit:
            return
        self._lead = None
        if found:
            self._named = True
            if self._body():
                self._repair("late_name", self._lead_at)
            elif found.group("name") != self._speaker or not lead.startswith(f"{self._speaker}:"):
                self._repair("name_style", self._lead_at)
            self._live = self._live or self._eager
            if self._live:
                self._release()
            lead = lead[found.end() :]
        if lead:
            self._speak(lead, self._lead_at)

    def _certain(self, lead: str) -> bool:
        """Is it already plain that `lead` does or does not begin with the name?"""
        return self._name.match(lead + "x") is not None or (
            not f"{self._speaker}:".lower().startswith(lead.lower().lstrip('*_"')) and ":" in lead
        )

    def _body(self) -> bool:
        return bool(self._seen & {"thought", "action", "speech"} or self._held)

    # ---- blocks

    def _begin(self, kind: Layer, position: int) -> None:
        self._block, self._started, self._space, self._gap, self._tail, self._block_at = (
            kind,
            False,
            "",
            False,
            "",
            position,
        )
        if kind in ("action", "speech") and not self._live:
            self._held.append(_Held(kind=kind, text=""))

    def _put(self, text: str) -> None:
        """More text of the current block; edge whitespace is kept back until text follows it."""
        assert self._block is not None
        body = text.strip()
        if not body:
            self._space += text if self._started else ""
            return
        start = len(text) - len(text.lstrip())
        space = self._space + text[:start] if self._started else ""
        if self._gap and self._started and not space:
            space = " "
        self._gap = False
        self._space = text[start + len(body) :]
        self._tail = (self._tail + space + body)[-8:]
        if self._block in ("action", "speech") and not self._live:
            self._held[-1].text += space + body
        else:
            self._seen.add(self._block)
            self._out.append(Event(kind=self._block, text=space + body, opens=not self._started))
        self._started = True

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
            self._out.append(Event(kind=held.kind, text=held.text, opens=True))
        self._held.clear()

    def _repair(self, kind: str, position: int) -> None:
        self.repairs.append(Repair(kind=kind, position=max(0, position)))
