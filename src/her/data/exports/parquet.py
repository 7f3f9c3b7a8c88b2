"""Samples and places as Parquet: an explicit schema, rows sorted by id, row groups of a fixed size, no timestamps.

The same build gives the same bytes. What is nested and varies (a scene, a history) is canonical JSON in a text column:
free nested columns made a release's files unreadable (HER §4, §9). Memory is one row group.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from her.data.exports.chats import reference_text
from her.data.register import Register
from her.errors import ConfigError
from her.schema import Record, RLPrompt, SFTSample
from her.store import Growing, canonical, line_at, lines, record_of

ROWS = 1024
"""Rows of a group."""
R = TypeVar("R", SFTSample, RLPrompt)


def write_parquet(path: Path, kind: type[R], *, into: Growing, register: Register) -> int:
    """The records of `path` into `into`; returns how many."""
    pa, _ = arrow()
    return write_rows(map(_row, _sorted(path, kind, register)), _schema(pa, places=kind is RLPrompt), into=into)


def write_rows(rows: Iterator[dict[str, Any]], schema: Any, *, into: Growing) -> int:
    """Rows of a pyarrow schema, in their order; returns how many."""
    pa, pq = arrow()
    count = 0
    with pq.ParquetWriter(_Sink(into), schema, compression="zstd", write_page_index=False) as writer:
        while group := list(islice(rows, ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=ROWS)
            count += len(group)
    return count


def _sorted(path: Path, kind: type[R], register: Register) -> Iterator[R]:
    """The records by id. Ids and places wait on disk."""
    register.db.execute("DROP TABLE IF EXISTS sorted")
    register.db.execute("CREATE TABLE sorted (id TEXT, number INTEGER, offset INTEGER, PRIMARY KEY (id, number))")
    for line in lines(path):
        row = (record_of(line, kind, path).id, line.number, line.offset)
        register.db.execute("INSERT INTO sorted VALUES (?, ?, ?)", row)
    with path.open("rb") as file:
        for (offset,) in register.db.execute("SELECT offset FROM sorted ORDER BY id, number"):
            yield kind.model_validate_json(line_at(file, offset))


def _row(record: SFTSample | RLPrompt) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "id": record.id,
        "dialogue_id": record.dialogue_id,
        "turn_id": record.turn_id,
        "character": record.character,
        "messages": [{"role": m.role, "content": m.content} for m in record.messages],
        "split": record.split,
        "provenance": record.provenance,
        "history_policy": record.history_policy,
        "system_thinking": record.system_thinking,
    }
    if isinstance(record, SFTSample):
        return {**shared, "target": record.target, "flags": list(record.flags)}
    return {
        **shared,
        "reference": reference_text(record),
        "scene": _json(record.scene),
        "history": canonical([turn.model_dump(mode="json") for turn in record.history]),
        "reference_turn": _json(record.reference),
    }


def _json(record: Record) -> str:
    return canonical(record.model_dump(mode="json"))


def _schema(pa: Any, *, places: bool) -> Any:
    message = struct_of(pa, role=pa.string(), content=pa.string())
    texts = ("id", "dialogue_id", "turn_id", "character")
    marks = ("split", "provenance", "history_policy")
    own = (
        [(name, pa.string()) for name in ("reference", "scene", "history", "reference_turn")]
        if places
        else [("target", pa.string()), ("flags", pa.list_(pa.field("element", pa.string(), False)))]
    )
    columns = [
        *((name, pa.string()) for name in texts),
        ("messages", pa.list_(pa.field("element", message, False))),
        *own,
        *((name, pa.string()) for name in marks),
        ("system_thinking", pa.bool_()),
    ]
    return schema_of(pa, dict(columns))


def struct_of(pa: Any, **fields: Any) -> Any:
    """A pyarrow struct of which no field may be missing."""
    return pa.struct([pa.field(name, kind, False) for name, kind in fields.items()])


def schema_of(pa: Any, columns: dict[str, Any]) -> Any:
    """A pyarrow schema of columns without nulls, in their order."""
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


class _Sink:
    """A growing file as the writer of Parquet wants one."""

    closed = False

    def __init__(self, file: Growing) -> None:
        self._file, self._at = file, 0

    def write(self, data: Any) -> int:
        block = bytes(data)
        self._file.write_bytes(block)
        self._at += len(block)
        return len(block)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """`Together` flushes at the end."""

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def arrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # type: ignore[import-untyped, import-not-found, unused-ignore]
        import pyarrow.parquet  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as e:
        raise ConfigError("Parquet needs the package pyarrow; pip install 'her[data]'") from e
    return pyarrow, pyarrow.parquet
