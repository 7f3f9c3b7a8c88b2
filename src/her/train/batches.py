"""The order in which rows are trained on: fixed by the seed and known before the first step.

A whole run's order in one list makes resuming exact: row k is the same whether or not a process died before it.
"""

import random


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
