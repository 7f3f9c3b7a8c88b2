"""Pack: a named, versioned list of principles in a TOML file that a person can read and edit (HER §3).

Owns reading, checking and hashing a pack and choosing the few principles that a small judge is shown. Knows nothing of
judges or prompts. The shipped pack is our own writing; HER publishes its twelve dimensions but not its list.
"""

import tomllib
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from her.errors import VerdictError
from her.schema import DIMENSIONS, Principle, Record
from her.store import canonical, read_text, sha256_text

SHIPPED = "first"


class Pack(Record):
    """Principles under one name and version. Names are unique: verdicts refer to them."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    principles: tuple[Principle, ...] = Field(min_length=1)

    @field_validator("principles")
    @classmethod
    def _sound(cls, principles: tuple[Principle, ...]) -> tuple[Principle, ...]:
        seen: dict[str, int] = {}
        for number, principle in enumerate(principles, start=1):
            _check(principle, number)
            key = principle.name.casefold()
            if key in seen:
                raise ValueError(f"entry {number} ({principle.name!r}): entry {seen[key]} has this name already")
            seen[key] = number
        return principles

    @property
    def hash(self) -> str:
        """Hash of everything the pack says; comments and layout of the file do not count."""
        return sha256_text(canonical(self.model_dump(mode="json")))

    def get(self, name: str) -> Principle:
        """The principle called `name`. Raises KeyError when there is none."""
        for principle in self.principles:
            if principle.name == name:
                return principle
        raise KeyError(name)

    def subset(self, most: int | None, *, sessions: bool = True) -> tuple[Principle, ...]:
        """At most `most` principles: vetoes and qualities by turns, spread over the dimensions. Without `sessions`
        those are left out that need a history to be judged by.

        A pure function of the pack. It must not look at the pair: a list chosen after seeing both replies is a hint,
        and the judge's prompt in training would differ from its prompt in use.
        """
        left = [p for p in self.principles if sessions or p.level != "session"]
        if most is None or most >= len(left):
            return tuple(left)
        order: list[Principle] = []
        heard, heard_so = Counter[str](), Counter[tuple[str, str]]()
        while len(order) < most:
            polarity = "positive" if len(order) % 2 else "negative"
            sides = [p for p in left if p.polarity == polarity] or left
            # The dimension heard least comes next; of several, one that has not spoken with this polarity.
            first = min(sides, key=lambda p: (heard[p.dimension], heard_so[p.polarity, p.dimension], _rank(p)))
            heard[first.dimension] += 1
            heard_so[first.polarity, first.dimension] += 1
            left.remove(first)
            order.append(first)
        return tuple(order)


def _rank(principle: Principle) -> int:
    return DIMENSIONS.index(principle.dimension)


def load_pack(path: Path | None = None) -> Pack:
    """Read a pack; None reads the shipped one. Raises VerdictError naming file, entry and reason."""
    if path is None:
        where = f"her/reward/packs/{SHIPPED}.toml"
        text = (resources.files("her.reward") / "packs" / f"{SHIPPED}.toml").read_text(encoding="utf-8")
    else:
        where, text = str(path), read_text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise VerdictError(f"{where}: not TOML: {e}; repair the file") from e
    except RecursionError as e:
        raise VerdictError(f"{where}: nested too deeply for a pack; repair the file") from e
    return _pack(table, where)


def _pack(table: dict[str, Any], where: str) -> Pack:
    unknown = sorted(set(table) - {"name", "version", "principle"})
    if unknown:
        raise VerdictError(f"{where}: unknown key {unknown[0]!r}; a pack has name, version and [[principle]] entries")
    entries = table.get("principle", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise VerdictError(f"{where}: `principle` is not a list of entries; write each as [[principle]]")
    principles = []
    for number, entry in enumerate(entries, start=1):
        try:
            principles.append(Principle.model_validate(entry))
        except ValidationError as e:
            first = e.errors()[0]
            field = ".".join(str(p) for p in first["loc"])
            label = f"entry {number} ({entry.get('name', 'unnamed')!r})"
            raise VerdictError(f"{where}: {label}: {field}: {first['msg']}; correct this entry") from e
    try:
        return Pack.model_validate(
            {"name": table.get("name"), "version": table.get("version"), "principles": tuple(principles)}
        )
    except ValidationError as e:
        first = e.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        raise VerdictError(f"{where}: {field}: {first['msg'].removeprefix('Value error, ')}; correct the file") from e


def _check(principle: Principle, number: int) -> None:
    where = f"entry {number} ({principle.name!r})"
    if principle.dimension not in DIMENSIONS:
        raise ValueError(f"{where}: no such dimension: {principle.dimension!r}; one of {', '.join(DIMENSIONS)}")
    for field in ("name", "definition", "good", "bad", "author"):
        if not getattr(principle, field).strip():
            raise ValueError(f"{where}: {field} is empty")
    if '"' in principle.name:
        raise ValueError(f"{where}: a name has no double quotes")
    for field in ("name", "definition", "author"):
        # They stand in a judge's prompt, a line each: a break would begin a line that is nobody's rule.
        if not getattr(principle, field).isprintable():
            raise ValueError(f"{where}: {field} is not one line of printable text")
    for field in ("good", "bad"):
        if not getattr(principle, field).replace("\n", " ").isprintable():
            raise ValueError(f"{where}: {field} has characters that cannot be printed")
    if principle.good.strip() == principle.bad.strip():
        raise ValueError(f"{where}: the good and the bad example are the same")
