"""A shelf: many books in one JSON Lines file, read one at a time.

A line is `{"text", "id"?, "title"?, "licence"?}`. Owns what is wrong with a line: it costs that line alone, and the
reject names the line and the field; and which lines are a shard's own. Never holds more than one book.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError
from her.schema import Book
from her.synthesis.result import Reject
from her.synthesis.sources.book import MOST_BYTES, book_of, must_speak, slug
from her.synthesis.sources.shard import Shard

_FIELDS = ("id", "title", "text", "licence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a shelf, and what stands there."""

    number: int
    """From 1."""
    found: Book | Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The file of many books, or one shard of it."""

    path: Path
    shard: Shard | None = None

    def books(self) -> Iterator[Book | Reject]:
        """Each line as a book, or as the reason why it is none, in order. Lines without a character are nothing."""
        return (place.found for place in self.places())

    def places(self) -> Iterator[Place]:
        """The same, with the line. What is another shard's is passed over before it is made a book."""
        taken: set[str] = set()
        for number, line in _lines(self.path):
            if line is not None and not line.strip():
                continue
            # A line that names no book is dealt by its place.
            item = owner = f"{self.path.name}:{number}"
            found: Book | Reject | None = None
            try:
                if line is None:
                    raise _BadLine("line", f"over {MOST_BYTES >> 20} MiB", "too_long")
                fields = _fields(line)
                owner = self._name(fields, number)
                if self._ours(owner):
                    found = self._book(fields, owner, number, taken)
                    taken.add(found.id)
            except _BadLine as e:
                found = Reject(stage="source", item_id=item, reason=e.reason, detail=f"{e.field}: {e.what}"[:200])
            if found is not None and self._ours(owner):
                yield Place(number=number, found=found)

    def _ours(self, name: str) -> bool:
        return self.shard is None or self.shard.takes(name)

    def _name(self, fields: dict[str, str], number: int) -> str:
        """What the book would be called if nobody else were."""
        own = slug(fields.get("id", "") or fields.get("title") or "")
        return own or f"{slug(self.path.stem) or 'book'}-{number:05d}"

    def _book(self, fields: dict[str, str], name: str, number: int, taken: set[str]) -> Book:
        text, title = fields["text"], fields.get("title")
        if name in taken:
            if "id" in fields:
                raise _BadLine("id", f"{fields['id']!r} is a second book's", "duplicate_id")
            name = f"{name[:54].rstrip('-')}-{number:05d}"
        book = book_of(text, stem=name, title=title)
        try:
            must_speak(book, where="this line")
        except InputError as e:
            raise _BadLine("text", str(e), "no_dialogue") from e
        return book.model_copy(update={"id": name, "licence": fields.get("licence")})


class _BadLine(Exception):
    """What is wrong with one line."""

    def __init__(self, field: str, what: str, reason: str = "bad_line") -> None:
        super().__init__(what)
        self.field, self.what, self.reason = field, what, reason


def _fields(line: bytes) -> dict[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as e:
        raise _BadLine("line", f"not JSON: {e}") from e
    if not isinstance(value, dict):
        raise _BadLine("line", "not an object")
    if strange := sorted(set(value) - set(_FIELDS)):
        raise _BadLine(strange[0], f"no such field; a line has {', '.join(_FIELDS)}")
    fields = {}
    for name in _FIELDS:
        found = value.get(name)
        if found is None:
            continue
        if not isinstance(found, str):
            raise _BadLine(name, "not a text")
        if any("\ud800" <= c <= "\udfff" for c in found):
            raise _BadLine(name, "lone surrogates")
        if found.strip():
            fields[name] = found if name == "text" else " ".join(found.split())
    if "text" not in fields:
        raise _BadLine("text", "missing or empty")
    if "\0" in fields["text"]:
        raise _BadLine("text", "binary, not text")
    fields["text"] = fields["text"].replace("\r\n", "\n").replace("\r", "\n")
    return fields


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines as bytes; None for one that is too long to be a book."""
    number = 0
    with path.open("rb") as file:
        while line := file.readline(MOST_BYTES + 1):
            number += 1
            if len(line) <= MOST_BYTES:
                yield number, line
                continue
            while line and not line.endswith(b"\n"):
                line = file.readline(MOST_BYTES)
            yield number, None
