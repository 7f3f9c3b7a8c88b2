"""A pipeline in small: items in, two calls each behind a ledger, replies checked and asked for again, an export out.

What the fault, kill and disk suites run. It is a stage like any other: it knows no fault.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from her.errors import DeadLetterError
from her.llm import ChatModel, Reply, Request
from her.schema import Message, Record
from her.store import write_jsonl

SCHEMA = '{"properties":{"said":{"type":"string"}},"required":["said"],"type":"object"}'
SAMPLES = 5
"""How often an item whose reply is of no use is asked for anew."""


class Item(Record):
    """What the pipeline works on."""

    id: str
    line: str


class Kept(Record):
    """An item that came through."""

    id: str
    draft: str
    final: str


class Lost(Record):
    """An item that did not, and why: `dead_letter` of the engine, or replies that were never of use."""

    id: str
    reason: str


def items(count: int) -> list[Item]:
    """So many different items."""
    return [Item(id=f"i{n:04d}", line=f"Line {n} of a book that nobody has written.") for n in range(count)]


async def work(
    todo: Sequence[Item], model: ChatModel, *, concurrency: int, told: Callable[[Request], None] | None = None
) -> list[Kept | Lost]:
    """One outcome for each item, in order. `told` hears of each request whose reply is acknowledged."""
    room = asyncio.Semaphore(concurrency)

    async def one(item: Item) -> Kept | Lost:
        async with room:
            try:
                draft = await _ask(model, f"[{item.id}] Who speaks? {item.line}", told)
                final = await _ask(model, f"[{item.id}] Say it better: {draft}", told) if draft is not None else None
            except DeadLetterError:
                return Lost(id=item.id, reason="dead_letter")
        if draft is None or final is None:
            return Lost(id=item.id, reason="unread")
        return Kept(id=item.id, draft=draft, final=final)

    return list(await asyncio.gather(*(one(item) for item in todo)))


def export(outcomes: Sequence[Kept | Lost], folder: Path, *, halfway: Callable[[], None] | None = None) -> None:
    """`kept.jsonl` and `lost.jsonl`; `halfway` is called between the two."""
    write_jsonl(folder / "kept.jsonl", [o for o in outcomes if isinstance(o, Kept)])
    if halfway is not None:
        halfway()
    write_jsonl(folder / "lost.jsonl", [o for o in outcomes if isinstance(o, Lost)])


def exported(folder: Path) -> bytes:
    """The bytes of an export, both files together."""
    return (folder / "kept.jsonl").read_bytes() + b"--\n" + (folder / "lost.jsonl").read_bytes()


async def _ask(model: ChatModel, text: str, told: Callable[[Request], None] | None) -> str | None:
    for sample in range(SAMPLES):
        request = Request(
            messages=(Message(role="user", content=text),),
            max_tokens=64,
            temperature=0.7,
            json_schema=SCHEMA,
            sample_index=sample,
        )
        reply = await model.reply(request)
        if told is not None:
            told(request)
        said = read(reply)
        if said is not None:
            return said
    return None


def read(reply: Reply) -> str | None:
    """What was asked for, or None where the reply does not hold it."""
    if reply.finish_reason != "stop":
        return None
    try:
        said = json.loads(reply.text)["said"]
    except (ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, str) else None
