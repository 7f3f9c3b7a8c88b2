"""People: the names that a text may use for somebody, and whether a card says he or she.

Owns pronouns and forms of names for all checks. Knows no turn.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from her.schema import Character
from her.synthesis.checks.lexicon import any_of
from her.synthesis.checks.roots import root
from her.synthesis.people.names import TITLES, Gender
from her.synthesis.text.wording import words

OWN = frozenset({"i", "i'm", "i've", "i'll", "i'd", "me", "my", "mine", "myself"})
"""First person singular."""
FIRST = OWN | {"we", "us", "our", "ours", "ourselves", "we're", "we'll", "we've", "we'd"}
HE = frozenset({"he", "him", "his", "himself", "he's", "he'd", "he'll"})
SHE = frozenset({"she", "her", "hers", "herself", "she's", "she'd", "she'll"})
OWN_HAN = re.compile(any_of("perspective", "own_zh"))
_RANK = re.compile(any_of("perspective", "ranks"))
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the cast, as texts may name it."""

    name: str
    forms: tuple[str, ...]
    """Longest first. None of them is a form of another of the cast too."""
    gender: Gender

    @property
    def roots(self) -> frozenset[str]:
        """The roots of all words of its names."""
        return _roots(self.forms)

    def pattern(self) -> str:
        """A regular expression for any form, on word borders. `The pilot` is `the pilot` inside a sentence."""
        return _pattern(self.forms)

    def named_in(self, text: str) -> bool:
        """Is any of its names in the text?"""
        return re.search(self.pattern(), text) is not None


@lru_cache(maxsize=4096)
def _pattern(forms: tuple[str, ...]) -> str:
    each = []
    for form in forms:
        spelt = re.sub(r"^[Tt]he\\? ", "[Tt]he ", re.escape(form))
        each.append(spelt if _HAN.search(form) else rf"(?<!\w){spelt}(?!\w)")
    return rf"(?:{'|'.join(each)})"


@lru_cache(maxsize=4096)
def _roots(forms: tuple[str, ...]) -> frozenset[str]:
    return frozenset(root(w) for form in forms for w in words(form))


def figures(cast: Sequence[Character]) -> tuple[Figure, ...]:
    """The cast with the forms of their names. A surname that two share names neither."""
    every = {c.name: _forms(c) for c in cast}

    def own(character: Character) -> list[str]:
        others = {form for name, forms in every.items() if name != character.name for form in forms}
        return [f for f in every[character.name] if f == character.name or f not in others]

    return tuple(
        Figure(name=c.name, forms=tuple(sorted(own(c), key=lambda f: (-len(f), f))), gender=_gender(c)) for c in cast
    )


def _forms(character: Character) -> set[str]:
    found = {character.name, *(a for a in character.aliases if a.strip())}
    for form in tuple(found):
        parts = form.split()
        if len(parts) > 1 and not re.search("['’]s", form):  # noqa: RUF001 -- both apostrophes
            found.update(p for p in parts if p[0].isupper() and len(p) > 2 and not _is_title(p))
    return found


def _is_title(word: str) -> bool:
    bare = word.rstrip(".")
    return bare in TITLES or _RANK.fullmatch(bare) is not None


def _gender(character: Character) -> Gender:
    """By title, else by the pronouns of its own card."""
    for form in (character.name, *character.aliases):
        title = form.split(" ", 1)[0].rstrip(".")
        if TITLES.get(title, "unknown") != "unknown":
            return TITLES[title]
    card = " ".join(f for f in (character.profile, character.background, character.motivation) if f)
    said = words(card)
    he = sum(w in HE for w in said) + card.count("他")
    she = sum(w in SHE for w in said) + card.count("她")
    return "he" if he > she else "she" if she > he else "unknown"


def mentioned(text: str, people: Iterable[Figure]) -> tuple[Figure, ...]:
    """Who of them is named in the text."""
    return tuple(f for f in people if f.named_in(text))


def is_han(text: str) -> bool:
    """Is the text Chinese? Where it has such characters, it is read by the rules for them."""
    return _HAN.search(text) is not None
