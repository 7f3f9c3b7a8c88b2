"""Tally: what one piece of work asked of its teacher.

Sums alone, so that adding up pieces gives the same whatever the order in which they ended. Knows no price: tokens are
counted here, and what they cost is worked out once, from the sums.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from her.llm import Usage
from her.schema import Record


class Tally(Record):
    """Calls and tokens by stage. Keys are sorted."""

    calls: dict[str, int]
    prompt_tokens: dict[str, int]
    completion_tokens: dict[str, int]
    unmetered: dict[str, int]
    """Calls whose tokens the endpoint did not say."""
    refused: dict[str, int]
    """`stage.reason` to count of single answers refused, retried ones included."""
    retries: int
    """Further requests after a refused answer."""
    dead_letters: dict[str, int]
    """Requests by stage that were given up for good."""
    drafts: dict[str, int]
    """First plans by where they came from: `harvested` from a teacher's own thinking, or `asked` for."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """A tally while it grows."""

    calls: Counter[str] = field(default_factory=Counter)
    prompt_tokens: Counter[str] = field(default_factory=Counter)
    completion_tokens: Counter[str] = field(default_factory=Counter)
    unmetered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    drafts: Counter[str] = field(default_factory=Counter)

    def called(self, stage: str, usage: Usage | None) -> None:
        """Count one answered call."""
        self.calls[stage] += 1
        if usage is None:
            self.unmetered[stage] += 1
            return
        self.prompt_tokens[stage] += usage.prompt_tokens
        self.completion_tokens[stage] += usage.completion_tokens

    def tally(self) -> Tally:
        """The counts so far."""
        return Tally(
            calls=_sorted(self.calls),
            prompt_tokens=_sorted(self.prompt_tokens),
            completion_tokens=_sorted(self.completion_tokens),
            unmetered=_sorted(self.unmetered),
            refused=_sorted(self.refused),
            retries=self.retries,
            dead_letters=_sorted(self.dead_letters),
            drafts=_sorted(self.drafts),
        )


def summed(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Counts()
    for one in tallies:
        whole.calls.update(one.calls)
        whole.prompt_tokens.update(one.prompt_tokens)
        whole.completion_tokens.update(one.completion_tokens)
        whole.unmetered.update(one.unmetered)
        whole.refused.update(one.refused)
        whole.retries += one.retries
        whole.dead_letters.update(one.dead_letters)
        whole.drafts.update(one.drafts)
    return whole.tally()


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {key: counts[key] for key in sorted(counts)}
