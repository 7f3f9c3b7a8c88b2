"""By teacher: a strong model reads a book chunk by chunk and says what happens and who speaks; code checks every word.

Owns the asking (a chunk that cannot be read is asked for again, then cut in two, then given up) and the joining of
what the chunks say into scenes, plots and people of one book. What a chunk's reading is worth is judged in
`her.synthesis.extraction.witness`, its cards in `her.synthesis.settings.setting`.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from her.errors import TeacherError
from her.llm import Reply
from her.schema import Chapter, Message, Plot, Span
from her.store import sha256_text
from her.synthesis.extraction.chunks import Chunk, chunks
from her.synthesis.extraction.plot_reply import PlotReply, SaidPlot, SaidScene, read, schema
from her.synthesis.extraction.plots import carriers, judged
from her.synthesis.extraction.scenes import Utterance, unquoted
from her.synthesis.extraction.speakers import attribute
from her.synthesis.extraction.told import Told
from her.synthesis.extraction.witness import Borne, Witness, bears_out, joined
from her.synthesis.people.aliases import discover
from her.synthesis.people.names import Person, Roster, clean
from her.synthesis.result import Reject
from her.synthesis.settings import setting
from her.synthesis.staged import Staged, Staging
from her.synthesis.teacher import FreeAsk, Teacher, fill
from her.synthesis.text.estimate import tokens

Progress = Callable[[int, int, str], None]
_CONTROL = re.compile(r"<\|[A-Za-z0-9_]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>")
"""Marks by which chat templates part messages. In a book they are noise or an attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """A chunk and what the teacher said of it."""

    chunk: Chunk
    reply: PlotReply


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What became of one chunk: its reply, those of its halves, or rejects."""

    heard: tuple[_Heard, ...]
    rejects: tuple[Reject, ...]


async def by_teacher(
    teacher: Teacher, *, told: Told, chapters: Sequence[Chapter], progress: Progress | None
) -> Staging:
    """Everything that the teacher finds in the chosen chapters and the text bears out."""
    config = teacher.config
    every = [k for c in chapters for k in chunks(told.prose, c, budget=config.chunk_tokens)]
    done = 0

    async def read_one(chunk: Chunk) -> _Reading:
        nonlocal done
        reading = await _read(teacher, told, chunk, may_cut=True)
        done += 1
        if progress is not None:
            progress(done, len(every), f"read {chunk.id}")
        return reading

    if config.max_scenes is None:
        readings = await asyncio.gather(*(read_one(k) for k in every))
    else:
        readings = []
        for chunk in every:
            if sum(len(p.scenes) for r in readings for h in r.heard for p in h.reply.plots) >= config.max_scenes:
                break
            readings.append(await read_one(chunk))
    book = _Book(teacher, told, [h for r in readings for h in r.heard])
    for reading in readings:
        book.rejects += reading.rejects
    return book.staging(chapters)


async def _read(teacher: Teacher, told: Told, chunk: Chunk, *, may_cut: bool) -> _Reading:
    prose = told.prose
    shown = _CONTROL.sub(" ", chunk.shown(prose))
    # A text cannot hold the hash of itself, so nothing in it can close the fence.
    values = {"text": shown, "code": sha256_text(f"{teacher.config.seed}/{shown}")[:12]}
    utterances = _utterances(told, chunk)

    def messages(fault: str) -> tuple[Message, ...]:
        return fill("extraction", {**values, "fault": fault})

    def readable(reply: Reply) -> PlotReply:
        found = read(reply)
        bears_out(prose.text, chunk, utterances, found)
        return found

    answer = await teacher.ask_free(
        FreeAsk(
            stage="reading",
            item_id=chunk.id,
            messages=messages,
            read=readable,
            max_tokens=2 * tokens(shown) + 1000,
            schema=schema(),
        )
    )
    if answer.value is not None:
        return _Reading(heard=(_Heard(chunk=chunk, reply=answer.value),), rejects=())
    assert answer.reject is not None
    hopeless = answer.reject.reason == "dead_letter" and not answer.reject.detail.startswith("too_long")
    halves = chunk.halves(prose) if may_cut and not hopeless else (chunk,)
    if len(halves) < 2:
        return _Reading(heard=(), rejects=(answer.reject,))
    both = await asyncio.gather(*(_read(teacher, told, half, may_cut=False) for half in halves))
    return _Reading(
        heard=tuple(h for r in both for h in r.heard), rejects=tuple(reject for r in both for reject in r.rejects)
    )


def _utterances(told: Told, chunk: Chunk) -> list[Utterance]:
    """What rules find spoken in a chunk."""
    number = chunk.chapter.number
    every = [*(u for s in told.scenes[number] for u in s.utterances), *told.alone[number]]
    inside = [u for u in every if any(chunk.span.start <= p.start < chunk.span.end for p in u.pieces)]
    return sorted(inside, key=lambda u: u.pieces[0].start)


class _Book:
    """All readings of a book, being joined."""

    def __init__(self, teacher: Teacher, told: Told, heard: Sequence[_Heard]) -> None:
        self.teacher = teacher
        self.told = told
        self.heard = heard
        self.rejects: list[Reject] = []
        self.roster: Roster = discover(told.text(), told=_names(heard))
        self.scenes: list[Staged] = []
        self.plots: list[Plot] = []
        self.claimed: list[Span] = []
        self.descriptions: dict[str, list[str]] = defaultdict(list)

    def staging(self, chapters: Sequence[Chapter]) -> Staging:
        """Scenes, plots and people, and what was missed."""
        named = {
            c.number: self._named(c) for c in {h.chunk.chapter.number: h.chunk.chapter for h in self.heard}.values()
        }
        for one in self.heard:
            self._chunk(one, named[one.chunk.chapter.number])
        taken = {s.start for s in self.claimed}
        utterances = [u for h in self.heard for u in _utterances(self.told, h.chunk)]
        utterances = list({u.id: u for u in utterances}.values())
        missed = [u for u in utterances if not self._is_claimed(u, taken)]
        book_id = self.told.prose.book.id
        self.rejects += [Reject(stage="speech", item_id=f"{book_id}.{u.id}", reason="not_extracted") for u in missed]
        return Staging(
            scenes=tuple(self.scenes),
            plots=judged(self.plots, self.scenes, prose=self.told.prose, roster=self.roster),
            rejects=tuple(self.rejects),
            attributed=Counter({"teacher": len(utterances) - len(missed), "unattributed": len(missed)}),
            utterances=len(utterances),
            descriptions={name: tuple(dict.fromkeys(said)) for name, said in self.descriptions.items()},
        )

    def _is_claimed(self, utterance: Utterance, taken: set[int]) -> bool:
        return any(p.start in taken for p in utterance.pieces) or any(
            p.start < c.end and c.start < p.end for p in utterance.pieces for c in self.claimed
        )

    def _named(self, chapter: Chapter) -> Mapping[int, str]:
        """Who speaks where the text itself puts a name beside a verb of speech."""
        text = self.told.prose.text
        return {
            piece.start: a.speaker.name
            for scene in self.told.scenes[chapter.number]
            for a in attribute(text, scene, self.roster)
            if a.how == "named" and a.speaker is not None
            for piece in a.utterance.pieces
        }

    def _chunk(self, heard: _Heard, named: Mapping[int, str]) -> None:
        chunk, text = heard.chunk, self.told.prose.text
        spoken = [
            Span(start=p.start, end=min(p.end, chunk.span.end))
            for u in _utterances(self.told, chunk)
            for p in u.pieces
            if chunk.span.start <= p.start < chunk.span.end
        ]
        witness = Witness(
            text=text,
            chunk=chunk,
            spoken=spoken,
            named=named,
            resolve=self._who,
            keep_invented=self.teacher.config.invented == "keep",
        )
        for place in heard.reply.malformed:
            witness.refuse("reading", place.split(":")[0], "malformed", place)
        count, begins = 0, chunk.span.start
        for k, plot in enumerate(heard.reply.plots, start=1):
            first = len(self.scenes)
            for scene in plot.scenes:
                count += 1
                staged = self._scene(
                    witness, plot, scene, spoken, number=count, plot_id=f"{chunk.id}.p{k:02d}", begins=begins
                )
                if staged is not None:
                    self.scenes.append(staged)
                    begins = staged.span.end
            self._plot(witness, plot, self.scenes[first:], plot_id=f"{chunk.id}.p{k:02d}")
        self.rejects += witness.rejects

    def _who(self, name: str) -> Person | None:
        return self.roster.person(clean(name)) or self.roster.person(name)

    def _scene(
        self,
        witness: Witness,
        plot: SaidPlot,
        said: SaidScene,
        spoken: Sequence[Span],
        *,
        number: int,
        plot_id: str,
        begins: int,
    ) -> Staged | None:
        where = f"s{number:02d}"
        ident = f"{witness.chunk.id}.{where}"
        turns = joined(witness.turns(said.turns, scene=where))
        limit = self.teacher.config.max_turns
        if limit is not None and len(turns) > limit:
            witness.refuse("scene", where, "over_max_turns", str(len(turns) - limit))
            turns = turns[:limit]
        spans = [s for b in turns for s in b.spans]
        if len(turns) < 2 or not spans:
            witness.refuse("scene", where, "under_two_turns")
            return None
        self.claimed += spans
        people = {b.person.name: b.person for b in turns}
        span = _stretch(witness.chunk, spans, begins=begins)
        quoted = [p for p in spoken or spans if span.start <= p.start < span.end]
        wants = {p.name: p.motivation for p in plot.people if p.motivation} | {n: m for n, m in said.cast.items() if m}
        motives: dict[str, str] = {}
        for name, motive in wants.items():
            person = self._who(name)
            if person is not None and person.name in people:
                motives[person.name] = motive
        return Staged(
            id=ident,
            chapter=witness.chunk.chapter,
            plot_id=plot_id,
            span=span,
            first_word=min(s.start for s in spans),
            narration=tuple(
                s
                for p in witness.chunk.paragraphs
                if p.start < span.end and p.end > span.start
                for s in unquoted(witness.text, p, quoted)
            ),
            turns=tuple(b.turn for b in turns),
            people=tuple(people.values()),
            pieces={f"{ident}/{b.turn.id}": b.spans for b in turns if _is_whole(b)},
            scenario=said.scenario or None,
            topic=said.topic or None,
            motives=motives,
        )

    def _plot(self, witness: Witness, said: SaidPlot, scenes: Sequence[Staged], *, plot_id: str) -> None:
        shown = witness.chunk.shown(self.told.prose)
        summary: str | None = None
        try:
            summary = setting.summary(said.summary, source=shown)
        except TeacherError as e:
            witness.refuse("reading", plot_id.removeprefix(f"{witness.chunk.id}."), f"summary_{e.reason}", str(e))
        others = [p.name for person in said.people if (p := self._who(person.name)) is not None]
        start = min((s.span.start for s in scenes), default=witness.chunk.span.start)
        end = max((s.span.end for s in scenes), default=witness.chunk.span.end)
        self.plots.append(
            Plot(
                id=plot_id,
                chapter=witness.chunk.chapter.number,
                span=Span(start=start, end=end),
                summary=summary,
                prominence=said.prominence,
                characters=tuple(dict.fromkeys((*carriers(plot_id, scenes), *others))),
            )
        )
        for person in said.people:
            known = self._who(person.name)
            if known is None or not person.description:
                continue
            try:
                self.descriptions[known.name].append(setting.description(person.description, source=shown))
            except TeacherError as e:
                item = f"{witness.chunk.id}/{known.name}.profile"
                self.rejects.append(Reject(stage="setting", item_id=item, reason=e.reason, detail=str(e)[:200]))


def _names(heard: Sequence[_Heard]) -> list[str]:
    """Every name the teacher used, once."""
    found: dict[str, None] = {}
    for one in heard:
        for plot in one.reply.plots:
            found |= dict.fromkeys(p.name for p in plot.people)
            for scene in plot.scenes:
                found |= dict.fromkeys([*scene.cast, *(t.speaker for t in scene.turns)])
    return list(found)


def _stretch(chunk: Chunk, spans: Sequence[Span], *, begins: int) -> Span:
    """Where a scene stands: the paragraphs of its words, and the narration before them that no other scene has."""
    first, last = min(s.start for s in spans), max(s.end for s in spans)
    start = min((p.start for p in chunk.paragraphs if p.start >= begins), default=first)
    end = max((p.end for p in chunk.paragraphs if p.start < last), default=last)
    return Span(start=min(start, first), end=max(end, last))


def _is_whole(borne: Borne) -> bool:
    """Does the text say all that this turn says?"""
    return bool(borne.spans) and not any(p.invented for p in borne.turn.parts)
