"""Staged: a scene with its people and bare turns, found by rules or by a teacher, before it has a card.

What both ways of extraction hand on. Values only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from her.schema import Chapter, Plot, Span, Turn
from her.synthesis.people.names import Person
from her.synthesis.result import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """One scene. What a teacher said of it beside its turns is None or empty where nobody said it."""

    id: str
    chapter: Chapter
    plot_id: str
    span: Span
    first_word: int
    """Offset of the first spoken word."""
    narration: tuple[Span, ...]
    """What nobody speaks in it, in order."""
    turns: tuple[Turn, ...]
    people: tuple[Person, ...]
    """Who speaks, in order of their first words."""
    pieces: Mapping[str, tuple[Span, ...]]
    """`SCENE/TURN` to every span of its speech; a turn that holds invented speech is not here."""
    scenario: str | None = None
    topic: str | None = None
    motives: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """All that one way of extraction found in the chosen chapters."""

    scenes: tuple[Staged, ...]
    plots: tuple[Plot, ...]
    rejects: tuple[Reject, ...]
    attributed: Mapping[str, int]
    """Utterances by how their speaker was found."""
    utterances: int
    descriptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What a teacher said of each person, chunk by chunk."""
