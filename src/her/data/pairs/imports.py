"""Pairs in: a file in another format becomes Preferences, and an account of what did not.

Every refusal is named, counted and kept with its line beside the pairs. Which side stands first is decided by the
pair's id, because the formats list the better one first.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from her.data.exports.parquet import arrow
from her.data.imports.markup import Markup
from her.data.imports.rows import Rows
from her.data.imports.source import Refusal
from her.data.pairs.raw import RawPair, placed, preference_of
from her.data.pairs.rows import chosen_rejected, her_rm
from her.data.pairs.swipes import swiped
from her.errors import InputError
from her.renderers.coser_json import Unread
from her.schema import Preference, Record
from her.store import Together, open_file

PairFormat = Literal["trl", "rewardbench", "her-rm", "sillytavern"]
IMPORTS: tuple[PairFormat, ...] = get_args(PairFormat)
Found = tuple[int | None, RawPair | Preference | Unread]


class ImportedPairs(Record):
    """What an import made."""

    pairs: int
    refused: dict[str, int]
    """Reason to count. Each refusal with its line is in `NAME.refused.jsonl`."""


def import_pairs(path: Path, *, format: PairFormat, out: Path, markup: Markup = "auto") -> ImportedPairs:
    """Read `path` into `out` and `NAME.refused.jsonl` beside it. Raises InputError where no pair could be read; then
    nothing is written."""
    if out.suffix != ".jsonl":
        raise InputError(f"--out {out} must be a .jsonl file")
    refused: Counter[str] = Counter()
    seen: set[str] = set()
    with Together() as files:
        pairs, refusals = files.open(out), files.open(out.with_suffix(".refused.jsonl"))
        for line, raw in _found(path, format=format):
            found = preference_of(raw, markup=markup) if isinstance(raw, RawPair) else raw
            if isinstance(found, Preference) and found.comparison.id in seen:
                found = Unread(item=found.comparison.id, field="id", reason="duplicate_id")
            if isinstance(found, Unread):
                refused[found.reason] += 1
                refusals.write(_refusal(path.name, line, found))
                continue
            seen.add(found.comparison.id)
            pairs.write(placed(found) if isinstance(raw, RawPair) and format != "her-rm" else found)
        if not pairs.count:
            reasons = ", ".join(f"{reason} {n}" for reason, n in refused.most_common()) or "it holds no rows"
            raise InputError(f"{path} holds no pair in the format {format!r} ({reasons}); is it another format?")
        return ImportedPairs(pairs=pairs.count, refused=dict(sorted(refused.items())))


def _found(path: Path, *, format: PairFormat) -> Iterator[Found]:
    if format == "sillytavern":
        yield from swiped(path)
        return
    if path.suffix == ".parquet":
        for number, value in enumerate(_parquet(path), start=1):
            yield from ((number, found) for found in _row(value, format=format))
        return
    for row in Rows(path):
        if isinstance(row.value, Unread):
            yield row.number, row.value
        else:
            yield from ((row.number, found) for found in _row(row.value, format=format))


def _row(row: dict[str, object], *, format: PairFormat) -> Iterator[RawPair | Preference | Unread]:
    return her_rm(row) if format == "her-rm" else chosen_rejected(row)


def _parquet(path: Path) -> Iterator[dict[str, object]]:
    pa, pq = arrow()
    with open_file(path) as file:
        try:
            table: Any = pq.ParquetFile(file)
        except pa.ArrowInvalid as e:
            raise InputError(f"{path} is not Parquet: {e}; give a whole file") from e
        for batch in table.iter_batches(batch_size=256):
            yield from batch.to_pylist()


def _refusal(name: str, line: int | None, found: Unread) -> Refusal:
    item, field, detail = (t.encode("utf-8", "replace").decode() for t in (found.item, found.field, found.detail[:200]))
    return Refusal(file=name, line=line, item=item, field=field, reason=found.reason, detail=detail)
