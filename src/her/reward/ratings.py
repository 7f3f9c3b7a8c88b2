"""Ratings: from games to one number per reply, and how much of that number to believe.

Ridge Bradley-Terry: P(first beats second) = sigmoid(theta_first - theta_second + position), a tie counting half a win
for each. The ridge is a Gaussian prior on theta: it keeps a reply that won all of its few games finite, and centres a
group. Games that were not read are simply not there. Newton's method; the problem is convex.

Shrinkage answers the question that group-std normalisation begs: do these replies differ at all? The variance of the
ratings is compared with the variance that equal replies would show by chance in the same games (positive-part empirical
Bayes, James & Stein); what chance explains is taken off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from her.reward.games import Game

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """Strengths of each group's replies in logits, and the judge's pooled taste for the first place."""

    strengths: tuple[tuple[float, ...], ...]
    position: float
    """Logits in favour of whoever stands first; 0 where it was not fitted."""


def bradley_terry(
    groups: Sequence[tuple[int, Sequence[Game]]], *, ridge: float = 0.5, fit_position: bool = False
) -> Ratings:
    """Rate groups, each given as (number of replies, games). One position parameter is shared by all of them.

    `ridge` is the prior's precision: 0.5 says that strengths within a group spread by about 1.4 logits.
    """
    if ridge <= 0:
        raise ValueError(f"ridge must be positive, not {ridge}: without it an unbeaten reply has no finite rating")
    starts = np.cumsum([0, *(n for n, _ in groups)])
    size = int(starts[-1])
    rows: list[tuple[int, int, float]] = []
    for start, (n, games) in zip(starts, groups, strict=False):
        for g in games:
            if not (0 <= g.first < n and 0 <= g.second < n and g.first != g.second and 0.0 <= g.score <= 1.0):
                raise ValueError(f"not a game among {n} replies: {g}")
            rows.append((int(start) + g.first, int(start) + g.second, g.score))
    width = size + 1 if fit_position else size
    design = np.zeros((len(rows), width))
    for r, (first, second, _) in enumerate(rows):
        design[r, first], design[r, second] = 1.0, -1.0
        if fit_position:
            design[r, size] = 1.0
    solution = ridge_logistic(design, np.array([s for _, _, s in rows]), ridge=ridge)
    strengths = tuple(tuple(float(x) for x in solution[int(a) : int(b)]) for a, b in pairwise(starts))
    return Ratings(strengths=strengths, position=float(solution[size]) if fit_position else 0.0)


def ridge_logistic(design_RP: Floats, target_R: Floats, *, ridge: float) -> Floats:
    """argmin_w  -sum_r [t log p + (1-t) log(1-p)] + ridge/2 |w|^2, p = sigmoid(X w): Newton with step halving."""
    w = np.zeros(design_RP.shape[1])
    if not len(design_RP):
        return w
    loss = _loss(design_RP, target_R, w, ridge)
    for _ in range(50):
        p_R = 1.0 / (1.0 + np.exp(-(design_RP @ w)))
        gradient = design_RP.T @ (p_R - target_R) + ridge * w
        if float(np.abs(gradient).max()) < 1e-10:
            break
        hessian = (design_RP * (p_R * (1 - p_R))[:, None]).T @ design_RP + ridge * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while scale > 1e-6 and _loss(design_RP, target_R, w - scale * step, ridge) > loss + 1e-12:
            scale /= 2
        w = w - scale * step
        loss = _loss(design_RP, target_R, w, ridge)
    return w


def reliability(n: int, games: Sequence[Game], strengths: Sequence[float], *, ridge: float = 0.5) -> float:
    """The share in [0, 1] of the ratings' variance that chance does not explain: max(0, 1 - V_chance / V_seen).

    V_chance is to first order: near equal strengths the fit is H^-1 s with H = L/4 + ridge·I, L the Laplacian of the
    games, s the scores about 1/2; s has covariance v·L, v the variance of one score (1/4, less where games tie).
    """
    if n < 2 or not games:
        return 0.0
    laplacian = np.zeros((n, n))
    for g in games:
        edge = np.zeros(n)
        edge[g.first], edge[g.second] = 1.0, -1.0
        laplacian += np.outer(edge, edge)
    v = float(np.mean([(g.score - 0.5) ** 2 for g in games]))
    inverse = np.linalg.inv(laplacian / 4 + ridge * np.eye(n))
    chance = float(np.trace(inverse @ (v * laplacian) @ inverse)) / (n - 1)
    seen = float(np.var(np.asarray(strengths), ddof=1))
    return 0.0 if seen <= 0 else max(0.0, 1.0 - chance / seen)


def _loss(design_RP: Floats, target_R: Floats, w: Floats, ridge: float) -> float:
    z_R = design_RP @ w
    return float(np.sum(np.logaddexp(0.0, z_R) - target_R * z_R) + ridge / 2 * w @ w)
