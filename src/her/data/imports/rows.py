"""Rows: the JSON objects of a file, one at a time, with the line each stands on.

JSON Lines is read in constant memory. A file that is one JSON document (CoSER's test set, ShareGPT dumps) is read
whole, and the line is the place in its list, from 1. What is not JSON is named, not skipped.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError
from her.renderers.coser_json import Unread
from her.store import canonical, line_at, lines, open_file, read_json, sha256_text

_ID = re.compile(r"[A-Za-z0-9._:-]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object of a file."""

    number: int
    offset: int
    """How `Rows.at` finds it again."""
    value: dict[str, object] | Unread


class Rows:
    """The rows of one file, to be read any number of times."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._list: list[object] | None = None
        with open_file(path) as file:
            first = next((line for line in file if line.strip(b"\xef\xbb\xbf \t\r\n")), b"").removeprefix(
                b"\xef\xbb\xbf"
            )
        if not first:
            raise InputError(f"{path} is empty; there is nothing to read")
        if b"\0" in first:
            raise InputError(f"{path} is binary, not JSON; give JSON Lines or one JSON document")
        if first.lstrip().startswith(b"[") or (path.suffix == ".json" and isinstance(_parse(first), Unread)):
            # A list of rows (ShareGPT dumps hold bare lists of messages), or a single row over many lines.
            data = read_json(path)
            self._list = data if isinstance(data, list) else [data]

    def __iter__(self) -> Iterator[Row]:
        if self._list is not None:
            for k, value in enumerate(self._list):
                yield Row(number=k + 1, offset=k, value=_object(value))
            return
        for line in lines(self.path):
            yield Row(number=line.number, offset=line.offset, value=_parse(line.data))

    def at(self, offset: int) -> dict[str, object] | Unread:
        """The row that was found at `offset`."""
        if self._list is not None:
            return _object(self._list[offset])
        with open_file(self.path) as file:
            return _parse(line_at(file, offset))


def row_id(row: dict[str, object], *names: str) -> str:
    """The id that a row states under one of `names`, else a hash of what it holds; never where it stands."""
    stated = next((row[n] for n in names if isinstance(row.get(n), str | int) and row[n] != ""), None)
    return safe_id(str(stated)) if stated is not None else f"h{sha256_text(canonical(row))[:12]}"


def safe_id(text: str) -> str:
    """`text` in the letters an id may have; what had to be changed is told apart by a hash."""
    if _ID.fullmatch(text):
        return text
    mark = sha256_text(text)[:8]
    return f"{re.sub(r'[^A-Za-z0-9._:-]+', '-', text).strip('-')[:180] or 'x'}-{mark}"


def _parse(data: bytes) -> dict[str, object] | Unread:
    try:
        return _object(json.loads(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")))
    except UnicodeDecodeError as e:
        return Unread(item="", field="", reason="not_utf8", detail=f"byte {e.start}")
    except (json.JSONDecodeError, RecursionError) as e:
        return Unread(item="", field="", reason="not_json", detail=str(e)[:200])


def _object(value: object) -> dict[str, object] | Unread:
    if isinstance(value, list):
        value = {"conversations": value}
    if not isinstance(value, dict):
        return Unread(item="", field="", reason="not_an_object", detail=type(value).__name__)
    return {str(k): v for k, v in value.items()}
