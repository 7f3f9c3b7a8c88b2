"""The teacher: asks a model for one small JSON object, has code check it, asks again, and gives up with a reason.

Owns the prompt files, the schema of an answer, the reading of imperfect JSON, retries and counting. What a good
answer is, each stage says itself, by a check that raises `TeacherError`. A request that the model's door gave up for
good costs its item (`dead_letter`); a model that cannot be reached is an error and rises.

Two manners. A small teacher is led by the hand, and what it wrote is used as far as it goes. A strong one is read
strictly (`her.synthesis.reading`): what is broken or cut off is asked for again, a cut-off answer once with more room.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Generic, TypeVar

from her.errors import DeadLetterError, ReplyError, TeacherError
from her.llm import ChatModel, Reply, Request
from her.schema import Message
from her.store import canonical
from her.synthesis.reading import read_texts
from her.synthesis.result import Reject, Stage, SynthConfig
from her.synthesis.tally import Counts
from her.synthesis.text.wording import ends_properly, normalise, whole_sentences

T = TypeVar("T")
_SECTION = re.compile(r"^\[(system|user|assistant)\]\n", re.MULTILINE)
_HOLE = re.compile(r"\{\{(\w+)\}\}")
_FIELD = re.compile(r'"(\w+)"\s*:\s*(?:"((?:[^"\\]|\\.)*)"?|(-?\d+))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text field of an answer. `opening`: a regular expression that the engine is asked to begin with; the answer is
    then one sentence of at most so many characters more."""

    chars: int
    opening: str = ""

    def forced(self, text: str) -> bool:
        """Was the sentence ended by its limit, within whatever word it stood at?"""
        if not self.opening:
            return False
        begun = re.match(self.opening, text)
        return begun is not None and (len(text) - begun.end() > self.chars or text[-2:-1] in ",;:(-")

    def schema(self) -> dict[str, object]:
        if self.opening:
            return {"type": "string", "pattern": rf"^{self.opening}[^\"\n\\.!?]{{12,{self.chars}}}[.!?]$"}
        return {"type": "string", "minLength": 12, "maxLength": self.chars}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A field that takes one of the given values."""

    options: tuple[str, ...]

    def schema(self) -> dict[str, object]:
        return {"type": "string", "enum": list(self.options)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[T]):
    """One question. `check` turns the fields of an answer into what is wanted, or raises TeacherError."""

    stage: Stage
    item_id: str
    prompt: str
    values: Mapping[str, str]
    fields: Mapping[str, Text | Choice]
    check: Callable[[Mapping[str, str]], T]
    max_tokens: int = 60
    again: Mapping[str, Text | Choice] | None = None
    """The fields of every further attempt, where they differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """What came of it: a value, or the reject that says why there is none."""

    value: T | None
    reject: Reject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeAsk(Generic[T]):
    """One question to a strong teacher. `read` turns its reply into what is wanted, or raises TeacherError."""

    stage: Stage
    item_id: str
    messages: Callable[[str], tuple[Message, ...]]
    """The request, given what was wrong with the last answer (empty for nothing)."""
    read: Callable[[Reply], T]
    max_tokens: int
    """What the answer may need; a teacher's room is never less than the settings' `reply_tokens`."""
    schema: Mapping[str, object] | None = None
    retries: int | None = None
    """Further attempts after a refused answer, where not those of the settings."""
    fault: str = ""
    """What was wrong with an answer to this before it was asked here."""


