"""The request ledger: a paid call is never paid twice, and a kill loses nothing that was acknowledged.

Owns one SQLite file (WAL, each reply committed with a flush to disk before it is handed on), the key of a call, and the
counts. Holds JSON only: no pickles, no secrets (a request carries none, and an engine's fingerprint is made without).
Only whole replies are stored. Models are not deterministic; replies out of the ledger are.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from her.errors import StoreError
from her.schema import Record
from her.store import canonical, sha256_text

VERSION = 1
_APPLICATION = 0x48455231
_SCHEMA = """
CREATE TABLE answer (
    key TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request TEXT NOT NULL,
    answer TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    written REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX answer_stage ON answer (stage);
"""


class Tally(Record):
    """What a stage has cost. Calls, tokens and seconds are all that the ledger holds for the stage, so a resumed run
    counts what its killed forerunner paid; hits and errors are those of this process."""

    calls: int
    hits: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float


class Paid(Record):
    """One answer to be stored, with what it cost."""

    stage: str
    fingerprint: str
    request: str
    """The request as canonical JSON."""
    answer: str
    """The reply or score as JSON."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


def ledger_key(*, stage: str, fingerprint: str, request: Record) -> str:
    """The name of a call: equal calls of one stage to one model have the same."""
    content = request.model_dump(mode="json")
    return sha256_text(canonical({"v": VERSION, "stage": stage, "fingerprint": fingerprint, "request": content}))


class Ledger:
    """An open ledger. Safe to share between threads, and between processes on one machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, Literal["hits", "errors"]]] = Counter()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise StoreError(f"cannot make {path.parent}: {e.strerror or e}; check rights and space") from e
        with self._explained():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def get(self, key: str) -> str | None:
        """The stored answer as JSON, or None."""
        with self._lock, self._explained():
            row = self._db.execute("SELECT answer FROM answer WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, paid: Paid) -> str:
        """Store an answer and return what is stored now: the first to come stays, so that all agree on one."""
        row = (key, paid.stage, paid.fingerprint, paid.request, paid.answer, paid.prompt_tokens)
        with self._lock, self._explained():
            self._db.execute(
                "INSERT OR IGNORE INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, paid.completion_tokens, paid.seconds, time.time()),
            )
            stored = self._db.execute("SELECT answer FROM answer WHERE key = ?", (key,)).fetchone()
        return str(stored[0])

    def count(self, stage: str, what: Literal["hits", "errors"], *, n: int = 1) -> None:
        """Count answers that came from the ledger, or calls that failed."""
        with self._lock:
            self._counts[stage, what] += n

    def tally(self, stage: str) -> Tally:
        """What a stage has cost so far."""
        sums = "COUNT(*), TOTAL(prompt_tokens), TOTAL(completion_tokens), TOTAL(seconds)"
        with self._lock, self._explained():
            row = self._db.execute(f"SELECT {sums} FROM answer WHERE stage = ?", (stage,)).fetchone()
            hits, errors = self._counts[stage, "hits"], self._counts[stage, "errors"]
        return Tally(
            calls=row[0],
            hits=hits,
            errors=errors,
            prompt_tokens=int(row[1]),
            completion_tokens=int(row[2]),
            seconds=round(row[3], 3),
        )

    def stages(self) -> tuple[str, ...]:
        """Every stage that has paid for something."""
        with self._lock, self._explained():
            rows = self._db.execute("SELECT DISTINCT stage FROM answer ORDER BY stage").fetchall()
        return tuple(str(r[0]) for r in rows)

    def close(self) -> None:
        """Close the file. Everything is already on disk."""
        with self._lock, self._explained():
            self._db.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN IMMEDIATE")  # two processes may open a new ledger at the same moment
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            application = self._db.execute("PRAGMA application_id").fetchone()[0]
            tables = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
            if version == 0 and tables == 0:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")
            elif (version, application) != (VERSION, _APPLICATION):
                raise StoreError(
                    f"{self.path} is a ledger of another version ({version}; this is {VERSION}) or no ledger at all; "
                    "use the version that made it, or move the file away and pay again"
                )
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise StoreError(
                f"the ledger {self.path} failed: {e}; free disk space, check rights and that no other program holds "
                "it, then run the same again: what was stored is kept"
            ) from e
