"""Length: how long a reply is in each layer, and how much of a verdict it explains.

A judge's taste for length is seen in two figures. The share of decided pairs won by the longer is easy to read; the
rank correlation also sees how much longer. Both stand beside the labels' own, for labels follow length too. Each pair
counts in both orders, so that neither figure depends on who stands first.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from her.reward.gates import words
from her.schema import Comparison, Record, Turn, Winner
from her.stats import Estimate, share

Layer = Literal["reply", "thought", "action", "speech"]
Judged = tuple[Comparison, Winner]
Floats = NDArray[np.float64]
_SIGN: dict[Winner, int] = {"cand_1": 1, "tie": 0, "cand_2": -1}


class LengthBias(Record):
    """Who is preferred where lengths differ. A judge's share far from the labels' is a taste of the judge; a labels'
    share far from 1/2 is a way to guess them without reading."""

    layer: Layer
    judged: Estimate
    """Share of decided pairs won by the longer."""
    labelled: Estimate
    """Share of labelled pairs won by the longer."""


class LengthCorrelation(Record):
    """Spearman's correlation between how much longer a reply is and how it is judged: 1 would be length alone."""

    judged: Estimate
    labelled: Estimate


def length(turn: Turn, layer: Layer) -> int:
    """Words of one layer, or of all three (`reply`)."""
    return sum(len(words(p.text)) for p in turn.parts if layer in ("reply", p.kind))


def won_by_longer(rows: Sequence[Judged], layer: Layer) -> Estimate:
    """Share of decided rows won by the longer; rows of equal length have none."""
    lengths = [(length(c.cand_1, layer), length(c.cand_2, layer), w) for c, w in rows if w != "tie"]
    differ = [(a > b) == (w == "cand_1") for a, b, w in lengths if a != b]
    return share(sum(differ), len(differ))


def length_correlation(rows: Sequence[Judged], *, seed: int, draws: int = 2000) -> Estimate:
    """Spearman's correlation of difference in words with verdict, over rows and their mirror images; interval by
    resampling scenes. No value where no length differs or nothing was decided."""
    x_N = _signed_ranks(np.array([length(c.cand_1, "reply") - length(c.cand_2, "reply") for c, _ in rows], dtype=float))
    y_N = _signed_ranks(np.array([_SIGN[w] for _, w in rows], dtype=float))
    if not (x_N.any() and y_N.any()):
        return Estimate(value=None, low=None, high=None, n=0)
    scenes = sorted({c.scene.id for c, _ in rows})
    place_N = np.array([scenes.index(c.scene.id) for c, _ in rows])
    sums_C3 = np.stack([np.bincount(place_N, weights=w) for w in (x_N * y_N, x_N * x_N, y_N * y_N)], axis=1)
    picks_DC = np.random.default_rng(seed).integers(0, len(scenes), size=(draws, len(scenes)))
    drawn_D3 = sums_C3[picks_DC].sum(axis=1)
    usable_D3 = drawn_D3[(drawn_D3[:, 1] > 0) & (drawn_D3[:, 2] > 0)]
    low, high = np.quantile(_correlation(usable_D3), [0.025, 0.975])
    value = float(_correlation(sums_C3.sum(axis=0)[None])[0])
    return Estimate(value=value, low=float(low), high=float(high), n=len(rows))


def _correlation(sums_D3: Floats) -> Floats:
    found: Floats = sums_D3[:, 0] / np.sqrt(sums_D3[:, 1] * sums_D3[:, 2])
    return found


def _signed_ranks(values_N: Floats) -> Floats:
    """Ranks among the values and their negatives, with the mean taken off: antisymmetric, ties share a rank."""
    every = np.concatenate([values_N, -values_N])
    _, place, counts = np.unique(every, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    ranks: Floats = middle[place] - (len(every) + 1) / 2
    return ranks[: len(values_N)]
