"""Survey: the first pass of a build, which learns what no single dialogue can tell.

Which ids came twice, what is held out, how many books there are and so by what the purposes are dealt, and where the
bar for gains lies. All of it is on disk, in a register; what is asked of it afterwards is asked dialogue by dialogue.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from her.data.account import Source
from her.data.beside import imported_beside, titles_beside
from her.data.gains import GainGate, GainRule
from her.data.hold_out import HeldOut, HoldOut
from her.data.purposes import Group, Purpose, Shares, deals, group_of, purpose_of
from her.data.register import Register
from her.data.samples import places
from her.errors import InputError
from her.schema import Dialogue, Provenance
from her.stage import Progress
from her.store import Line, lines, record_of, sha256_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A dialogue of an input, with where it stands."""

    seq: int
    line: Line
    dialogue: Dialogue
    title: str | None


class Survey:
    """See every dialogue once, then ask."""

    def __init__(self, register: Register, hold_out: HoldOut, *, seed: int, gain: GainRule) -> None:
        self._register, self._hold_out, self._seed, self._gain = register, hold_out, seed, gain
        self._files: list[Path] = []
        self._titles: list[dict[str, str]] = []
        self.sources: list[Source] = []
        self.count = 0
        """Dialogues seen."""
        self.by: Group = "conversation"
        self._shares = Shares()
        db = register.db
        db.execute("CREATE TABLE skip (seq INTEGER PRIMARY KEY)")
        db.execute("CREATE TABLE place (seq INTEGER PRIMARY KEY, file INTEGER, offset INTEGER)")
        for group in ("book", "chapter", "conversation"):
            db.execute(f"ALTER TABLE place ADD COLUMN {group} TEXT")
        db.execute("CREATE TABLE gain (seq INTEGER, value REAL, tie BLOB, scorer TEXT)")

    def read(self, path: Path, progress: Progress | None = None) -> Iterator[HeldOut | Dialogue]:
        """See a file: yields what is held out of it, and every duplicate."""
        number = len(self._files)
        self._files.append(path)
        self._titles.append(titles_beside(path))
        provenance: Counter[Provenance] = Counter()
        for seen in self._each(number):
            dialogue, db = seen.dialogue, self._register.db
            provenance[dialogue.provenance] += 1
            self.count += 1
            if progress is not None:
                progress(self.count, 0, f"surveyed {dialogue.id}")
            held = None if self._register.claim(dialogue.id) else dialogue
            found = held or self._hold_out.find(dialogue, seen.title)
            if found is not None:
                db.execute("INSERT INTO skip VALUES (?)", (seen.seq,))
                yield found
                continue
            groups = [group_of(dialogue, seen.title, by) for by in ("book", "chapter", "conversation")]
            db.execute("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?)", (seen.seq, number, seen.line.offset, *groups))
            for place in places(dialogue):
                if (gain := self._gain.gain(place.turn)) is not None:
                    value, tie = self._gain.rank(place.id, gain)
                    row = (seen.seq, value, tie.to_bytes(8), gain.scorer)
                    db.execute("INSERT INTO gain VALUES (?, ?, ?, ?)", row)
        beside = imported_beside(path)
        self.sources.append(
            Source(
                file=path.name,
                sha256=sha256_file(path),
                origin=beside.get("source"),
                licence=beside.get("licence"),
                dialogues=provenance.total(),
                provenance=dict(sorted(provenance.items())),
            )
        )

    def deal(self, shares: Shares, by: Group | None) -> None:
        """Decide by what purposes are dealt; None leaves it to the number of books."""
        self._shares = shares
        self.by = deals(shares, self.books()) if by is None else by

    def books(self) -> int:
        """Books of which a title is known, editions of one counted once."""
        count = "SELECT COUNT(DISTINCT book) FROM place WHERE book LIKE 'book:%'"
        return int(self._register.db.execute(count).fetchone()[0])

    def purpose(self, seen: Seen) -> Purpose | None:
        """What a dialogue is for; None where it is skipped."""
        if self._register.db.execute("SELECT 1 FROM skip WHERE seq = ?", (seen.seq,)).fetchone():
            return None
        return purpose_of(group_of(seen.dialogue, seen.title, self.by), seed=self._seed, shares=self._shares)

    def group(self, seen: Seen) -> str:
        return group_of(seen.dialogue, seen.title, self.by)

    def again(self, *purposes: Purpose) -> Iterator[Seen]:
        """The dialogues of these purposes, or with none named every dialogue, in the inputs' order."""
        if not purposes:
            for number in range(len(self._files)):
                yield from self._each(number)
            return
        found = self._register.db.execute(f"SELECT seq, file, offset, {self.by} FROM place ORDER BY seq")
        for seq, number, offset, group in found:
            if purpose_of(group, seed=self._seed, shares=self._shares) in purposes:
                yield self._at(seq, number, offset)

    def gate(self) -> GainGate:
        """The bar among the training samples that have a gain (HER's exam is not chosen by gain)."""
        if self._gain.least is None and self._gain.top is None:
            return GainGate(rule=self._gain, bar=None)
        db = self._register.db
        db.create_function(
            "trains",
            1,
            lambda group: purpose_of(group, seed=self._seed, shares=self._shares) == "sft",
            deterministic=True,
        )
        joined = f"FROM gain JOIN place ON place.seq = gain.seq WHERE trains(place.{self.by})"
        scorers = [s for (s,) in db.execute(f"SELECT DISTINCT scorer {joined} ORDER BY scorer")]
        if len(scorers) > 1:
            raise InputError(
                f"gains of {len(scorers)} scorers ({', '.join(scorers)}) cannot be compared; use one scorer"
            )
        count = int(db.execute(f"SELECT COUNT(*) {joined}").fetchone()[0])
        if self._gain.top is None or not count:
            return GainGate(rule=self._gain, bar=None)
        last = max(0, math.ceil(self._gain.top * count - 1e-9) - 1)
        ranked = f"SELECT gain.value, gain.tie {joined} ORDER BY gain.value DESC, gain.tie DESC LIMIT 1 OFFSET ?"
        value, tie = db.execute(ranked, (last,)).fetchone()
        return GainGate(rule=self._gain, bar=(value, int.from_bytes(tie)))

    def _each(self, number: int) -> Iterator[Seen]:
        path, titles = self._files[number], self._titles[number]
        for line in lines(path):
            dialogue = record_of(line, Dialogue, path)
            # Unique over all files, in their order.
            seq = (number << 40) | line.number
            yield Seen(seq=seq, line=line, dialogue=dialogue, title=_title(dialogue, titles))

    def _at(self, seq: int, number: int, offset: int) -> Seen:
        path = self._files[number]
        with path.open("rb") as file:
            file.seek(offset)
            line = Line(number=seq & ((1 << 40) - 1), offset=offset, data=file.readline())
        dialogue = record_of(line, Dialogue, path)
        return Seen(seq=seq, line=line, dialogue=dialogue, title=_title(dialogue, self._titles[number]))


def _title(dialogue: Dialogue, titles: dict[str, str]) -> str | None:
    book = dialogue.scene.book_id
    return None if book is None else titles.get(book, book)
