"""The second reader: a model that is asked, turn by turn, for the faults that rules miss.

Owns the question and the reading of its answer. A finding counts only where the words it quotes stand in the layer it
names, and the fault can be in that layer; anything else the model says is counted and dropped. It reads hidden
layers, so what it finds is evidence for people and filters and never goes back into a turn.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Literal, get_args

from pydantic import ValidationError

from her.errors import DeadLetterError, ReplyError
from her.llm import ChatModel, Request
from her.schema import ENVIRONMENT, Dialogue, Flag, Record, Turn
from her.store import canonical
from her.synthesis.checks.checker import Finding
from her.synthesis.checks.standpoint import Standpoint, flag, standpoint
from her.synthesis.teacher import fill
from her.synthesis.text.wording import normalise, words

Semantic = Literal[
    "impossible_knowledge", "mind_reading", "speaks_for_others", "third_person_thought", "thought_in_speech"
]
Layer = Literal["system_thinking", "thought", "action", "speech"]
_LAYERS: dict[Semantic, tuple[Layer, ...]] = {
    "impossible_knowledge": ("system_thinking", "thought", "action", "speech"),
    "mind_reading": ("system_thinking", "thought"),
    "speaks_for_others": ("action", "speech"),
    "third_person_thought": ("thought",),
    "thought_in_speech": ("action", "speech"),
}
"""Where a fault can stand at all."""
_MAX_TOKENS = 400
_KNOWN_CHARS = 6000
"""Characters of what is known, and of what is hidden, that are shown at most; the newest, for a turn answers those."""
_MIN_WORDS = 2
"""A quotation of one word proves nothing."""


class Claim(Record):
    """What the model says is wrong."""

    kind: Semantic
    where: Layer
    quote: str


class _Answer(Record):
    findings: tuple[Claim, ...]


class SecondReading(Record):
    """The rules' findings and the model's, and what became of its answers."""

    findings: tuple[Finding, ...]
    """All of them, each once: a place where the rules found the same kind already is not named again."""
    asked: int
    """Turns."""
    unread: int
    """Turns whose answer could not be read, or was given up."""
    unverified: int
    """Claims whose words are not where it said, or whose fault cannot be there."""


async def check_with_teacher(model: ChatModel, dialogue: Dialogue, findings: Iterable[Finding]) -> SecondReading:
    """Ask about every turn of a character. Raises the model's errors where it cannot be reached."""
    turns = [t for t in dialogue.turns if t.speaker != ENVIRONMENT and (t.parts or t.system_thinking)]
    read = await asyncio.gather(*(_read(model, dialogue, t) for t in turns))
    found = list(findings)
    seen = {(f.turn_id, f.flag.kind, f.flag.where) for f in found}
    unread = unverified = 0
    for turn, claims in zip(turns, read, strict=True):
        if claims is None:
            unread += 1
            continue
        for claim in claims:
            if not _stands(turn, claim):
                unverified += 1
            elif (turn.id, claim.kind, claim.where) not in seen:
                seen.add((turn.id, claim.kind, claim.where))
                found.append(Finding(dialogue_id=dialogue.id, turn_id=turn.id, flag=_flag(claim)))
    return SecondReading(findings=tuple(found), asked=len(turns), unread=unread, unverified=unverified)


async def _read(model: ChatModel, dialogue: Dialogue, turn: Turn) -> tuple[Claim, ...] | None:
    try:
        reply = await model.reply(question(standpoint(dialogue, turn)))
    except (ReplyError, DeadLetterError):
        return None
    if reply.finish_reason != "stop":
        return None
    body = reply.text[reply.text.find("{") : reply.text.rfind("}") + 1]
    try:
        return _Answer.model_validate(json.loads(body)).findings
    except (ValidationError, ValueError, RecursionError):
        return None


def question(place: Standpoint) -> Request:
    """The question about one turn."""
    layers = [*place.inner(), *((p.kind, p.text) for p in place.parts("action", "speech"))]
    names = {"system_thinking": "plan"}
    values = {
        "name": place.me.name,
        "known": place.known[-_KNOWN_CHARS:],
        "hidden": "\n".join(f"{h.source}: {h.text}" for h in place.hidden if h.later is None)[-_KNOWN_CHARS:]
        or "(nothing)",
        "turn": "\n".join(f"{names.get(where, where)}: {text}" for where, text in layers),
    }
    claim = {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": list(get_args(Semantic))},
            "where": {"type": "string", "enum": sorted({where for where, _ in layers})},
            "quote": {"type": "string", "maxLength": 300},
        },
        "required": ["kind", "where", "quote"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"findings": {"type": "array", "items": claim, "maxItems": 6}},
        "required": ["findings"],
        "additionalProperties": False,
    }
    return Request(
        messages=fill("check", values), max_tokens=_MAX_TOKENS, temperature=0.0, json_schema=canonical(schema)
    )


def _stands(turn: Turn, claim: Claim) -> bool:
    """Are these words in that layer, and can the fault be there?"""
    if claim.where not in _LAYERS[claim.kind] or len(words(claim.quote)) < _MIN_WORDS:
        return False
    if claim.where == "system_thinking":
        texts = [turn.system_thinking or ""]
    else:
        texts = [p.text for p in turn.parts if p.kind == claim.where]
    wanted = normalise(claim.quote).strip(" .,;:!?\"'“”").casefold()
    return any(wanted in normalise(t).casefold() for t in texts)


def _flag(claim: Claim) -> Flag:
    return flag(claim.kind, claim.where, "a second reader", claim.quote)
