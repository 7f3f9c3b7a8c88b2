"""Witness: of a teacher's reading of a chunk, what the text bears out.

Owns the judgement of turns: speech is found in the text or it is invented; a thought or an action is kept where words
of the text tell it; a speaker is somebody the text names. The words that are kept are the text's. A turn that is
refused leaves a gap, and the turns on both sides of a gap are never joined. Asks no model.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from her.errors import TeacherError
from her.schema import Flag, Part, Span, Turn, merge_parts
from her.synthesis.extraction.chunks import Chunk
from her.synthesis.extraction.plot_reply import PlotReply, SaidPart, SaidTurn
from her.synthesis.extraction.scenes import Utterance
from her.synthesis.extraction.speakers import said_pieces
from her.synthesis.people.names import Person
from her.synthesis.result import Reject, Stage
from her.synthesis.text.locate import Stream, told
from her.synthesis.text.perspective import check_action
from her.synthesis.text.wording import words

_TALK = 4
"""A chunk that quotes so often holds a conversation."""
_NOBODY_TEXT = "narrator narration author text unknown unnamed nobody all everyone everybody environment"
_NOBODY = frozenset(_NOBODY_TEXT.split())
_FIRST_TEXT = "i i'm i've i'll i'd me my mine myself we us our 我 我们"
_FIRST = frozenset(_FIRST_TEXT.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Borne:
    """A turn that the text bears out. `at`: where its first located words stand; `gap`: was one before it refused?"""

    turn: Turn
    person: Person
    spans: tuple[Span, ...]
    at: int
    gap: bool


@dataclass(slots=True, kw_only=True)
class Witness:
    """One chunk, asked about one reply."""

    text: str
    """The whole book, furniture blanked."""
    chunk: Chunk
    spoken: Sequence[Span]
    """What the chunk quotes, piece by piece; empty where its speech has no marks."""
    named: Mapping[int, str]
    """Start of a quoted piece to the name that stands beside it in the text."""
    resolve: Callable[[str], Person | None]
    """Who is meant by a name."""
    keep_invented: bool
    rejects: list[Reject] = field(default_factory=list)
    _speech: Stream = field(init=False)
    _whole: Stream = field(init=False)
    _cursor: int = field(init=False)

    def __post_init__(self) -> None:
        self._speech = Stream(self.text, self.spoken or self.chunk.paragraphs)
        self._whole = Stream(self.text, self.chunk.paragraphs)
        self._cursor = self.chunk.span.start

    def refuse(self, stage: Stage, where: str, reason: str, detail: str = "") -> None:
        """Count something that is not used."""
        self.rejects.append(Reject(stage=stage, item_id=f"{self.chunk.id}.{where}", reason=reason, detail=detail[:200]))

    def turns(self, said: Sequence[SaidTurn], *, scene: str) -> list[Borne]:
        """The turns of one scene that the text bears out, in the text's order."""
        found: list[Borne] = []
        gap = False
        for turn in said:
            borne = self._turn(turn, where=f"{scene}/t{turn.place:03d}", gap=gap)
            gap = borne is None
            if borne is not None:
                found.append(borne)
        return sorted(found, key=lambda b: b.at)

    def _turn(self, said: SaidTurn, *, where: str, gap: bool) -> Borne | None:
        person = self._speaker(said.speaker)
        if person is None:
            self.refuse("speaker", where, "unknown_speaker", said.speaker)
            return None
        entries: list[Part | tuple[Span, ...]] = []
        lost = 0
        for part in said.parts:
            entry = self._speech_part(part, where) if part.kind == "speech" else self._told_part(part, person, where)
            lost += entry is None and part.kind == "speech"
            if entry is not None:
                entries.append(entry)
        spans = tuple(s for e in entries if isinstance(e, tuple) for s in e)
        parts = merge_parts(tuple(self._parts(entries)))
        speaks = any(p.kind == "speech" for p in parts)
        if not parts or (lost and not speaks):
            self.refuse("speech", where, "nothing_borne_out")
            return None
        at = spans[0].start if spans else self._cursor
        flags = tuple(
            Flag(kind="speaker_doubt", where="speaker", detail=f"the text names {other}"[:200])
            for other in dict.fromkeys(self.named[s.start] for s in spans if s.start in self.named)
            if other != person.name
        )
        turn = Turn(id=f"t{said.place:03d}", speaker=person.name, parts=parts, flags=flags)
        return Borne(turn=turn, person=person, spans=spans, at=at, gap=gap)

    def _speaker(self, name: str) -> Person | None:
        """Somebody of the book: known by its narration, or called so in this chunk."""
        if not words(name) or set(words(name)) <= _NOBODY:
            return None
        person = self.resolve(name)
        here = self.text[self.chunk.span.start : self.chunk.span.end].casefold()
        called = any(w in here for w in words(name) if len(w) > 2 or not w.isascii())
        return person if person is not None and (person.mentions > 1 or called) else None

    def _speech_part(self, part: SaidPart, where: str) -> Part | tuple[Span, ...] | None:
        found = self._speech.find(part.text, after=self._cursor)
        if found is None:
            if self.keep_invented:
                return Part(kind="speech", text=part.text, invented=True)
            self.refuse("speech", where, "invented", self._speech.nearest(part.text) or part.text)
            return None
        if found.look == "fuzzy":
            # The text's words are used; how the copy differed stays on record.
            self.refuse("speech", where, "altered_copy", found.change)
        self._cursor = found.pieces[-1].end
        return found.pieces

    def _told_part(self, part: SaidPart, person: Person, where: str) -> Part | None:
        quote = self._whole.find(part.quote or part.text, after=self.chunk.span.start, take=False)
        quoted = " ".join(self.text[s.start : s.end] for s in quote.pieces) if quote is not None else ""
        if not told(part.text, quoted):
            self.refuse("reading", where, f"{part.kind}_not_told", part.text)
            return None
        if part.kind == "action":
            try:
                return Part(kind="action", text=check_action(part.text, name=person.name))
            except TeacherError as e:
                self.refuse("reading", where, f"action_{e.reason}", part.text)
                return None
        if not set(words(part.text)) & _FIRST:
            self.refuse("reading", where, "thought_not_first_person", part.text)
            return None
        return Part(kind="thought", text=re.sub(r"\.$", "", part.text))

    def _parts(self, entries: Sequence[Part | tuple[Span, ...]]) -> Iterator[Part]:
        """The parts of a turn, speech in the text's words."""
        run: list[Span] = []
        for entry in [*entries, None]:
            if isinstance(entry, tuple):
                run += entry
                continue
            for said, span in zip(said_pieces(self.text, run), run, strict=True):
                yield Part(kind="speech", text=said, span=span)
            run = []
            if entry is not None:
                yield entry


