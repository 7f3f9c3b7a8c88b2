"""The order in which samples are trained on: fixed by the seed, grouped by length, known before the first step.

Knows lengths only. A whole run's order in one list makes resuming exact: batch k is the same whether or not a process
died before it.
"""

import random
from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], *, batch: int, batches: int, seed: int) -> list[list[int]]:
    """`batches` lists of `batch` sample numbers each.

    Every pass over the data is shuffled, cut into pools of eight batches, sorted by length inside a pool and cut into
    batches, whose order is shuffled again. A sample is never used twice before all others were used once.
    """
    if not lengths:
        raise ValueError("no samples to plan")
    rng = random.Random(seed)
    stream: list[int] = []
    while len(stream) < batch * batches:
        order = list(range(len(lengths)))
        rng.shuffle(order)
        stream += order
    stream = stream[: batch * batches]
    planned: list[list[int]] = []
    pool = 8 * batch
    for start in range(0, len(stream), pool):
        part = sorted(stream[start : start + pool], key=lambda i: (lengths[i], i))
        cut = [part[i : i + batch] for i in range(0, len(part), batch)]
        rng.shuffle(cut)
        planned += cut
    return planned
