"""Windows: a long conversation in stretches that one request can hold.

Owns the budget. Every turn is asked for in exactly one window; what a window must know of earlier turns is shown with
it and is no part of it.
"""

from collections.abc import Sequence

from her.schema import Turn
from her.synthesis.text.estimate import tokens

_FRAME = 40
"""Tokens around a turn: its id, its speaker, and the tags of what will be added."""


def size(turn: Turn) -> int:
    """About how many tokens a turn takes in a request."""
    return _FRAME + sum(tokens(p.text) for p in turn.parts)


def windows(turns: Sequence[Turn], *, budget: int) -> list[tuple[Turn, ...]]:
    """Consecutive stretches of at most `budget` tokens; a turn that is longer alone makes one of its own."""
    found: list[tuple[Turn, ...]] = []
    here: list[Turn] = []
    spent = 0
    for turn in turns:
        cost = size(turn)
        if here and spent + cost > budget:
            found.append(tuple(here))
            here, spent = [], 0
        here.append(turn)
        spent += cost
    return [*found, tuple(here)] if here else found
