"""A pack as text: the TOML that a person edits, what two packs differ in, and what a reader should look at twice.

Owns writing and comparing. Reading, and refusing what is broken, is `pack`. A warning is not an error: two rules that
read alike may both be meant.
"""

import json
from collections import Counter
from itertools import combinations

from her.renderers.overlap import words
from her.reward.pack import Pack
from her.schema import DIMENSIONS, Principle, Record

ALIKE = 0.5
"""Two definitions that share more of their telling words than this are named. The shipped pack's closest two: .22."""
LONG_WORDS = 40
_FIELDS = ("name", "dimension", "polarity", "level", "definition", "good", "bad", "author")
_COMMON = {"another", "character", "from", "other", "reply", "that", "their", "them", "they", "this", "what", "with"}
"""With all words of three letters or fewer, they say nothing of what a rule is about."""


class Difference(Record):
    """What pack `b` has otherwise than pack `a`. Entries are known by their names."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[tuple[str, tuple[str, ...]], ...]
    """Name, and the fields that differ."""

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.changed)


def pack_toml(pack: Pack, *, comment: str = "") -> str:
    """The file that `load_pack` reads as this pack. Each line of `comment` becomes one of the file's."""
    lines = [*(f"# {line}".rstrip() for line in comment.splitlines())]
    lines += ([""] if lines else []) + [f"name = {_quoted(pack.name)}", f"version = {_quoted(pack.version)}"]
    for principle in pack.principles:
        lines += ["", "[[principle]]", *(f"{field} = {_quoted(getattr(principle, field))}" for field in _FIELDS)]
        if principle.pairs:
            lines.append(f"pairs = [{', '.join(_quoted(p) for p in principle.pairs)}]")
    return "\n".join(lines) + "\n"


def difference(a: Pack, b: Pack) -> Difference:
    """Added and removed entries, and the fields of those that both have. Their order in the file does not count."""
    old, new = ({p.name: p for p in pack.principles} for pack in (a, b))
    changed = []
    for name in (n for n in old if n in new):
        fields = tuple(f for f in Principle.model_fields if getattr(old[name], f) != getattr(new[name], f))
        if fields:
            changed.append((name, fields))
    return Difference(
        added=tuple(n for n in new if n not in old),
        removed=tuple(n for n in old if n not in new),
        changed=tuple(changed),
    )


def warnings(pack: Pack) -> list[str]:
    """What a reader should look at: missing dimensions, rules that read alike, examples used twice, long rules."""
    found = []
    missing = [d for d in DIMENSIONS if all(p.dimension != d for p in pack.principles)]
    if missing:
        found.append(f"no principle for: {', '.join(missing)}")
    for a, b in combinations(pack.principles, 2):
        if (shared := likeness(a.definition, b.definition)) > ALIKE:
            found.append(f"{a.name!r} and {b.name!r} read alike: they share {shared:.0%} of their words")
    examples = Counter(text.strip() for p in pack.principles for text in (p.good, p.bad))
    found += [f"an example is used {n} times: {text[:60]!r}" for text, n in examples.items() if n > 1]
    found += [
        f"{p.name!r} has a definition of {n} words; a judge reads it with every question"
        for p in pack.principles
        if (n := len(p.definition.split())) > LONG_WORDS
    ]
    return found


def likeness(a: str, b: str) -> float:
    """Share of their telling words that two texts have in common (Jaccard); 0 where either has none."""
    one, two = ({w for w in words(text) if len(w) > 3 and w not in _COMMON} for text in (a, b))
    return len(one & two) / len(one | two) if one and two else 0.0


def _quoted(text: str) -> str:
    """A TOML basic string. JSON's escapes are TOML's, but for DEL, which no pack holds."""
    return json.dumps(text, ensure_ascii=False)
