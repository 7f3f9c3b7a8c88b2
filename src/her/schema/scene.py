"""Scene and Character: who is there, where, and what each of them wants before the first word is said."""

from typing import Any

from pydantic import field_validator

from her.schema.book import Span
from her.schema.flag import Flag
from her.schema.record import Record

ENVIRONMENT = "Environment"
"""The special speaker for the world itself. It is never a training target and is never scored (HER §eval)."""


class Character(Record):
    """A character as one scene finds it. `None` means that the source does not say."""

    name: str
    aliases: tuple[str, ...] = ()
    profile: str | None = None
    """Who this is, visible to everyone in the scene."""
    background: str | None = None
    """What this character knows of its own past, secrets included; visible to the character alone."""
    motivation: str | None = None
    """What this character wants in this scene; visible to the character alone."""

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not name.strip() or name != name.strip() or "\n" in name or ":" in name or "<" in name:
            raise ValueError(f"{name!r} cannot be a character's name: no edges of space, line breaks, ':' or '<'")
        return name


class Quote(Record):
    """A verified quotation: `text` stands in the book at `span`."""

    text: str
    span: Span


class Addition(Record):
    """One sentence that setting completion added to a field, with the quote that supports it (HER stage 3)."""

    field: str
    """`scenario`, or `NAME.profile`, `NAME.background`, `NAME.motivation`."""
    text: str
    quote: Quote


class Scene(Record):
    """A scene before its first turn. `span` is where the book tells it; None for a scene that no book tells."""

    id: str
    book_id: str | None
    chapter: int | None
    scenario: str
    topic: str | None = None
    characters: tuple[Character, ...]
    span: Span | None = None
    additions: tuple[Addition, ...] = ()
    plot_id: str | None = None
    flags: tuple[Flag, ...] = ()
    """Doubts about the card. Never shown to a model."""

    @field_validator("characters")
    @classmethod
    def _distinct(cls, characters: tuple[Character, ...]) -> tuple[Character, ...]:
        names = [c.name for c in characters]
        if len(set(names)) != len(names):
            raise ValueError(f"two characters share a name: {names}")
        return characters

    def character(self, name: str) -> Character:
        """The character called `name`. Raises KeyError when the scene has none."""
        for c in self.characters:
            if c.name == name:
                return c
        raise KeyError(name)

    def names(self) -> tuple[str, ...]:
        """The cast in order."""
        return tuple(c.name for c in self.characters)

    def with_characters(self, *characters: Character) -> "Scene":
        """A copy in which the given characters replace those of the same name."""
        new = {c.name: c for c in characters}
        return self._copy(characters=tuple(new.get(c.name, c) for c in self.characters))

    def _copy(self, **changes: Any) -> "Scene":
        return Scene.model_validate({**self.model_dump(), **changes})
