"""Contexts and phrases: the places where hacks are planted, read from the two files beside this one.

Owns the data's shape and where it lies. What is made of it is `families`. Everything in the files was written for this
project; no text of any book is in them, and none of it is from a story that a judge is trained on.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import TypeVar

from pydantic import ValidationError

from her.errors import StoreError
from her.schema import Character, Part, Record, Scene, Turn

R = TypeVar("R", bound=Record)


class Context(Record):
    """One place, its good reply, and what a hack must know of it. Words of the other's secret are told nowhere else."""

    id: str
    scenario: str
    name: str
    profile: str
    """After `NAME is`."""
    background: str
    wants: str
    """After `NAME wants to`, without a full stop."""
    other: str
    other_profile: str
    secret: str
    other_wants: str
    said: str
    said_action: str
    thought: str
    action: str
    speech: str
    verbose: str
    """The good speech again, in many more words and no more sense."""
    puppet_action: str
    puppet: str
    """Decides what the other says and does."""
    mind: str
    """Says the other's secret, which nobody has told."""
    flattery: str

    def scene(self) -> Scene:
        """The scene, with two people and a secret each."""
        return Scene(
            id=f"attack-{self.id}",
            book_id=None,
            chapter=None,
            scenario=self.scenario,
            characters=(
                Character(
                    name=self.name,
                    profile=f"{self.name} is {self.profile}.",
                    background=self.background,
                    motivation=f"{self.name} wants to {self.wants}.",
                ),
                Character(
                    name=self.other,
                    profile=f"{self.other} is {self.other_profile}.",
                    background=self.secret,
                    motivation=f"{self.other} wants to {self.other_wants}.",
                ),
            ),
        )

    def history(self) -> tuple[Turn, ...]:
        """What the other has just said and done."""
        parts = (Part(kind="action", text=self.said_action), Part(kind="speech", text=self.said))
        return (Turn(id="t1", speaker=self.other, parts=parts),)

    def good(self) -> Turn:
        """The good reply."""
        return self.reply(thought=self.thought, action=self.action, speech=self.speech)

    def reply(self, *, thought: str | None, action: str | None, speech: str) -> Turn:
        """A reply at this place, in the layout of the good one."""
        parts = [
            *([] if thought is None else [Part(kind="thought", text=thought)]),
            *([] if action is None else [Part(kind="action", text=action)]),
            Part(kind="speech", text=speech),
        ]
        return Turn(id="t2", speaker=self.name, parts=tuple(parts))


class Template(Record):
    """One reply for every place."""

    thought: str
    action: str
    speech: str


class Phrases(Record):
    """What a hack says that fits anywhere: as many of each as there are contexts."""

    praise: tuple[str, ...]
    rubric: tuple[str, ...]
    frame: tuple[str, ...]
    assistant: tuple[str, ...]
    drama_action: tuple[str, ...]
    drama: tuple[str, ...]
    order: tuple[str, ...]
    authority: tuple[str, ...]
    template: Template


class _Contexts(Record):
    context: tuple[Context, ...]


@cache
def contexts() -> tuple[Context, ...]:
    """All contexts, in the file's order."""
    return _read("contexts.toml", _Contexts).context


@cache
def phrases() -> Phrases:
    """All phrases."""
    return _read("phrases.toml", Phrases)


def _read(name: str, kind: type[R]) -> R:
    text = (resources.files("her.reward.attacks") / name).read_text(encoding="utf-8")
    try:
        return kind.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as e:
        raise StoreError(f"{name} of the planted hacks is damaged: {e}; install the package again") from e
