"""StoryShown: how much of a long story a model was shown: all of it, or what was left after trimming.

Owns the cut (the beginning, where people are introduced, and the end, where the decision lies, stay; the middle goes)
and the record of it. A cut is never silent: the model reads that something is left out, the play says how much, and
figures and controls show it.
"""

from typing import Annotated, Literal

from pydantic import Field

from her.evals.benchmarks.play import Play
from her.schema import Record

SHARES = (1.0, 0.5, 0.25, 0.125)
"""How much of a story is tried, one after the other, while the model says that it is too long. Halves, because each try
that fails is one refused request, and too many of those in a row look like a broken endpoint."""
LEFT_OUT = "[... the middle is left out here ...]"
_SHOWN, _OF = "story_characters_shown", "story_characters"


class Whole(Record):
    """The model was shown the whole story."""

    kind: Literal["whole"] = "whole"


class Trimmed(Record):
    """The model was shown a part, in characters."""

    kind: Literal["trimmed"] = "trimmed"
    shown: int
    of: int


StoryShown = Annotated[Whole | Trimmed, Field(discriminator="kind")]


def trimmed(story: str, most: int) -> str:
    """At most `most` characters of a story: a quarter of them from its beginning, the rest from its end, cut between
    words. The note in the middle does not count."""
    if len(story) <= most:
        return story
    head = story[: most // 4]
    tail = story[len(story) - (most - len(head)) :]
    return f"{_words(head, end=True)}\n{LEFT_OUT}\n{_words(tail, end=False)}"


def counts_of(story: str, most: int) -> dict[str, int]:
    """What a play notes down of a story of which `most` characters may be shown."""
    return {_SHOWN: min(most, len(story)), _OF: len(story)}


def shown_in(play: Play) -> Whole | Trimmed:
    """How much of its story a play was about."""
    shown, of = play.counts[_SHOWN], play.counts[_OF]
    return Whole() if shown == of else Trimmed(shown=shown, of=of)


def _words(piece: str, *, end: bool) -> str:
    """A piece without the half word where it was cut; the whole piece where it has no spaces."""
    cut = piece.rpartition(" ")[0] if end else piece.partition(" ")[2]
    return (cut or piece).strip()
