"""Turn, Part and Dialogue, and the one law of visibility.

A turn has two layers (HER §3): `system_thinking`, the model's third-person plan for playing the character, and parts in
writing order: the character's own thought, its actions, its speech. Who sees which of these is decided in
`Turn.seen_by` and nowhere else. Everything that shows a turn to anyone goes through it.
"""

import re
from itertools import pairwise
from typing import Literal

from pydantic import field_validator, model_validator

from her.schema.book import Span
from her.schema.flag import Flag
from her.schema.gain import Gain
from her.schema.record import Record
from her.schema.scene import ENVIRONMENT, Scene

PartKind = Literal["thought", "action", "speech"]
HistoryPolicy = Literal["drop_own_system", "keep_own_system"]
"""Is a character shown the system thinking of its *own* earlier turns? The paper drops it in training data and chat
(`drop_own_system`, our default); its benchmark keeps it. The choice is recorded on every sample and run."""
Provenance = Literal["gold", "teacher", "book", "policy", "human", "imported"]


class Part(Record):
    """One stretch of a turn. `text` is plain: no markup, no edge whitespace."""

    kind: PartKind
    text: str
    span: Span | None = None
    """For speech: where the book says it. None where it was not found or there is no book."""
    invented: bool = False
    """Speech alone: an extractor wrote it and the source does not say it."""

    @field_validator("text")
    @classmethod
    def _plain(cls, text: str) -> str:
        if not text or text != text.strip():
            raise ValueError(f"a part is neither empty nor edged with whitespace: {text!r}")
        return text

    @model_validator(mode="after")
    def _honest(self) -> "Part":
        if self.invented and (self.kind != "speech" or self.span is not None):
            raise ValueError("only speech without a place in the source is invented")
        return self


class Viewer(Record):
    """Someone who looks at a turn.

    `reader` is the person outside the scene, who sees speech and action, and the hidden layers only where the two
    settings allow it. A `character` sees its own thoughts. Everyone else in the scene, the Environment and the
    next-speaker model included, sees speech and action.
    """

    kind: Literal["character", "reader", "judge"]
    name: str | None = None
    """The character's name; None for a reader or a judge."""
    role_thinking: bool = False
    """Reader and judge: is role thinking shown?"""
    system_thinking: bool = False
    """Reader: is system thinking shown? Character: its own past plans, which is `keep_own_system`."""

    @model_validator(mode="after")
    def _sensible(self) -> "Viewer":
        if (self.kind == "character") != (self.name is not None):
            raise ValueError("a character viewer has a name, and only a character viewer")
        if self.kind == "judge" and self.system_thinking:
            raise ValueError("system thinking is never shown to a judge (HER §3.3)")
        return self

    @classmethod
    def character(cls, name: str, history_policy: HistoryPolicy = "drop_own_system") -> "Viewer":
        """The character `name`, looking back over the scene under a history policy."""
        return cls(kind="character", name=name, system_thinking=history_policy == "keep_own_system")

    @classmethod
    def reader(cls, *, role_thinking: bool = False, system_thinking: bool = False) -> "Viewer":
        """The person outside the scene."""
        return cls(kind="reader", role_thinking=role_thinking, system_thinking=system_thinking)

    @classmethod
    def judge(cls, *, role_thinking: bool) -> "Viewer":
        """A judge of the acting character's reply."""
        return cls(kind="judge", role_thinking=role_thinking)


