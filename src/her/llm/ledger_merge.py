"""Ledgers of several machines put into one.

Owns what becomes of a call that two of them hold. A key is the hash of the whole call, so equal keys are equal calls:
the same reply is kept once, and of two different ones the first to come stays, as in one ledger that two processes
share; that is counted. A call that was given up in one and answered in another is answered. Holds no rows in memory.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from her.errors import StoreError
from her.llm.ledger import Ledger
from her.llm.ledger_rows import DeadLetter, Paid
from her.schema import Record

_ANSWER = ", ".join(("key", *Paid.model_fields, "written"))
_LETTER = ", ".join(DeadLetter.model_fields)
_BOTH = """SELECT COUNT(*), COUNT(nullif(theirs.answer = ours.answer, 1))
    FROM other.answer AS theirs JOIN main.answer AS ours USING (key)"""


class MergedLedger(Record):
    """What came of a merge, over all the sources."""

    answers: int
    """Added."""
    same: int
    """There already, with the same reply."""
    conflicts: int
    """There already, with another reply, which stays."""
    dead: int
    """Dead letters of the result."""


def merge_ledgers(into: Path, sources: Sequence[Path]) -> MergedLedger:
    """Add all that the sources hold, in their order; each is added whole or not at all, and adding one again changes
    nothing. Raises StoreError for a source that is missing or of another version."""
    for source in sources:
        if not source.is_file():
            raise StoreError(f"no ledger at {source}; name the folders of the runs that wrote one")
    for path in (into, *sources):
        Ledger(path).close()  # refuses what is no ledger of this version, and brings an older one up to it
    answers = same = conflicts = 0
    at = into
    try:
        with closing(sqlite3.connect(into, timeout=30, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = FULL")
            for at in sources:
                added, both, differ = _add(db, at)
                answers, same, conflicts = answers + added, same + both - differ, conflicts + differ
            at = into
            dead = int(db.execute("SELECT COUNT(*) FROM dead_letter").fetchone()[0])
    except sqlite3.Error as e:
        raise StoreError(
            f"adding to the ledger {into} failed at {at}: {e}; free disk space, check that no other program holds "
            "them, and run the same again"
        ) from e
    return MergedLedger(answers=answers, same=same, conflicts=conflicts, dead=dead)


def snapshot(source: Path, to: Path) -> None:
    """Write all that a ledger holds into a new file, which is only read from then on (`Ledger(..., before=to)`)."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)
    Ledger(source).close()
    try:
        with closing(sqlite3.connect(source, timeout=30, isolation_level=None)) as db:
            db.execute("VACUUM INTO ?", (str(to),))
    except sqlite3.Error as e:
        raise StoreError(f"cannot copy {source} to {to}: {e}; free disk space and run the same again") from e


def _add(db: sqlite3.Connection, source: Path) -> tuple[int, int, int]:
    """Answers that were added, that were there, and that were there and differ."""
    db.execute("ATTACH ? AS other", (str(source),))
    db.execute("BEGIN IMMEDIATE")
    both, differ = db.execute(_BOTH).fetchone()
    added = db.execute(f"INSERT OR IGNORE INTO main.answer ({_ANSWER}) SELECT {_ANSWER} FROM other.answer").rowcount
    db.execute(
        f"INSERT OR IGNORE INTO main.dead_letter ({_LETTER}) SELECT {_LETTER} FROM other.dead_letter "
        "WHERE key NOT IN (SELECT key FROM main.answer)"
    )
    db.execute("COMMIT")
    db.execute("DETACH other")
    return added, both, differ
