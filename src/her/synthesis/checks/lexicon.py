"""Lexicons: the words and phrases that checks look for, in TOML files that a person can read and mend.

A key holds a list of regular expressions; `@(key)` inside one stands for any of another key's. Owns the reading of the
files and nothing of what is done with them.
"""

import re
import tomllib
from functools import cache
from importlib import resources

_REFERENCE = re.compile(r"@\((\w+)\)")


@cache
def phrases(lexicon: str) -> dict[str, tuple[str, ...]]:
    """Every key of a lexicon with its expressions, references filled in."""
    text = (resources.files("her.synthesis.checks") / "lexicons" / f"{lexicon}.toml").read_text(encoding="utf-8")
    table: dict[str, list[str]] = tomllib.loads(text)

    def filled(phrase: str) -> str:
        return _REFERENCE.sub(lambda m: f"(?:{'|'.join(filled(p) for p in table[m[1]])})", phrase)

    return {key: tuple(filled(p) for p in listed) for key, listed in table.items()}


def any_of(lexicon: str, key: str) -> str:
    """One expression for any of a key's."""
    return f"(?:{'|'.join(phrases(lexicon)[key])})"
