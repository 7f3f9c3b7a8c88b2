"""Is a reply well formed? The one check that training gates, exams and the report share.

Owns the names of faults. Reads strictly; a reply that needs any repair is not well formed, though its turn may still be
read leniently and used.
"""

import re
from collections.abc import Sequence
from typing import Literal

from her.errors import TagError
from her.renderers.tags import read_lenient, read_strict
from her.schema import ENVIRONMENT, Record, Turn

_LINE_NAME = re.compile(r"^\s*(?:\*\*|\*|_)?([^\s:<>*_\n][^:<>*\n]{0,59}?)(?:\*\*|\*|_)?\s*:(?=\s|\*|$)", re.MULTILINE)


class Form(Record):
    """What was found. `turn` is the strict or, failing that, the lenient reading; None where nothing is left."""

    ok: bool
    faults: tuple[str, ...]
    turn: Turn | None


def check(
    text: str,
    *,
    speaker: str,
    others: Sequence[str],
    system_thinking: bool,
    finish_reason: Literal["stop", "length", "content_filter"] | None,
    turn_id: str = "t",
) -> Form:
    """Faults of a reply, by name:

    strict               the strict reader refuses it
    truncated            the model was cut off
    filtered             the endpoint's content filter cut it
    no_system_thinking   a plan was asked for and there is none
    system_thinking      none was asked for and there is one
    empty                no speech, action or thought
    no_name, wrong_name  the body does not begin with `NAME: `
    foreign_speech       a line is spoken by someone else in the scene
    """
    faults: list[str] = []
    turn: Turn | None = None
    try:
        turn = read_strict(text, speaker=speaker, turn_id=turn_id)
    except TagError:
        faults.append("strict")
        try:
            turn = read_lenient(text, speaker=speaker, turn_id=turn_id).turn
        except TagError:
            turn = None
    if finish_reason == "length":
        faults.append("truncated")
    if finish_reason == "content_filter":
        faults.append("filtered")
    if turn is None or not turn.parts:
        faults.append("empty")
    planned = turn is not None and turn.system_thinking is not None
    if planned != system_thinking and turn is not None:
        faults.append("system_thinking" if planned else "no_system_thinking")
    if turn is not None and turn.parts:
        faults += _names(text, turn, others=others)
    return Form(ok=not faults, faults=tuple(dict.fromkeys(faults)), turn=turn)


def foreign_names(turn: Turn, others: Sequence[str]) -> tuple[str, ...]:
    """Others who are made to speak in `turn`: their name and a colon begin a line of its speech or action.
    What a character imagines others saying, in a thought, is its own."""
    strangers = {name.casefold(): name for name in (*others, ENVIRONMENT) if name.casefold() != turn.speaker.casefold()}
    found = []
    for part in turn.parts:
        if part.kind == "thought":
            continue
        for line in _LINE_NAME.finditer(part.text):
            if name := strangers.get(line.group(1).strip().casefold()):
                found.append(name)
    return tuple(dict.fromkeys(found))


def _names(text: str, turn: Turn, *, others: Sequence[str]) -> list[str]:
    body = text.strip()
    if body.startswith("<system_thinking>"):
        body = body.partition("</system_thinking>")[2].lstrip()
    faults = []
    if not body.startswith(f"{turn.speaker}:"):
        opens = _LINE_NAME.match(body)
        named = opens is not None and opens.group(1).strip().casefold() in {
            o.casefold() for o in (*others, ENVIRONMENT)
        }
        faults.append("wrong_name" if named else "no_name")
    if foreign_names(turn, others):
        faults.append("foreign_speech")
    return faults