class Turn(Record):
    """One speaker's turn. `parts` may be empty only in a view: someone thought, and nothing could be seen."""

    id: str
    """Unique in its dialogue and stable through every stage; turns are matched by it, never by position."""
    speaker: str
    system_thinking: str | None = None
    """Third-person plan of the model. Absent (None) in the book's own turns and in every view that may not see it."""
    parts: tuple[Part, ...]
    gains: tuple[Gain, ...] = ()
    """What its hidden layers were measured to be worth. In no view."""
    flags: tuple[Flag, ...] = ()
    """Doubts about it. In no view."""

    @field_validator("system_thinking")
    @classmethod
    def _plain(cls, text: str | None) -> str | None:
        if text is not None and (not text or text != text.strip()):
            raise ValueError(f"system thinking is neither empty nor edged with whitespace: {text!r}")
        return text

    @field_validator("parts")
    @classmethod
    def _merged(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        for a, b in pairwise(parts):
            if a.kind == b.kind == "speech":
                raise ValueError("two adjacent speech parts are one part: merge them")
        return parts

    def seen_by(self, viewer: Viewer) -> "Turn":
        """This turn as `viewer` may see it: the one law of visibility (HER §1.5).

        Speech and action are for everyone. A thought is for the character who thinks it, and for a reader or judge
        whose setting shows it. System thinking is for a reader whose setting shows it, and for the character's own
        history under `keep_own_system`; nobody else in the scene ever sees it.
        """
        own = viewer.kind == "character" and viewer.name == self.speaker
        thoughts = own or (viewer.kind != "character" and viewer.role_thinking)
        plans = viewer.system_thinking and (own or viewer.kind == "reader")
        parts = self.parts if thoughts else merge_parts(tuple(p for p in self.parts if p.kind != "thought"))
        return Turn(
            id=self.id, speaker=self.speaker, parts=parts, system_thinking=self.system_thinking if plans else None
        )

    def speech(self) -> str:
        """All speech of the turn, joined by a space."""
        return " ".join(p.text for p in self.parts if p.kind == "speech")

    def layout(self) -> str:
        """The order of parts, as `thought>action>speech`; `empty` where there are none (HER's pattern)."""
        return ">".join(p.kind for p in self.parts) or "empty"


def merge_parts(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Join adjacent speech parts with a space; spans are kept only where nothing was joined."""
    merged: list[Part] = []
    for part in parts:
        if merged and merged[-1].kind == part.kind == "speech":
            before = merged[-1]
            invented = before.invented or part.invented
            merged[-1] = Part(kind="speech", text=f"{before.text} {part.text}", invented=invented)
        else:
            merged.append(part)
    return tuple(merged)


_ID = re.compile(r"[A-Za-z0-9._:-]+")


class Dialogue(Record):
    """A scene and what was said in it."""

    id: str
    scene: Scene
    turns: tuple[Turn, ...]
    provenance: Provenance
    """Who made the hidden layers: `gold` by hand, `teacher` by a model, `policy` by the model under examination.
    Gold and teacher's work are never in one record."""
    perspective: str | None = None
    """Whose account this is, where others' hidden layers were never known (a chat log): only this character's turns are
    targets. None: everyone's."""

    @model_validator(mode="after")
    def _sound(self) -> "Dialogue":
        ids = [t.id for t in self.turns]
        if len(set(ids)) != len(ids):
            raise ValueError(f"dialogue {self.id!r}: two turns share an id")
        if bad := [i for i in (self.id, *ids) if not _ID.fullmatch(i)]:
            raise ValueError(f"ids use letters, digits and . _ : - only, not {bad[0]!r}")
        known = {*self.scene.names(), ENVIRONMENT}
        if stranger := next((t.speaker for t in self.turns if t.speaker not in known), None):
            raise ValueError(f"dialogue {self.id!r}: {stranger!r} speaks but is not in the scene")
        if self.perspective is not None and self.perspective not in self.scene.names():
            raise ValueError(f"dialogue {self.id!r}: {self.perspective!r} is not in the scene")
        return self

    def before(self, turn_id: str) -> tuple[Turn, ...]:
        """The turns before `turn_id`. Raises KeyError when there is no such turn."""
        for i, turn in enumerate(self.turns):
            if turn.id == turn_id:
                return self.turns[:i]
        raise KeyError(turn_id)

    def turn(self, turn_id: str) -> Turn:
        """The turn called `turn_id`. Raises KeyError when there is none."""
        for turn in self.turns:
            if turn.id == turn_id:
                return turn
        raise KeyError(turn_id)
