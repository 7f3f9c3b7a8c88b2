"""What a check of many dialogues found, in counts: nothing here quotes a text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from her.schema import ENVIRONMENT, Dialogue, Record
from her.stats import Estimate, share
from her.synthesis.checks.checker import KINDS, Finding
from her.synthesis.checks.second_reader import SecondReading


class KindCount(Record):
    """One kind."""

    kind: str
    findings: int
    turns: Estimate
    """Share of the turns of characters that have one; findings on cards are not among them."""
    dialogues: int
    """Dialogues that have one, on the card or in a turn."""


class CheckReport(Record):
    """Counts of one check."""

    dialogues: int
    turns: int
    """Of characters; the Environment's are read and not counted."""
    kinds: tuple[KindCount, ...]
    asked: int
    """Turns put to a second reader; 0 where none was asked."""
    unread: int
    """Of these, answers that could not be read."""
    unverified: int
    """Claims of the second reader whose words were not where it said."""


@dataclass(slots=True, kw_only=True)
class CheckCounter:
    """Adds up dialogue by dialogue, in constant memory."""

    dialogues: int = 0
    turns: int = 0
    asked: int = 0
    unread: int = 0
    unverified: int = 0
    _findings: Counter[str] = field(default_factory=Counter)
    _turns: Counter[str] = field(default_factory=Counter)
    _dialogues: Counter[str] = field(default_factory=Counter)

    def add(self, dialogue: Dialogue, findings: Iterable[Finding], reading: SecondReading | None = None) -> None:
        """Count one dialogue. `reading`: where a second reader was asked."""
        self.dialogues += 1
        self.turns += sum(t.speaker != ENVIRONMENT for t in dialogue.turns)
        found = list(findings)
        speaking = {t.id for t in dialogue.turns if t.speaker != ENVIRONMENT}
        self._findings.update(f.flag.kind for f in found)
        self._turns.update(kind for kind, _ in {(f.flag.kind, f.turn_id) for f in found if f.turn_id in speaking})
        self._dialogues.update({f.flag.kind for f in found})
        if reading is not None:
            self.asked += reading.asked
            self.unread += reading.unread
            self.unverified += reading.unverified

    def report(self) -> CheckReport:
        """The counts so far."""
        kinds = (
            KindCount(
                kind=kind,
                findings=self._findings[kind],
                turns=share(self._turns[kind], self.turns),
                dialogues=self._dialogues[kind],
            )
            for kind in KINDS
        )
        return CheckReport(
            dialogues=self.dialogues,
            turns=self.turns,
            kinds=tuple(kinds),
            asked=self.asked,
            unread=self.unread,
            unverified=self.unverified,
        )
