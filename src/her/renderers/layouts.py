"""How varied the order of parts is: HER's pattern collapse, measured (HER §5.4).

A policy under reward may come to write `thought>action>speech` every time. Entropy and the share of the most frequent
layout show it live. Of whole dialogues, how many orders one dialogue has and how long one order goes on are seen too:
what a model learns from is a run of them, not their sum.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from her.schema import ENVIRONMENT, Record, Turn


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


class Layouts(Record):
    """Layouts of dialogues, the Environment's turns left out."""

    turns: LayoutStats
    counts: dict[str, int]
    """Layout to turns, by name."""
    per_dialogue: float | None
    """Distinct layouts in a dialogue, on average; None where no dialogue has a turn."""
    longest_run: int
    """Most turns in a row, within one dialogue, that share a layout."""


def dialogue_layouts(dialogues: Iterable[Sequence[Turn]]) -> Layouts:
    """The layouts of every dialogue's turns, in order."""
    spoken = [[t for t in turns if t.speaker != ENVIRONMENT] for turns in dialogues]
    orders = [[t.layout() for t in turns] for turns in spoken if turns]
    counts = Counter(order for one in orders for order in one)
    return Layouts(
        turns=layout_stats(t for turns in spoken for t in turns),
        counts=dict(sorted(counts.items())),
        per_dialogue=sum(len(set(o)) for o in orders) / len(orders) if orders else None,
        longest_run=max((len(list(run)) for o in orders for _, run in groupby(o)), default=0),
    )
