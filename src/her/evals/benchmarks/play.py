"""Play: what was said when an item was played, kept apart from any judgement of it.

Owns the record of a play, so that it is simulated once and judged many times, and its one law: who is shown which of
its layers is decided by `shown`. Raw text is kept for readers of the record and reaches no other model.
"""

from typing import Literal

from her.evals.benchmarks.asked import Asked, Response
from her.renderers.tags import render_turn
from her.schema import Record, Turn, Viewer

Thoughts = Literal["hidden", "shown"]
"""Is role thinking shown to the judge? System thinking never is."""


class Line(Record):
    """One line of a played dialogue."""

    speaker: str
    by: str
    """Role that said it (`player`, `user`, `environment`), or `given` for a line of the data."""
    visible: str
    """What others in the scene perceive. Empty where nothing was."""
    turn: Turn | None
    """The line read in its layers; None for a line that has but one (a user simulator's, a given one)."""

    def shown(self, thoughts: Thoughts) -> str:
        """What a judge is shown of the line."""
        if thoughts == "hidden" or self.turn is None:
            return self.visible
        seen = self.turn.seen_by(Viewer.judge(role_thinking=True))
        return render_turn(seen, name_prefix=False) if seen.parts else ""


class Play(Record):
    """One item, played once."""

    item_id: str
    repeat: int
    asked: tuple[Asked, ...]
    """Every call, in order: a multiple-choice item has one, a scene one per round and more."""
    lines: tuple[Line, ...]
    """The dialogue, the given lines included; empty for a single question."""
    counts: dict[str, int]
    """What happened on the way, by name: `unread_turns`, `drawn_speakers`, `ended_early`."""

    def reply(self, key: str) -> Asked:
        """The question called `key`. Raises KeyError where it was not asked."""
        for asked in self.asked:
            if asked.key == key:
                return asked
        raise KeyError(key)

    def tokens(self, role: str = "player") -> int | None:
        """Tokens that a role wrote; None where an engine did not count them."""
        counted = [
            a.returned.completion_tokens for a in self.asked if a.role == role and isinstance(a.returned, Response)
        ]
        return None if None in counted else sum(c for c in counted if c is not None)


class Judged(Record):
    """What one judge answered about one play."""

    item_id: str
    repeat: int
    judge: str
    """The judge's name, as the user wrote it."""
    asked: tuple[Asked, ...]

    def reply(self, key: str) -> Asked:
        """The question called `key`. Raises KeyError where it was not asked."""
        for asked in self.asked:
            if asked.key == key:
                return asked
        raise KeyError(key)
