"""Register: what a pass over a file must remember of every item, on disk, so that memory does not grow with the file.

A small SQLite file beside the output, gone when the work ends. Owns no meaning: names, groups and places in files.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from her.errors import StoreError

_CACHE_KIB = 1024


class Register:
    """Ids that were seen, and items waiting in groups. A context: the file is removed at the end, come what may."""

    def __init__(self, beside: Path) -> None:
        """A register for the work that ends in the file `beside`."""
        self._beside = beside
        try:
            beside.parent.mkdir(parents=True, exist_ok=True)
            self._home = tempfile.TemporaryDirectory(dir=beside.parent, prefix=f".{beside.name}.")
        except OSError as e:
            raise StoreError(f"cannot write {beside}: {e.strerror or e}; choose another place or free space") from e
        self.db = sqlite3.connect(Path(self._home.name) / "register.sqlite", isolation_level=None)
        self.db.execute("PRAGMA journal_mode = OFF")
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self.db.execute("BEGIN")
        self.db.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self.db.execute("CREATE TABLE waiting (grp TEXT, place INTEGER, offset INTEGER, number INTEGER)")

    def __enter__(self) -> "Register":
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.db.close()
        self._home.cleanup()
        if isinstance(e, sqlite3.Error):
            raise StoreError(f"cannot write {self._beside}: {e}; free space, then run it again") from e

    def claim(self, ident: str) -> bool:
        """Is `ident` new? From now on it is not."""
        return self.db.execute("INSERT OR IGNORE INTO ids VALUES (?)", (ident,)).rowcount == 1

    def wait(self, group: str, *, place: int, offset: int, number: int) -> None:
        """Remember an item of a group: its place in the group, where it lies in its file, and its line."""
        self.db.execute("INSERT INTO waiting VALUES (?, ?, ?, ?)", (group, place, offset, number))

    def groups(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Every group with (offset, line) of its items by place; groups in the order of their first line."""
        found = self.db.execute(
            "SELECT w.grp, w.offset, w.number FROM waiting w "
            "JOIN (SELECT grp, MIN(number) AS first FROM waiting GROUP BY grp) f ON f.grp = w.grp "
            "ORDER BY f.first, w.place, w.number"
        )
        name, items = None, list[tuple[int, int]]()
        for group, offset, number in found:
            if group != name and name is not None:
                yield name, items
                items = []
            name = group
            items.append((offset, number))
        if name is not None:
            yield name, items


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove what a killed process left of the work on these files (as `glob` names them): their unfinished selves, and
    its register."""
    for name in names:
        for left in folder.glob(f".{name}.*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
