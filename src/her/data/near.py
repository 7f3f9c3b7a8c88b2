"""Near-duplicate texts: MinHash proposes, exact counting decides.

A text is the set of its 5-word shingles. Common deduplication takes 112 permutations in 14 bands of 8 rows, made to
find pairs about three quarters alike; half alike it misses nineteen times in twenty. A miss here is a leak and a false
candidate costs one comparison, so the bands are of two rows: `missed(0.5)` is 1e-16, `missed(0.2)` half a percent.
Which candidates are near is then counted exactly, so no hash decides what is kept out. The index lies on disk.
"""

import re
import sqlite3
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from her.errors import ConfigError
from her.schema import Dialogue, Record

SHINGLE = 5
"""Words of a shingle."""
ROWS, BANDS = 2, 128
JACCARD = 0.5
"""Shared shingles among all of two texts, from which on they are near."""
CONTAINED = 0.6
"""Shared shingles among those of the shorter text, from which on it is a piece of the longer one..."""
PIECE = 25
"""... where they share at least so many: a short text of stock phrases is nobody's piece."""
_WORD = re.compile(r"[぀-ヿ㐀-鿿豈-﫿가-힯]|[^\W_぀-ヿ㐀-鿿豈-﫿가-힯]+")
"""A letter of a script without spaces is a word."""
_SEED = 20260121


class Likeness(Record):
    """How much of two texts is the same, counted in shingles."""

    jaccard: float
    """Of all shingles of both."""
    contained: float
    """Of the shingles of the shorter one."""
    shared: int

    def near(self) -> bool:
        return self.jaccard >= JACCARD or (self.contained >= CONTAINED and self.shared >= PIECE)


class Near(Record):
    """A known text that is near."""

    name: str
    likeness: Likeness


def missed(jaccard: float) -> float:
    """The chance that a pair this alike is never compared."""
    return float((1 - jaccard**ROWS) ** BANDS)


def shingles(dialogue: Dialogue) -> list[str]:
    """The scenario's and the dialogue's shingles. Of the dialogue, what is said: thoughts and actions are what teachers
    rewrite, and a scene is the same scene under new ones. Where nothing is said, what is done."""
    said = " ".join(t.speech() for t in dialogue.turns)
    done = " ".join(p.text for t in dialogue.turns for p in t.parts if p.kind == "action")
    return [s for text in (dialogue.scene.scenario, said if said.strip() else done) for s in _of(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A text as this file compares it."""

    hashes: tuple[int, ...]
    """Its shingles in 64 bits each, sorted, each once."""
    keys: tuple[int, ...]
    """One a band: the band's number and rows in 63 bits, which is what SQLite holds exactly."""


def sketch_of(dialogue: Dialogue) -> Sketch:
    """The sketch of a dialogue."""
    found = shingles(dialogue)
    if not found:
        return Sketch(hashes=(), keys=())
    kind = _minhash()
    minima = kind(ROWS * BANDS, _SEED)
    minima.update(found)
    rows = minima.digest()
    keys = {hash((band, *rows[band * ROWS : (band + 1) * ROWS])) & (2**63 - 1) for band in range(BANDS)}
    return Sketch(hashes=tuple(sorted(set(kind.hash_token_sets([found])[0]))), keys=tuple(sorted(keys)))


def likeness(a: Sequence[int], b: Sequence[int]) -> Likeness:
    """Exact, of two sets of shingle hashes."""
    one, two = set(a), set(b)
    shared = len(one & two)
    total, least = len(one | two), min(len(one), len(two))
    return Likeness(jaccard=shared / total if total else 0.0, contained=shared / least if least else 0.0, shared=shared)


class NearTexts:
    """An index of texts that asks of a new one: is it near one of these? Two tables in a register's database."""

    def __init__(self, db: sqlite3.Connection, table: str) -> None:
        self._db, self._table = db, table
        self.count = 0
        db.execute(f"CREATE TABLE {table}_band (key INTEGER, text INTEGER, PRIMARY KEY (key, text)) WITHOUT ROWID")
        db.execute(f"CREATE TABLE {table}_text (text INTEGER PRIMARY KEY, name TEXT, hashes BLOB)")

    def add(self, name: str, sketch: Sketch) -> None:
        """Know a text from now on. One without words is not known: nothing is near it."""
        if not sketch.hashes:
            return
        row = (self.count, name, array("Q", sketch.hashes).tobytes())
        self._db.execute(f"INSERT INTO {self._table}_text VALUES (?, ?, ?)", row)
        keys = [(key, self.count) for key in sketch.keys]
        self._db.executemany(f"INSERT INTO {self._table}_band VALUES (?, ?)", keys)
        self.count += 1

    def find(self, sketch: Sketch) -> Near | None:
        """The nearest known text, by Jaccard and then by name; None where none is near."""
        if not self.count or not sketch.hashes:
            return None
        candidates = self._db.execute(
            f"SELECT t.name, t.hashes FROM {self._table}_text t WHERE t.text IN "
            f"(SELECT DISTINCT text FROM {self._table}_band WHERE key IN ({','.join('?' * len(sketch.keys))}))",
            sketch.keys,
        )
        found = [Near(name=name, likeness=likeness(sketch.hashes, _unpacked(blob))) for name, blob in candidates]
        near = [n for n in found if n.likeness.near()]
        return min(near, key=lambda n: (-n.likeness.jaccard, n.name), default=None)


def _of(text: str) -> list[str]:
    words = _WORD.findall(text.casefold())
    if len(words) < SHINGLE:
        return [" ".join(words)] if words else []
    return [" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)]


def _unpacked(blob: bytes) -> Sequence[int]:
    found = array("Q")
    found.frombytes(blob)
    return found


def _minhash() -> Any:
    try:
        from rensa import RMinHash  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as e:
        raise ConfigError("near-duplicates need the package rensa; pip install 'her[data]'") from e
    return RMinHash
