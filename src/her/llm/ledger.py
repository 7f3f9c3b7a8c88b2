"""The request ledger: a paid call is never paid twice, and a kill loses nothing that was acknowledged.

Owns one SQLite file (WAL, each reply flushed to disk before it is handed on), the key of a call, the calls that were
given up, and the counts. Holds JSON only: no pickles, no secrets (a request carries none, and an engine's fingerprint
is made without). Only whole replies are stored. Models are not deterministic; replies out of the ledger are.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from her.errors import DeadReason, StoreError
from her.llm.group_commit import GroupCommit
from her.llm.ledger_rows import (
    ADDED,
    ANSWERS,
    APPLICATION,
    VERSION,
    DeadLetter,
    Paid,
    Tally,
    key_of,
    ledger_key,
)
from her.llm.model import Usage
from her.llm.prices import cost_usd, price

__all__ = ["DeadLetter", "Ledger", "Paid", "Tally", "key_of", "ledger_key"]

_LETTER = ", ".join(DeadLetter.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """The calls of a stage to one model."""

    fingerprint: str
    calls: int
    usage: Usage
    seconds: float


class Ledger:
    """An open ledger. Safe to share between threads, and between processes on one machine. `before`: a ledger that
    nobody writes any more, which any number of machines may read; what it holds is held here, and not counted."""

    def __init__(self, path: Path, *, before: Path | None = None) -> None:
        self.path = path
        self._before = before is not None
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._counts: Counter[tuple[str, Literal["hits", "errors"]]] = Counter()
        self._group = GroupCommit(self._store)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise StoreError(f"cannot make {path.parent}: {e.strerror or e}; check rights and space") from e
        self._db = self._connect()
        try:
            with self._explained():
                self._prepare()
            # Readers have a connection of their own: in WAL they need not wait for a flush.
            self._view = self._connect()
            if before is not None:
                with self._explained():
                    self._view.execute("ATTACH ? AS before", (f"{before.resolve().as_uri()}?immutable=1",))
        except BaseException:
            self._db.close()
            raise

    def get(self, key: str) -> str | None:
        """The stored answer as JSON, or None."""
        row = self._one("SELECT answer FROM main.answer WHERE key = ?", key)
        if row is None and self._before:
            row = self._one("SELECT answer FROM before.answer WHERE key = ?", key)
        return None if row is None else str(row[0])

    def put(self, key: str, paid: Paid) -> str:
        """Store an answer and return what is stored now: the first to come stays, so that all agree on one."""
        return self._store([(key, paid)])[0]

    async def pay(self, key: str, paid: Paid) -> str:
        """The same, together with whatever else is being stored. Returns when it is on disk."""
        return await self._group.put((key, paid))

    def dead_letter(self, key: str) -> DeadLetter | None:
        """The call with this key, if it was given up."""
        row = self._one(f"SELECT {_LETTER} FROM main.dead_letter WHERE key = ?", key)
        if row is None and self._before:
            row = self._one(f"SELECT {_LETTER} FROM before.dead_letter WHERE key = ?", key)
        return None if row is None else self._letter(row)

    def bury(
        self, *, stage: str, fingerprint: str, request: str, reason: DeadReason, error: str, attempts: int
    ) -> None:
        """Record that a call (its request as canonical JSON) was given up. A call that has an answer is not dead."""
        key = key_of(stage=stage, fingerprint=fingerprint, request=request)
        row = (key, stage, fingerprint, request, reason, error, attempts, time.time())
        with self._writing, self._explained():
            self._db.execute(
                f"INSERT OR REPLACE INTO dead_letter ({_LETTER}) SELECT ?, ?, ?, ?, ?, ?, ?, ? "
                "WHERE NOT EXISTS (SELECT 1 FROM answer WHERE key = ?)",
                (*row, key),
            )

    def dead_letters(self, stage: str | None = None) -> tuple[DeadLetter, ...]:
        """Every call of a stage, or of all, that was given up, in the order of their keys."""
        rows = self._all(f"SELECT {_LETTER} FROM dead_letter WHERE ?1 IS NULL OR stage = ?1 ORDER BY key", stage)
        return tuple(self._letter(row) for row in rows)

    def dead_keys(self, stage: str) -> set[str]:
        """The keys of a stage's dead letters."""
        tables = ("main.dead_letter", "before.dead_letter")[: 1 + self._before]
        return {str(row[0]) for t in tables for row in self._all(f"SELECT key FROM {t} WHERE stage = ?", stage)}

    def count(self, stage: str, what: Literal["hits", "errors"], *, n: int = 1) -> None:
        """Count answers that came from the ledger, or calls that failed."""
        with self._reading:
            self._counts[stage, what] += n

    def tally(self, stage: str) -> Tally:
        """What a stage has cost so far."""
        costs = self._costs(stage)
        dead = self._one("SELECT COUNT(*) FROM dead_letter WHERE stage = ?", stage)
        with self._reading:
            hits, errors = self._counts[stage, "hits"], self._counts[stage, "errors"]
        return Tally(
            calls=sum(c.calls for c in costs),
            hits=hits,
            errors=errors,
            dead=0 if dead is None else int(dead[0]),
            prompt_tokens=sum(c.usage.prompt_tokens for c in costs),
            completion_tokens=sum(c.usage.completion_tokens for c in costs),
            seconds=round(sum(c.seconds for c in costs), 3),
            cost_usd=_total(costs),
        )

    def cost_usd(self) -> float | None:
        """What all stages have cost; None where the price of a model is not known."""
        return _total(self._costs(None))

    def stages(self) -> tuple[str, ...]:
        """Every stage that has paid for something."""
        return tuple(str(r[0]) for r in self._all("SELECT DISTINCT stage FROM answer ORDER BY stage"))

    def close(self) -> None:
        """Store what still waits and close the file."""
        self._group.close()
        with self._reading, self._writing, self._explained():
            self._view.close()
            self._db.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with self._reading, self._explained():
            row: tuple[Any, ...] | None = self._view.execute(query, values).fetchone()
            return row

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._reading, self._explained():
            return self._view.execute(query, values).fetchall()

    def _store(self, rows: Sequence[tuple[str, Paid]]) -> list[str]:
        """Store answers in one commit, in one statement: between statements another thread takes the interpreter."""
        values: list[object] = []
        written = time.time()
        for key, paid in rows:
            values += (key, paid.stage, paid.fingerprint, paid.request, paid.answer, paid.prompt_tokens)
            values += (paid.completion_tokens, paid.seconds, written)
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        with self._writing, self._explained():
            added = self._db.execute(f"INSERT OR IGNORE INTO answer VALUES {places}", values).rowcount
        if added == len(rows):
            return [paid.answer for _, paid in rows]
        return [stored if (stored := self.get(key)) is not None else paid.answer for key, paid in rows]

    def _costs(self, stage: str | None) -> list[_Cost]:
        sums = "fingerprint, COUNT(*), SUM(prompt_tokens), SUM(completion_tokens), SUM(seconds)"
        where = "" if stage is None else "WHERE stage = ?"
        rows = self._all(
            f"SELECT {sums} FROM answer {where} GROUP BY fingerprint", *(() if stage is None else (stage,))
        )
        return [
            _Cost(
                fingerprint=fingerprint,
                calls=calls,
                usage=Usage(prompt_tokens=prompt, completion_tokens=completion),
                seconds=seconds,
            )
            for fingerprint, calls, prompt, completion, seconds in rows
        ]

    def _letter(self, row: tuple[Any, ...]) -> DeadLetter:
        try:
            return DeadLetter.model_validate(dict(zip(DeadLetter.model_fields, row, strict=True)))
        except ValidationError as e:
            raise StoreError(f"{self.path} holds a damaged dead letter; move the file away and run again") from e

    def _connect(self) -> sqlite3.Connection:
        with self._explained():
            where = self.path.resolve().as_uri()
            return sqlite3.connect(where, timeout=30, isolation_level=None, check_same_thread=False, uri=True)

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN IMMEDIATE")  # two processes may open a new ledger at the same moment
        try:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            application = self._db.execute("PRAGMA application_id").fetchone()[0]
            tables = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
            if version == 0 and tables == 0:
                self._db.execute(ANSWERS)
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {VERSION}")
            elif (version, application) != (VERSION, APPLICATION):
                raise StoreError(
                    f"{self.path} is a ledger of another version ({version}; this is {VERSION}) or no ledger at all; "
                    "use the version that made it, or move the file away and pay again"
                )
            for statement in ADDED:
                self._db.execute(statement)
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


def _total(costs: Sequence[_Cost]) -> float | None:
    """USD of all together; None where one price is not known."""
    total = 0.0
    for cost in costs:
        known = price(cost.fingerprint)
        if known is None:
            return None
        total += cost_usd(known, cost.usage)
    return total
