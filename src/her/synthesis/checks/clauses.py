"""Clauses: a text in the pieces that one claim, one doubt or one quotation reaches over.

Owns the cutting of sentences and the leaving out of quoted words. Knows no character.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from dataclasses import dataclass
from functools import lru_cache

from her.synthesis.text.wording import sentences

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|「[^」]*」|『[^』]*』|‘[^’]{2,}?[,.!?]?’(?!\w)")
_CONJUNCTION = r"(?:and|but|because|for|so|since|while|though|although|as|or|yet|which|who)\b"
_JOINT = re.compile(rf"\s*[;:—]\s*|\s+--\s+|,\s+(?={_CONJUNCTION})|[，；：,]\s*(?=[\u3400-\u9fff])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence without its quotations, and its clauses."""

    text: str
    clauses: tuple[str, ...]
    asks: bool
    """Does it end as a question?"""


def split(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text. A semicolon or a comma before a conjunction parts clauses, a bare comma does not."""
    found = []
    for whole in whole_sentences(text):
        bare = unquoted(whole)
        clauses = tuple(c for c in _JOINT.split(bare) if c.strip())
        found.append(Sentence(text=bare, clauses=clauses, asks=bare.rstrip("\"”’' ").endswith(("?", "？"))))
    return tuple(found)


@lru_cache(maxsize=4096)
def whole_sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text as they stand."""
    return tuple(text[a:b] for a, b in sentences(text))


def unquoted(text: str) -> str:
    """The text with every quotation emptied: `He said "".`"""
    return _QUOTED.sub(lambda m: m.group()[0] + m.group()[-1], text)


def quotations(text: str) -> tuple[tuple[int, int], ...]:
    """Offsets of the quotations, marks included."""
    return tuple((m.start(), m.end()) for m in _QUOTED.finditer(text))
