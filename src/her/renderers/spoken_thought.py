"""A thought said aloud: when words of a thought stand in what others see or hear.

The one rule for it: it gates training and is counted in exams. A plan is no thought here: it may draft the reply, and
saying the draft is its purpose.
"""

import re

from her.schema import Turn, Viewer

RUN_WORDS = 6
"""A run of this many words in a thought and in speech or action was copied. Five-word runs of everyday English ("I do
not want to") recur by chance."""
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def speaks_thought(turn: Turn) -> bool:
    """Does a part that others see share a run of words with one of the turn's thoughts?"""
    shown = {run for part in turn.seen_by(Viewer.reader()).parts for run in runs(part.text, RUN_WORDS)}
    return any(shown & runs(part.text, RUN_WORDS) for part in turn.parts if part.kind == "thought")


def words(text: str) -> list[str]:
    """Words in lower case, without punctuation."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def runs(text: str, n: int) -> set[tuple[str, ...]]:
    """All runs of n words."""
    w = words(text)
    return {tuple(w[i : i + n]) for i in range(len(w) - n + 1)}