class Teacher:
    """A `ChatModel` that is asked `Ask`s and `FreeAsk`s."""

    def __init__(self, model: ChatModel, *, config: SynthConfig, room: asyncio.Semaphore | None = None) -> None:
        self.model = model
        self.config = config
        self.counts = Counts()
        self._room = room or asyncio.Semaphore(config.concurrency)

    async def ask(self, ask: Ask[T]) -> Answer[T]:
        """Ask until an answer passes its check, `retries` times more at most."""
        if not self.config.guided:
            return await self.ask_free(_freely(ask))
        reason, detail, fault = "unread", "", ""
        for attempt in range(self.config.retries + 1):
            self.counts.retries += attempt > 0
            request = self._request(ask, attempt=attempt, fault=fault)
            try:
                reply = await self._reply(request, ask.stage)
                fields = read_fields(reply, tuple(ask.fields))
                for name, kind in (ask.fields if attempt == 0 or ask.again is None else ask.again).items():
                    if isinstance(kind, Text) and kind.forced(fields[name]):
                        fields[name] = up_to_clause(fields[name])
                return Answer(value=ask.check(fields), reject=None)
            except TeacherError as e:
                reason, detail = e.reason, str(e)
            except DeadLetterError as e:
                return self._buried(ask, e)
            self.refuse(ask.stage, reason)
            if self.config.tell_faults:
                fault = _told(reason)
        return _given_up(ask, reason, detail)

    async def ask_free(self, ask: FreeAsk[T]) -> Answer[T]:
        """Ask until an answer can be read, `retries` times more at most, and once more with twice the room where an
        answer was cut off."""
        reason, detail, fault = "unread", "", ask.fault
        left = self.config.retries if ask.retries is None else ask.retries
        room, widened, attempt = max(ask.max_tokens, self.config.reply_tokens), False, 0
        while True:
            request = Request(
                messages=ask.messages(fault),
                max_tokens=room,
                temperature=self.config.temperature,
                top_p=0.9,
                seed=self.config.seed,
                json_schema=None if ask.schema is None else canonical(ask.schema),
                sample_index=attempt,
            )
            try:
                return Answer(value=ask.read(await self._reply(request, ask.stage)), reject=None)
            except TeacherError as e:
                reason, detail = e.reason, str(e)
            except DeadLetterError as e:
                return self._buried(ask, e)
            self.refuse(ask.stage, reason)
            if reason == "truncated" and not widened:
                room, widened = 2 * room, True
            elif left:
                left -= 1
            else:
                return _given_up(ask, reason, detail)
            if self.config.tell_faults and reason != "truncated":
                fault = _told(reason)
            attempt += 1
            self.counts.retries += 1

    def refuse(self, stage: Stage, reason: str) -> None:
        """Count one answer that cannot be used."""
        self.counts.refused[f"{stage}.{reason}"] += 1

    async def _reply(self, request: Request, stage: Stage) -> Reply:
        try:
            async with self._room:
                reply = await self.model.reply(request)
        except ReplyError as e:
            # The engine says that its answer breaks the schema: an answer that cannot be used, like any other.
            raise TeacherError(str(e), "not_json") from e
        self.counts.called(stage, reply.usage)
        return reply

    def _buried(self, ask: "Ask[T] | FreeAsk[T]", letter: DeadLetterError) -> Answer[T]:
        self.counts.dead_letters[ask.stage] += 1
        return _given_up(ask, "dead_letter", f"{letter.reason}: {letter}")

    def _request(self, ask: Ask[T], *, attempt: int, fault: str) -> Request:
        wanted = ask.fields if attempt == 0 or ask.again is None else ask.again
        return Request(
            messages=fill(ask.prompt, {**ask.values, "fault": fault}),
            max_tokens=ask.max_tokens,
            temperature=self.config.temperature,
            top_p=0.9,
            seed=self.config.seed,
            json_schema=canonical(object_of({name: f.schema() for name, f in wanted.items()})),
            sample_index=attempt,
        )


def object_of(properties: Mapping[str, object]) -> dict[str, object]:
    """The schema of an object that has exactly these properties."""
    required = list(properties)
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


