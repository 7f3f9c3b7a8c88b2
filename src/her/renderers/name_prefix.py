"""The name before a speech: `NAME: `, and how it may be dressed.

Owns one question: does this text open with its speaker's name, and where does the speech begin? Forgiven: case, space
before the colon, `**NAME:**` and its like. Knows nothing of tags. The answer, once given, does not change when more
text arrives.
"""

import re
from functools import lru_cache
from typing import NamedTuple


class Opening(NamedTuple):
    """How a text opens."""

    length: int
    """Characters before the speech; 0 where no name stands there."""
    canonical: bool = True
    """Written as `NAME: `."""


_NO_NAME = Opening(0)


class NamePrefix:
    """The name of one speaker, to be looked for."""

    def __init__(self, speaker: str) -> None:
        self._speaker = speaker
        self._usual = f"{speaker}: "
        self._usual_opening = Opening(len(self._usual))
        self._pattern = re.compile(
            rf"\s*(?P<mark>\*\*|\*|_|\")?(?P<name>{re.escape(speaker)})(?P=mark)?\s*:(?:\*\*|\*|_|\")?(?:\s+|$)",
            re.IGNORECASE,
        )
        self._limit = 2 * len(speaker) + 16
        """Characters after which a name is no longer waited for."""

    def find(self, text: str, *, ends: bool) -> Opening | None:
        """How `text`, which begins with no white space, opens; None while more text may tell otherwise.
        `ends`: no more will come."""
        if text.startswith(self._usual):
            rest = len(text) - len(self._usual)
            if not rest:
                return self._usual_opening if ends else None
            if not text[-rest].isspace():
                return self._usual_opening
        may_change = not ends and len(text) < self._limit
        if may_change and not self._certain(text):
            return None
        found = self._pattern.match(text)
        if not found:
            return _NO_NAME
        if may_change and found.end() == len(text):
            return None
        canonical = found["name"] == self._speaker and text.startswith(f"{self._speaker}:")
        return Opening(found.end(), canonical)

    def _certain(self, text: str) -> bool:
        """Is it already plain that `text` does or does not begin with the name?"""
        return self._pattern.match(text + "x") is not None or (
            not f"{self._speaker}:".lower().startswith(text.lower().lstrip('*_"')) and ":" in text
        )


@lru_cache(maxsize=256)
def name_prefix(speaker: str) -> NamePrefix:
    """The prefix of a speaker; made once, for a play asks for the same few names again and again."""
    return NamePrefix(speaker)
