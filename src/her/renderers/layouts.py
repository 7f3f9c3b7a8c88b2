"""How varied the order of parts is: HER's pattern collapse, measured (HER §5.4).

A policy under reward may come to write `thought>action>speech` every time. Entropy and the share of the most frequent
layout show it live.
"""

import math
from collections import Counter
from collections.abc import Iterable

from her.schema import Record, Turn


class LayoutStats(Record):
    """Layouts of `n` turns. Entropy and top are None where n is 0: there is nothing to be uniform about."""

    n: int
    distinct: int
    entropy_bits: float | None
    top_layout: str | None
    top_share: float | None


def layout_stats(turns: Iterable[Turn]) -> LayoutStats:
    """Shannon entropy of `Turn.layout`, in bits, and the most frequent layout (first by name among equals)."""
    counts = Counter(turn.layout() for turn in turns)
    n = counts.total()
    if not n:
        return LayoutStats(n=0, distinct=0, entropy_bits=None, top_layout=None, top_share=None)
    top = min(counts, key=lambda layout: (-counts[layout], layout))
    entropy = sum(c / n * math.log2(n / c) for c in counts.values())
    return LayoutStats(n=n, distinct=len(counts), entropy_bits=entropy, top_layout=top, top_share=counts[top] / n)
