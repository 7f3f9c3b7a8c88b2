"""Coding rate: which few of many vectors span the most, chosen exactly and the same way each time.

R(S) = 1/2 log det(I + Z_S Z_S' / eps^2), in nats, for unit vectors Z: the bits it takes to tell S apart up to a
distortion eps. It grows with every vector and grows less the more it holds (monotone and submodular), so the greedy
choice is within 1 - 1/e of the best. The gain of a vector is 1/2 log of its pivot in a Cholesky factor that grows by a
row a step: no determinant is computed twice, nothing is sampled, and the whole pool is looked at at every step.

Choosing rubrics by coding rate is Auto-Rubric's idea (arXiv 2510.17314, after MCR^2, Yu et al. 2020). MCR^2 divides by
the size of the set, which makes adding a vector able to lower the rate; here the distortion is that of a single vector.
Knows nothing of principles.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TIE = 1e-9
"""Gains closer than this, in nats, are equal: the rounding of a dot product is about 1e-15, and equal texts differ in
nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One chosen vector."""

    index: int
    gain_nats: float


def coding_rate(vectors_ND: NDArray[np.float64], *, distortion: float) -> float:
    """R of all the given unit vectors, in nats, from the definition."""
    gram_NN = vectors_ND @ vectors_ND.T
    _, logdet = np.linalg.slogdet(np.eye(len(gram_NN)) + gram_NN / distortion**2)
    return 0.5 * float(logdet)


def new_vector_gain(distortion: float) -> float:
    """The gain of a unit vector at right angles to all others, in nats: no vector gains more."""
    return 0.5 * math.log1p(1 / distortion**2)


def choose(
    vectors_ND: NDArray[np.float64], *, most: int, distortion: float, least_share: float, seed: int
) -> list[Pick]:
    """Greedily, the vectors that add most, at most `most` of them.

    Stops where the best left adds less than `least_share` of what a vector at right angles to all would. Equal gains
    are told apart by a seeded order. Raises ValueError for vectors that are not finite and of length 1: a zero vector
    stands for a failure, and a failure is no candidate.
    """
    lengths_N = np.linalg.norm(vectors_ND, axis=1) if len(vectors_ND) else np.zeros(0)
    if not np.allclose(lengths_N, 1.0, atol=1e-6):
        raise ValueError("a vector is not finite and of length 1; leave out what could not be embedded")
    n = len(vectors_ND)
    matrix_NN = np.eye(n) + (vectors_ND @ vectors_ND.T) / distortion**2
    rank_N = np.random.default_rng(seed).permutation(n)
    pivot_N = np.diag(matrix_NN).copy()
    factor_KN = np.zeros((min(most, n), n))
    left = list(range(n))
    picks: list[Pick] = []
    while left and len(picks) < most:
        gains = {i: 0.5 * math.log(max(float(pivot_N[i]), 1.0)) for i in left}
        best = max(gains.values())
        index = min((i for i in left if gains[i] >= best - _TIE), key=lambda i: rank_N[i])
        if gains[index] < least_share * new_vector_gain(distortion):
            break
        row_N = (matrix_NN[index] - factor_KN[: len(picks), index] @ factor_KN[: len(picks)]) / math.sqrt(
            float(pivot_N[index])
        )
        factor_KN[len(picks)] = row_N
        pivot_N = pivot_N - row_N**2
        picks.append(Pick(index=index, gain_nats=gains[index]))
        left.remove(index)
    return picks


def nearest(vectors_ND: NDArray[np.float64], chosen: Sequence[int], index: int) -> int:
    """Of the chosen vectors, the one most like this."""
    return max(chosen, key=lambda c: (float(vectors_ND[c] @ vectors_ND[index]), -c))
