"""Shelves: the second pass of a build puts every dialogue's samples and prompts into the files of its purpose.

Owns what a purpose gets (samples, places to speak, or both) and the counts. Who gets what, the survey has decided.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from her.data.account import (
    ACCOUNTS,
    CONTAMINATION,
    DIALOGUES,
    HELD_OUT,
    PROMPTS,
    REJECTS,
    SAMPLES,
    USES,
    Assigned,
    BuildConfig,
    Dealt,
    Exposed,
    FileCount,
    Rejected,
)
from her.data.gains import GainGate
from her.data.hold_out import HeldOut, Why
from her.data.near import NearTexts, sketch_of
from her.data.purposes import PURPOSES, SPLITS, Purpose
from her.data.register import Register
from her.data.samples import Left, Place, places, prompt, sample
from her.data.survey import Seen, Survey
from her.data.titles import fold
from her.renderers import Tokenizer
from her.schema import Provenance, RLPrompt, SFTSample
from her.stage import Progress
from her.store import Growing, Together, sha256_text


class Shelf:
    """One file of samples or prompts, and what is in it."""

    def __init__(self, purpose: Purpose, file: Growing) -> None:
        self._purpose, self._file = purpose, file
        self._left: Counter[str] = Counter()
        self._provenance: Counter[Provenance] = Counter()
        self._flags: Counter[str] = Counter()

    def put(self, found: SFTSample | RLPrompt | Left) -> Rejected | None:
        """Write a record; what is left out comes back as a reject."""
        if isinstance(found, Left):
            self._left[found.reason] += 1
            return Rejected(file=self._file.path.name, id=found.id, reason=found.reason, detail=found.detail)
        self._file.write(found)
        self._provenance[found.provenance] += 1
        if isinstance(found, SFTSample):
            self._flags.update(found.flags)
        return None

    def count(self) -> FileCount:
        return FileCount(
            purpose=self._purpose,
            targets=self._file.count + self._left.total(),
            kept=self._file.count,
            left=dict(sorted(self._left.items())),
            provenance=dict(sorted(self._provenance.items())),
            flags=dict(sorted(self._flags.items())),
            sha256=self._file.digest.hexdigest(),
        )


class Shelves:
    """The files of every purpose that has a share."""

    def __init__(
        self, survey: Survey, register: Register, *, config: BuildConfig, tokenizer: Tokenizer | None, out: Path,
        files: Together,
    ) -> None:  # fmt: skip
        self._survey, self._db, self._config, self._tokenizer = survey, register.db, config, tokenizer
        self._gate = GainGate(rule=config.gain, bar=None)
        self.accounts = {name: files.open(out / name) for name in ACCOUNTS}
        self._shelves = {
            name: Shelf(purpose, files.open(out / name))
            for names in (SAMPLES, PROMPTS)
            for purpose, name in names.items()
            if config.shares.of(purpose) > 0
        }
        self._targets: Counter[Purpose] = Counter()
        self._dialogues: Counter[Purpose] = Counter()
        self.held: Counter[str] = Counter()
        self._own: dict[Purpose, NearTexts] = {}
        self._db.execute("CREATE TABLE kept (title TEXT, book TEXT, conversation TEXT, purpose TEXT)")

    def hold(self, found: HeldOut) -> None:
        """Write down a conversation that is kept out."""
        self.held[found.reason] += 1
        self.accounts[HELD_OUT].write(found)

    def reject(self, found: Rejected) -> None:
        self.accounts[REJECTS].write(found)

    def fill(self, progress: Progress | None) -> None:
        """Every dialogue of the inputs, in their order, to where it belongs."""
        self._gate = self._survey.gate()
        exam: tuple[Purpose, ...] = ("test", "valid")
        for purpose in exam:
            if self._config.shares.of(purpose) > 0:
                index = self._own[purpose] = NearTexts(self._db, f"own_{purpose}")
                for seen in self._survey.again(purpose):
                    index.add(seen.dialogue.id, sketch_of(seen.dialogue))
        for done, seen in enumerate(self._survey.again(), start=1):
            if progress is not None:
                progress(done, self._survey.count, f"built {seen.dialogue.id}")
            use = self._survey.purpose(seen)
            if use is None:
                continue
            leak = self._leak(seen, use)
            if leak is not None:
                self.hold(leak)
                continue
            self._one(seen, use)
        for exposed in self._exposed():
            self.accounts[CONTAMINATION].write(exposed)

    def counts(self) -> dict[str, FileCount]:
        return {name: shelf.count() for name, shelf in self._shelves.items()}

    def dealt(self) -> dict[Purpose, Dealt]:
        total = self._targets.total()
        count = "SELECT COUNT(DISTINCT book), COUNT(DISTINCT conversation) FROM kept WHERE purpose = ?"
        found: dict[Purpose, Dealt] = {}
        for purpose in PURPOSES:
            books, conversations = self._db.execute(count, (purpose,)).fetchone()
            found[purpose] = Dealt(
                asked=self._config.shares.of(purpose),
                achieved=self._targets[purpose] / total if total else 0.0,
                books=books,
                conversations=conversations,
                dialogues=self._dialogues[purpose],
                targets=self._targets[purpose],
            )
        return found

    def _leak(self, seen: Seen, use: Purpose) -> HeldOut | None:
        """Is the conversation near one that this build keeps for an exam, under whatever title?"""
        reasons: dict[Purpose, Why] = {"test": "near_own_test", "valid": "near_own_valid"}
        asked = {exam: index for exam, index in self._own.items() if use not in ("test", exam)}
        sketch = sketch_of(seen.dialogue) if asked else None
        for exam, index in asked.items():
            if sketch is not None and (near := index.find(sketch)) is not None:
                return HeldOut(
                    dialogue_id=seen.dialogue.id,
                    book=seen.title,
                    reason=reasons[exam],
                    against=near.name,
                    likeness=near.likeness,
                )
        return None

    def _one(self, seen: Seen, use: Purpose) -> None:
        dialogue = seen.dialogue
        self._dialogues[use] += 1
        self.accounts[DIALOGUES].write(dialogue)
        group = self._survey.group(seen)
        self.accounts[USES].write(Assigned(dialogue_id=dialogue.id, book=seen.title, group=group, purpose=use))
        book = None if seen.title is None else fold(seen.title).main
        row = (seen.title, book, f"{dialogue.scene.book_id}:{dialogue.scene.id}", use)
        self._db.execute("INSERT INTO kept VALUES (?, ?, ?, ?)", row)
        split, rule = SPLITS[use], self._config.rule
        for place in places(dialogue):
            self._targets[use] += 1
            if use in SAMPLES:
                low = self._too_little_gain(place) if use == "sft" else None
                self._put(SAMPLES[use], low or sample(place, rule, split=split, tokenizer=self._tokenizer))
            if use in PROMPTS:
                self._put(PROMPTS[use], prompt(place, rule, split=split, tokenizer=self._tokenizer))

    def _too_little_gain(self, place: Place) -> Left | None:
        why = self._gate.refusal(place.id, self._config.gain.gain(place.turn))
        return None if why is None else Left(id=place.id, reason=why)

    def _put(self, name: str, found: SFTSample | RLPrompt | Left) -> None:
        if (reject := self._shelves[name].put(found)) is not None:
            self.reject(reject)

    def _exposed(self) -> Iterator[Exposed]:
        """Every book, with how many of its dialogues serve what."""
        found = self._db.execute(
            "SELECT title, purpose, COUNT(*) FROM kept WHERE title IS NOT NULL "
            "GROUP BY title, purpose ORDER BY title, purpose"
        )
        for title, uses in groupby(found, key=lambda row: str(row[0])):
            yield Exposed(
                title=title, title_sha256=sha256_text(fold(title).main), dialogues={use: n for _, use, n in uses}
            )
