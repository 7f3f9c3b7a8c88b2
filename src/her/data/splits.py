"""Which split a scene belongs to: a pure function of its group and a seed.

Whole groups go to one split, never turns (HER §8.2, 14: turns of one conversation in three splits). A group is a
chapter or a conversation; gold and teacher's versions of one chapter share it, so what one trains on the other does not
examine. Adding a dialogue never moves another.
"""

import hashlib
from collections.abc import Callable
from typing import Literal

from pydantic import Field, model_validator

from her.schema import Dialogue, Record, Scene, Split

GroupBy = Literal["chapter", "conversation"]


def split_of(group: str, *, seed: int, valid: float, test: float) -> Split:
    """The split of a group: its hash as a number in [0, 1), test at the bottom, then valid, then train."""
    digest = hashlib.sha256(f"her-split-1\0{seed}\0{group}".encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    return "test" if place < test else "valid" if place < test + valid else "train"


class Splitter(Record):
    """The rule of one run. Explicit groups come first, then the hash."""

    seed: int
    valid: float = Field(ge=0, le=1)
    test: float = Field(ge=0, le=1)
    by: GroupBy = "chapter"
    valid_groups: tuple[str, ...] = ()
    test_groups: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> "Splitter":
        if self.valid + self.test > 1:
            raise ValueError(f"valid {self.valid} and test {self.test} together exceed 1")
        if both := sorted(set(self.valid_groups) & set(self.test_groups)):
            raise ValueError(f"groups in two splits: {both}")
        return self

    def group(self, scene: Scene, dialogue_id: str) -> str:
        """`BOOK:CHAPTER`, or the dialogue's id where the rule or the scene knows no chapter."""
        if self.by == "chapter" and scene.book_id is not None and scene.chapter is not None:
            return f"{scene.book_id}:{scene.chapter}"
        return dialogue_id

    def split(self, scene: Scene, dialogue_id: str) -> Split:
        """Where everything of this scene goes."""
        group = self.group(scene, dialogue_id)
        if group in self.test_groups:
            return "test"
        if group in self.valid_groups:
            return "valid"
        return split_of(group, seed=self.seed, valid=self.valid, test=self.test)

    def __call__(self, dialogue: Dialogue) -> Split:
        return self.split(dialogue.scene, dialogue.id)


Splits = Callable[[Dialogue], Split]
"""A `Splitter`, or any function of a dialogue."""
