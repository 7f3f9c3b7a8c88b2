"""Item: one unit of work of a benchmark, and `Exam`, all of them with where they came from.

Owns what every benchmark's items share. What is in an item beyond that is the benchmark's own record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from her.errors import InputError
from her.schema import Record


class Item(Record):
    """The base of a benchmark's items."""

    id: str
    """Unique in its exam; letters, digits and . _ : - only."""
    cluster: str
    """Story, scene, book: what intervals resample."""
    title: str | None
    """The book's title, for contamination; None where there is none."""
    facets: dict[str, str]
    """What figures are broken down by."""


AnyItem = TypeVar("AnyItem", bound=Item)


class Refused(Record):
    """A record that is not asked, and why."""

    where: str
    """File and record."""
    reason: str


class DataUsed(Record):
    """Where the items came from, as it is printed beside every result."""

    name: str
    """`mini-set`, or the file's name."""
    sha256: str
    licence: str
    origin: str
    """Who made it and where it is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam(Generic[AnyItem]):
    """The items of a benchmark, in order."""

    items: tuple[AnyItem, ...]
    refused: tuple[Refused, ...]
    data: DataUsed

    def __post_init__(self) -> None:
        ids = [i.id for i in self.items]
        if doubled := next((i for i in ids if ids.count(i) > 1), None) if len(set(ids)) < len(ids) else None:
            raise InputError(f"{self.data.name}: two items are called {doubled!r}; give every record its own id")
        if not self.items:
            why = f"; all {len(self.refused)} records were refused: {self.refused[0].reason}" if self.refused else ""
            raise InputError(f"{self.data.name} holds no item that can be asked{why}")

    def limited(self, most: int | None, *, seed: int, whole_clusters: bool) -> "Exam[AnyItem]":
        """At most so many items, spread over the clusters by seed; the order of the rest is kept.

        With `whole_clusters` a cluster is taken entire or not at all (joint accuracies need it), at least one of them.
        """
        if most is None or most >= len(self.items):
            return self
        clusters = list(dict.fromkeys(i.cluster for i in self.items))
        Random(f"{seed}:limit").shuffle(clusters)
        groups = [[i for i in self.items if i.cluster == c] for c in clusters]
        taken = _entire(groups, most) if whole_clusters else _dealt(groups, most)
        return Exam(items=tuple(i for i in self.items if i.id in taken), refused=self.refused, data=self.data)


def _entire(groups: Sequence[Sequence[AnyItem]], most: int) -> set[str]:
    taken: set[str] = set()
    for group in groups:
        if taken and len(taken) + len(group) > most:
            continue
        taken |= {i.id for i in group}
    return taken


def _dealt(groups: Sequence[Sequence[AnyItem]], most: int) -> set[str]:
    """One of each cluster in turn."""
    taken: list[str] = []
    for place in range(max(len(g) for g in groups)):
        taken += [g[place].id for g in groups if place < len(g)]
    return set(taken[:most])
