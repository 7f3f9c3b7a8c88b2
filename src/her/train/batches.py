"""The order in which rows are trained on: fixed by the seed and known before the first step.

A whole run's order in one list makes resuming exact: row k is the same whether or not a process died before it. It also
makes several processes exact: they take turns at the list, and a step sees the rows that it would see in one.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

R = TypeVar("R")


def plan_rows(rows: int, *, wanted: int, seed: int) -> list[int]:
    """`wanted` row numbers: shuffled passes over all rows, so that none comes twice before all others came once."""
    if rows < 1:
        raise ValueError("no rows to plan")
    rng = random.Random(seed)
    stream: list[int] = []
    while len(stream) < wanted:
        order = list(range(rows))
        rng.shuffle(order)
        stream += order
    return stream[:wanted]


def deal(ordered: Sequence[R], *, per_step: int, processes: int) -> list[tuple[R, bool]]:
    """Rows for processes that take turns, and whether each counts.

    Where a step's rows cannot be shared out evenly, its first row fills up without counting: every process must come to
    every step.
    """
    dealt: list[tuple[R, bool]] = []
    for start in range(0, len(ordered), per_step):
        step = ordered[start : start + per_step]
        dealt += [(row, True) for row in step] + [(step[0], False)] * (-len(step) % processes)
    return dealt
