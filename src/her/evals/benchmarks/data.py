"""Data: reading a benchmark's own files. A fault names file, record and field; nothing is guessed or filled in.

Owns the shapes in which the field publishes: JSON Lines, a JSON list, a list of lists, or a list under one key. Knows
no benchmark.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from her.errors import InputError
from her.evals.benchmarks.card import Card
from her.evals.benchmarks.item import DataUsed
from her.store import lines, read_json, read_text, sha256_file


class Upstream(BaseModel):
    """The base of records that others publish: frozen, typed; keys that we do not know are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)


U = TypeVar("U", bound=Upstream)


def read_records(path: Path, kind: type[U], *, under: str | None = None) -> Iterator[tuple[str, U]]:
    """(where, record) for every record of a file. `under`: the key that holds the list, where the file is one object.

    Lists of lists are read through. `where` is `FILE:LINE` of JSON Lines and `FILE, record N` (from 0) otherwise.
    """
    if path.suffix == ".jsonl" and not _is_document(path):
        for line in lines(path):
            where = f"{path.name}:{line.number}"
            try:
                value = json.loads(line.data)
            except (ValueError, RecursionError) as e:
                raise InputError(f"{where} is not JSON: {e}; repair or remove the line") from e
            yield where, parse(value, kind, where=where)
        return
    document = read_json(path)
    if under is not None and isinstance(document, dict):
        if under not in document:
            raise InputError(f"{path.name} has no {under!r}; it should hold the records there")
        document = document[under]
    if not isinstance(document, list):
        raise InputError(f"{path.name} is not a list of records; check that it is the benchmark's own file")
    flat = [r for part in document for r in (part if isinstance(part, list) else [part])]
    for number, value in enumerate(flat):
        where = f"{path.name}, record {number}"
        yield where, parse(value, kind, where=where)


def keys_of_first(path: Path) -> frozenset[str]:
    """The keys of a file's first record, for benchmarks that are published in two shapes. Empty where it has none."""
    document: object
    if path.suffix == ".jsonl" and not _is_document(path):
        first = next(lines(path), None)
        try:
            document = [] if first is None else [json.loads(first.data)]
        except (ValueError, RecursionError):
            return frozenset()
    else:
        document = read_json(path)
    while isinstance(document, list) and document:
        document = document[0]
    return frozenset(document) if isinstance(document, dict) else frozenset()


def parse(value: object, kind: type[U], *, where: str) -> U:
    """One record. The InputError names the record and the field, by the name that the file uses."""
    try:
        return kind.model_validate(value)
    except ValidationError as e:
        first = e.errors()[0]
        field = ".".join(str(p) for p in first["loc"]) or "the record"
        problem = "is missing" if first["type"] == "missing" else f"is wrong: {first['msg']}"
        raise InputError(f"{where}: field {field!r} {problem}; check that it is the benchmark's own file") from e


def mini_set(card: Card) -> Path:
    """Our own small set for a benchmark, CC0, in the benchmark's own schema."""
    return Path(str(files("her.evals").joinpath("mini", card.mini)))


def data_used(path: Path, card: Card) -> DataUsed:
    """Name, hash, licence and origin of the data at `path`."""
    if path == mini_set(card):
        return DataUsed(
            name="mini-set",
            sha256=sha256_file(path),
            licence="CC0-1.0",
            origin="our own writing, in the benchmark's schema; its scores compare with no published number",
        )
    source = card.sources[0]
    return DataUsed(
        name=path.name,
        sha256=sha256_file(path),
        licence=source.licence,
        origin=f"as given; published at {source.where}",
    )


def _is_document(path: Path) -> bool:
    """Is a file one JSON document over many lines, although it is named `.jsonl`? TwinVoice's profiles are."""
    head = read_text(path).lstrip()[:2].split("\n")
    return head[0] in {"{", "["} and len(head) > 1
