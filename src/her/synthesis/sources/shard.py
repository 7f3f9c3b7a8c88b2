"""Shard: one part of a shelf, dealt by the names of its books.

Owns who gets what. A book goes where the hash of its name says, so neither the order of the shelf nor a book that was
added to it moves another; two lines that claim one name meet in one shard, which alone can say which of them keeps it.
Knows no file.
"""

import re

from pydantic import model_validator

from her.errors import InputError
from her.schema import Record
from her.store import sha256_text


class Shard(Record):
    """The `number`-th of `of` parts, from 1."""

    number: int
    of: int

    @model_validator(mode="after")
    def _one_of_them(self) -> "Shard":
        if not 1 <= self.number <= self.of:
            raise ValueError(f"there is no part {self.number} of {self.of}")
        return self

    def takes(self, name: str) -> bool:
        """Does this name fall to this part? It falls to exactly one of `of`."""
        return int(sha256_text(name)[:16], 16) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def read_shard(text: str) -> Shard:
    """`3/8`. Raises InputError for anything else."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"--shard {text!r} is not like 3/8: the third of eight parts, counted from 1")
    return Shard(number=int(found[1]), of=int(found[2]))
