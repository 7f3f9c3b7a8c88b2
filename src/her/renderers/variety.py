"""How alike the replies of one moment are: openings, Self-BLEU, words per layer.

Together with the layouts (`layouts.py`) these are the signs of a policy that settles on one template (HER §5.4). What
is alarming is for the guard of a training run to say; nothing here knows a threshold.
"""

from collections import Counter
from collections.abc import Sequence

from her.renderers.overlap import self_bleu, words
from her.schema import PartKind, Record, Turn

OPENING_WORDS = 3


class Variety(Record):
    """Figures of `n` replies. None: there was nothing to measure it on."""

    n: int
    opening: str | None
    """The most frequent first three words of what others perceive (first by name among equals)."""
    opening_share: float | None
    """Its share among the replies that have three words to open with."""
    self_bleu: float | None
    """Mean over groups of the Self-BLEU of their replies."""
    words: dict[PartKind, float]
    """Mean words per reply in thoughts, actions and speech."""


def variety(groups: Sequence[Sequence[Turn]]) -> Variety:
    """Of groups of replies, each group to one prompt."""
    turns = [turn for group in groups for turn in group]
    shown = [[_shown(turn) for turn in group] for group in groups]
    openings = Counter(" ".join(w[:OPENING_WORDS]) for group in shown for w in group if len(w) >= OPENING_WORDS)
    top = min(openings, key=lambda text: (-openings[text], text), default=None)
    alike = [found for group in shown if (found := self_bleu(group)) is not None]
    kinds: tuple[PartKind, ...] = ("thought", "action", "speech")
    return Variety(
        n=len(turns),
        opening=top,
        opening_share=openings[top] / openings.total() if top is not None else None,
        self_bleu=sum(alike) / len(alike) if alike else None,
        words={kind: sum(_words_in(t, kind) for t in turns) / len(turns) for kind in kinds} if turns else {},
    )


def _shown(turn: Turn) -> list[str]:
    return words(" ".join(p.text for p in turn.parts if p.kind != "thought"))


def _words_in(turn: Turn, kind: PartKind) -> int:
    return sum(len(words(p.text)) for p in turn.parts if p.kind == kind)
