"""Rehearsal: all stages run with a model that answers at once and says nothing, to count what one would be asked.

Every request is made as it would be made, so calls and prompts are those of the real stages, whatever these are; only
answers are missing, and with them what later requests would have quoted of them. Answers are taken to be of the length
that such answers were measured to have. Refused answers, which are asked for again, are not in the count.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from her.errors import InputError
from her.llm import Delta, Reply, Request, Usage
from her.schema import Book, Chapter, Record
from her.synthesis.extraction.chunks import Chunk, chunks
from her.synthesis.extraction.speakers import attribute, spoken
from her.synthesis.extraction.told import Told
from her.synthesis.people.aliases import discover
from her.synthesis.people.names import Roster
from her.synthesis.pipeline import synthesize
from her.synthesis.prepared import chosen
from her.synthesis.result import SynthConfig
from her.synthesis.sources.curated import Curated
from her.synthesis.text.estimate import tokens
from her.synthesis.text.prose import Prose

_FENCED = re.compile(r"^==== (\w+) ====\n(.*)\n==== \1 ====", re.DOTALL | re.MULTILINE)
_SHORT, _LONG = 25, 600
"""Tokens of a bounded and of a free answer: means of the embedded teacher, and the paper's mean system thinking."""
_SENTENCE = "Nobody can say what is so before it has been read. "
_ENOUGH = 1500
"""Utterances of a book that are rehearsed: a novel of ordinary length, and seconds of work."""
_PER_MESSAGE = 4
"""Tokens by which chat templates part messages."""


class StagePlan(Record):
    """What one stage asks. Tokens are estimates."""

    stage: str
    calls: int
    prompt_tokens: int
    completion_tokens: int


class Plan(Record):
    """What a synthesis would take, refused answers aside."""

    title: str
    chapters: int
    sampled: int
    """Chapters that were rehearsed; where these are fewer, the counts below are scaled by utterances."""
    chunks: int
    scenes: int
    turns: int
    stages: tuple[StagePlan, ...]

    def prompt_tokens(self) -> int:
        return sum(s.prompt_tokens for s in self.stages)

    def completion_tokens(self) -> int:
        return sum(s.completion_tokens for s in self.stages)


async def rehearse(source: Book | Curated, config: SynthConfig) -> Plan:
    """Count what `synthesize` would ask; of a long book, by a sample of its chapters. Raises InputError as it does."""
    book = source.book if isinstance(source, Curated) else source
    chapters = chosen(book, config.chapters)
    once = config.model_copy(update={"retries": 0, "tell_faults": False})
    said: list[tuple[str, str]] = []
    share, sampled, count = 1.0, len(chapters), 0
    if not isinstance(source, Curated):
        told = Told.of(Prose.of(book))
        if not _utterances(told, chapters):
            raise InputError(
                f"{book.title}: a plan is made from what rules find, and they find no conversation in the chosen "
                "chapters; choose others with --chapters, or go without a plan"
            )
        sample = _sample(told, chapters) if config.max_scenes is None else chapters
        share = _utterances(told, sample) / _utterances(told, chapters)
        sampled = len(sample)
        count = sum(len(chunks(told.prose, c, budget=config.chunk_tokens)) for c in chapters)
        said = _readings(told, sample, budget=config.chunk_tokens)
        once = once.model_copy(update={"chapters": ",".join(str(c.number) for c in sample)})
    result = await synthesize(source, teacher=Rehearsal(dict(said)), config=once)
    report = result.report
    return Plan(
        title=result.title,
        chapters=len(chapters),
        sampled=sampled,
        chunks=count,
        scenes=round(report.scenes / share),
        turns=round(report.turns / share),
        stages=tuple(
            StagePlan(
                stage=stage,
                calls=round(calls / share),
                prompt_tokens=round(report.prompt_tokens.get(stage, 0) / share),
                completion_tokens=round(report.completion_tokens.get(stage, 0) / share),
            )
            for stage, calls in report.calls.items()
        ),
    )


