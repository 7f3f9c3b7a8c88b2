"""Prompt files of this package: read once, filled in one pass, hashable.

A value is never searched for placeholders: a profile that says `{scenario}` says just that.
"""

import hashlib
import re
from functools import cache
from importlib import resources

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@cache
def read_template(name: str) -> str:
    """The text of `name` (without its final line break), from this package."""
    return resources.files("her.renderers").joinpath(name).read_text(encoding="utf-8").removesuffix("\n")


def fill(template: str, **values: str) -> str:
    """`template` with every placeholder replaced, in one pass. A placeholder without a value is a KeyError."""
    return _PLACEHOLDER.sub(lambda m: values[m.group(1)], template)


def prompt_hashes() -> dict[str, str]:
    """SHA-256 of every prompt file of this package, for manifests."""
    files = (f for f in resources.files("her.renderers").iterdir() if f.name.endswith(".txt"))
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files, key=lambda f: f.name)}