def bears_out(text: str, chunk: Chunk, utterances: Sequence[Utterance], reply: PlotReply) -> None:
    """Is this a reading of this text at all? Raises TeacherError where it has speech and the text says none of it, or
    where people talk and it has no turn."""
    spoken = [p for u in utterances for p in u.pieces]
    said = [p.text for t in reply.turns() for p in t.parts if p.kind == "speech"]
    if not said and len(utterances) >= _TALK:
        raise TeacherError(f"{len(utterances)} quoted passages and no turn", "no_turns")
    stream = Stream(text, spoken or chunk.paragraphs)
    if said and not any(stream.find(s, after=chunk.span.start, take=False) for s in said):
        raise TeacherError(said[0], "speech_not_in_text")


def joined(found: Sequence[Borne]) -> list[Borne]:
    """Turns that follow one another from one mouth as one, named after the first, unless there is a gap between."""
    turns: list[Borne] = []
    for borne in found:
        if turns and not borne.gap and turns[-1].turn.speaker == borne.turn.speaker:
            before = turns[-1]
            parts = merge_parts((*before.turn.parts, *borne.turn.parts))
            flags = (*before.turn.flags, *borne.turn.flags)
            turns[-1] = Borne(
                turn=before.turn.model_copy(update={"parts": parts, "flags": flags}),
                person=before.person,
                spans=(*before.spans, *borne.spans),
                at=before.at,
                gap=before.gap,
            )
        else:
            turns.append(borne)
    return turns