def _sample(told: Told, chapters: Sequence[Chapter]) -> Sequence[Chapter]:
    """Chapters in even steps that hold about `_ENOUGH` utterances; all of them where there are no more."""
    step = -(-_utterances(told, chapters) // _ENOUGH)
    sample = chapters[step // 2 :: step] if step > 1 else chapters
    return sample if _utterances(told, sample) else chapters


def _utterances(told: Told, chapters: Sequence[Chapter]) -> int:
    return sum(len(s.utterances) for c in chapters for s in told.scenes[c.number])


def readings(book: Book, config: SynthConfig) -> list[tuple[str, str]]:
    """Each chunk of the chosen chapters as it is shown, and what a teacher may say of it: what rules find in it."""
    return _readings(Told.of(Prose.of(book)), chosen(book, config.chapters), budget=config.chunk_tokens)


def _readings(told: Told, chapters: Sequence[Chapter], *, budget: int) -> list[tuple[str, str]]:
    roster = discover(told.text())
    stretches = [k for c in chapters for k in chunks(told.prose, c, budget=budget)]
    return [(k.shown(told.prose), _reading(told, k, roster)) for k in stretches]


def _reading(told: Told, chunk: Chunk, roster: Roster) -> str:
    text = told.prose.text
    scenes = []
    carriers: dict[str, None] = {}
    for scene in told.scenes[chunk.chapter.number]:
        found = [a for a in attribute(text, scene, roster) if _inside(a.utterance.pieces[0].start, chunk)]
        if not found:
            continue
        people = list(dict.fromkeys(a.speaker.name for a in found if a.speaker is not None))
        people = people or [p.name for p in roster.people[:2]] or ["Somebody"]
        turns = [
            {
                "speaker": a.speaker.name if a.speaker is not None else people[k % len(people)],
                "parts": [{"kind": "speech", "text": spoken(text, a.utterance.pieces), "quote": ""}],
            }
            for k, a in enumerate(found)
        ]
        cast = [{"name": name, "motivation": _SENTENCE} for name in people]
        scenes.append({"scenario": 2 * _SENTENCE, "topic": _SENTENCE, "cast": cast, "turns": turns})
        carriers |= dict.fromkeys(people)
    characters = [{"name": name, "description": _SENTENCE, "motivation": _SENTENCE} for name in carriers]
    plot = {"summary": 3 * _SENTENCE, "prominence": 50, "characters": characters, "scenes": scenes}
    return json.dumps({"plots": [plot]}, ensure_ascii=False)


def _inside(at: int, chunk: Chunk) -> bool:
    return chunk.span.start <= at < chunk.span.end


@dataclass(slots=True)
class Rehearsal:
    """A `ChatModel` that counts every request and answers in form alone. `readings`: what it says of each chunk."""

    readings: Mapping[str, str]
    name: str = "rehearsal"
    fingerprint: str = "rehearsal"

    async def reply(self, request: Request) -> Reply:
        """An answer in the form asked for."""
        read = sum(tokens(m.content) + _PER_MESSAGE for m in request.messages)
        text, written = self._answer(request)
        return Reply(
            text=text,
            finish_reason="stop",
            usage=Usage(prompt_tokens=read, completion_tokens=min(written, request.max_tokens)),
        )

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The same in one piece."""
        reply = await self.reply(request)
        yield Delta(text=reply.text)
        yield Delta(finish_reason=reply.finish_reason, usage=reply.usage)

    async def close(self) -> None:
        """Nothing to close."""

    def _answer(self, request: Request) -> tuple[str, int]:
        if request.json_schema is None:
            return "", _LONG
        schema = json.loads(request.json_schema)
        last = request.messages[-1].content
        if "plots" in schema["properties"]:
            fenced = _FENCED.search(last)
            text = self.readings.get(fenced[2], '{"plots": []}') if fenced else ""
            return text, tokens(text)
        value = {name: _in_form(kind, last) for name, kind in schema["properties"].items()}
        text = json.dumps(value, ensure_ascii=False)
        bounded = any("pattern" in k or "maxLength" in k or "enum" in k for k in schema["properties"].values())
        return text, _SHORT if bounded else max(tokens(text), _SHORT)


def _in_form(kind: Mapping[str, object], prompt: str) -> object:
    """A value of this kind; rows are those that the prompt shows."""
    if isinstance(options := kind.get("enum"), list):
        return options[0]
    if kind.get("type") == "array":
        items = kind.get("items")
        wanted = items.get("properties", {}) if isinstance(items, dict) else {}
        return [row for row in map(_row, prompt.split("\n")) if row is not None and set(row) == set(wanted)]
    return 0 if kind.get("type") == "integer" else "Nobody can tell."


def _row(line: str) -> dict[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
