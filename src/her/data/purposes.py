"""Purposes: what a conversation is for, and why it is for that alone.

A pure function of its group and a seed, like `splits`, so that adding a conversation moves no other. Whole books where
there are enough of them, else conversations; never turns (HER §8.2, 14: shuffling turns put one conversation into SFT,
judge and policy data at once).
"""

import hashlib
from typing import Literal, get_args

from pydantic import Field, model_validator

from her.data.titles import fold
from her.errors import InputError
from her.schema import Dialogue, Record, Split

Purpose = Literal["sft", "judge_sft", "judge_rl", "policy_rl", "valid", "test"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
Group = Literal["book", "chapter", "conversation"]
SPLITS: dict[Purpose, Split] = {
    "sft": "train", "judge_sft": "train", "judge_rl": "train", "policy_rl": "train", "valid": "valid", "test": "test",
}  # fmt: skip
ENOUGH = 5
"""Whole books are dealt where the smallest purpose can expect so many: then it stays empty once in 150 times."""
_ORDER: tuple[Purpose, ...] = ("test", "valid", "policy_rl", "judge_rl", "judge_sft", "sft")
"""Smallest first from the bottom of [0, 1), so that a share that grows takes from its neighbour alone."""


class Shares(Record):
    """How much of the data each purpose gets. The defaults are about what the release aimed at: a third, a third, a
    quarter and a twelfth of the turns (HER §2.5)."""

    sft: float = Field(default=0.33, ge=0)
    judge_sft: float = Field(default=0.33, ge=0)
    judge_rl: float = Field(default=0.24, ge=0)
    policy_rl: float = Field(default=0.08, ge=0)
    valid: float = Field(default=0.01, ge=0)
    test: float = Field(default=0.01, ge=0)

    @model_validator(mode="after")
    def _whole(self) -> "Shares":
        if abs(sum(self.of(p) for p in PURPOSES) - 1) > 1e-6:
            raise ValueError(f"the shares of the purposes add up to {sum(self.of(p) for p in PURPOSES):g}, not to 1")
        return self

    def of(self, purpose: Purpose) -> float:
        share: float = getattr(self, purpose)
        return share

    def smallest(self) -> float:
        """The smallest share that is not nothing."""
        return min(share for p in PURPOSES if (share := self.of(p)) > 0)


def read_shares(text: str) -> Shares:
    """`sft=0.8,test=0.2`: those named and no others. Weights that do not add up to 1 are refused."""
    given: dict[str, float] = dict.fromkeys(PURPOSES, 0.0)
    for piece in text.split(","):
        name, _, value = piece.partition("=")
        if name.strip() not in given:
            raise InputError(f"--purposes: {name.strip()!r} is no purpose; they are {', '.join(PURPOSES)}")
        try:
            given[name.strip()] = float(value)
        except ValueError as e:
            raise InputError(f"--purposes: {piece.strip()!r} is not like sft=0.8") from e
    try:
        return Shares(**given)
    except ValueError as e:
        total = sum(given.values())
        raise InputError(f"--purposes {text!r}: shares are not negative and add up to 1, these to {total:g}") from e


def deals(shares: Shares, books: int) -> Group:
    """By what so many books are dealt."""
    return "book" if books * shares.smallest() >= ENOUGH else "conversation"


def group_of(dialogue: Dialogue, title: str | None, by: Group) -> str:
    """Everything of one group has one purpose. A book is its title without subtitle and edition, so that editions of
    one book stay together; accounts of one scene by several of its characters are one conversation."""
    scene = dialogue.scene
    if by == "book" and title is not None:
        return f"book:{fold(title).main}"
    if by == "chapter" and scene.book_id is not None and scene.chapter is not None:
        return f"chapter:{scene.book_id}:{scene.chapter}"
    return f"conversation:{scene.book_id or ''}:{scene.id}"


def purpose_of(group: str, *, seed: int, shares: Shares) -> Purpose:
    """The purpose of a group: its hash as a number in [0, 1) falls into one of the shares."""
    digest = hashlib.sha256(f"her-purpose-1\0{seed}\0{group}".encode("utf-8", "surrogatepass")).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    edge = 0.0
    for purpose in _ORDER:
        edge += shares.of(purpose)
        if place < edge:
            return purpose
    return next(p for p in reversed(_ORDER) if shares.of(p) > 0)