def _freely(ask: Ask[T]) -> FreeAsk[T]:
    """A small question put to a strong teacher: the same prompt, read strictly. Lengths are checked and not forced,
    since many endpoints refuse schemas that bound them."""
    properties = {
        name: kind.schema() if isinstance(kind, Choice) else {"type": "string"} for name, kind in ask.fields.items()
    }
    return FreeAsk(
        stage=ask.stage,
        item_id=ask.item_id,
        messages=lambda fault: fill(ask.prompt, {**ask.values, "fault": fault}),
        read=lambda reply: ask.check({k: normalise(v) for k, v in read_texts(reply, tuple(ask.fields)).items()}),
        max_tokens=ask.max_tokens,
        schema=object_of(properties),
    )


def _told(reason: str) -> str:
    return f"\n(An earlier answer was refused: {reason.replace('_', ' ')}. Avoid that.)"


def _given_up(ask: "Ask[T] | FreeAsk[T]", reason: str, detail: str) -> Answer[T]:
    reject = Reject(stage=ask.stage, item_id=ask.item_id, reason=reason, detail=detail[:200])
    return Answer(value=None, reject=reject)


@cache
def _prompt(name: str) -> str:
    return (resources.files("her.synthesis") / "prompts" / f"{name}.txt").read_text(encoding="utf-8")


@cache
def _template(name: str) -> tuple[tuple[str, str], ...]:
    pieces = _SECTION.split(_prompt(name))[1:]
    return tuple(zip(pieces[::2], (p.strip() for p in pieces[1::2]), strict=True))


def fill(name: str, values: Mapping[str, str]) -> tuple[Message, ...]:
    """The messages of a prompt file. Filled in one pass, so that braces in a book are never taken for holes."""
    return tuple(
        Message.model_validate({"role": role, "content": _HOLE.sub(lambda m: values[m[1]], body)})
        for role, body in _template(name)
    )


def fill_text(name: str, values: Mapping[str, str]) -> str:
    """A prompt file that is a piece of others, filled like them."""
    return _HOLE.sub(lambda m: values[m[1]], _prompt(name)).strip()


def read_fields(reply: Reply, names: tuple[str, ...]) -> dict[str, str]:
    """The wanted fields of an answer as text.

    An answer that was cut off, or that stands in prose or a fence, is read as far as it goes; a text that was cut is
    kept up to its last whole sentence. Raises TeacherError where a field is missing or empty.
    """
    body = reply.text.strip()
    found: dict[str, str] = {}
    start = body.find("{")
    try:
        loaded = json.loads(body[start : body.rfind("}") + 1]) if start >= 0 else None
    except (ValueError, RecursionError):
        loaded = None
    if isinstance(loaded, dict):
        found = {k: str(v) for k, v in loaded.items() if isinstance(v, str | int | float)}
    else:
        for match in _FIELD.finditer(body[max(start, 0) :]):
            value = match[2] if match[2] is not None else match[3]
            found[match[1]] = re.sub(r"\\(.)", lambda m: " " if m[1] in "nrt" else m[1], value)
    for name in names:
        if name not in found:
            raise TeacherError(f"no {name!r} in {body[:80]!r}", "not_json")
        found[name] = normalise(found[name])
        if not found[name]:
            raise TeacherError(f"empty {name!r}", "empty")
    return {name: found[name] for name in names}


def exact(text: str) -> str:
    """The text as part of a pattern in a schema."""
    return re.escape(text).replace("\\ ", " ").replace("\\-", "-").replace("\\'", "'")


def up_to_clause(text: str) -> str:
    """A sentence that its limit cut off, up to its last whole clause. Raises TeacherError where too little is left."""
    cut = max(text.rfind(mark, 0, len(text) - 1) for mark in (", ", "; "))
    if cut < 0 or len(text[:cut].split()) < 6:
        raise TeacherError(text, "unfinished")
    return f"{text[:cut]}."


def finished(text: str) -> str:
    """The whole sentences of a written text. Raises TeacherError where not one is finished."""
    if ends_properly(text):
        return text
    kept = whole_sentences(text)
    if len(kept.split()) >= 4:
        return kept
    raise TeacherError(text, "unfinished")
