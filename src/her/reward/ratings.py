"""Ratings: from games to one number per reply, how sure it is, and how much of it to believe.

Ridge Bradley-Terry: P(first beats second) = sigmoid(theta_first - theta_second + position), a tie counting half a win
for each. The ridge is a Gaussian prior on theta and on the position: it keeps a reply that won all of its few games
finite, and centres a group. Games that were not read are simply not there; the judge's taste for a place is fitted so
that what is missing does not hand it to whoever stood there. Newton's method; the problem is convex.

The standard error is the posterior's (Laplace's approximation at the mode). Shrinkage answers the question that
group-std normalisation begs: do these replies differ at all? The variance of the ratings is compared with the variance
that equal replies would show by chance in the same games (positive-part empirical Bayes, James & Stein); what chance
explains is taken off.

One group and a thousand go through the same code. Shapes: B groups, R games, P parameters, n replies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her.reward.games import ANCHOR, Game

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """Ratings of B groups of n replies."""

    strengths_Bn: Floats
    """Logits, centred on the group."""
    errors_Bn: Floats
    """Posterior standard errors of the strengths, before shrinkage. A reply without games has the prior's."""
    position_B: Floats
    """Logits in favour of whoever stands first; 0 where it was not fitted."""
    belief_B: Floats
    """The share in [0, 1] of the strengths' variance that chance does not explain: max(0, 1 - V_chance / V_seen)."""


def rate(n: int, games: Sequence[Game], *, ridge: float = 0.5, fit_position: bool = True) -> Rated:
    """Rate one group. `ridge` is the prior's precision: 0.5 says that strengths spread by about 1.4 logits."""
    for g in games:
        if not (ANCHOR <= g.first < n and ANCHOR <= g.second < n and g.first != g.second and 0.0 <= g.score <= 1.0):
            raise ValueError(f"not a game among {n} replies: {g}")
    pairs = np.array([(g.first, g.second) for g in games], dtype=int).reshape(-1, 2)
    scores_BR = np.array([[g.score for g in games]])
    return rate_all(n, design(n, pairs, fit_position=fit_position), scores_BR, ridge=ridge)


def design(n: int, pairs: NDArray[np.int64], *, fit_position: bool = True) -> Floats:
    """Pairs (..., R, 2) to a design (..., R, n+2): +1 for who stands first, -1 for who stands second. Column n is the
    reference's; the last is the first place's own."""
    columns = np.arange(n + 1)
    first, second = (np.where(pairs[..., i] == ANCHOR, n, pairs[..., i]) for i in (0, 1))
    players = (first[..., None] == columns).astype(np.float64) - (second[..., None] == columns)
    place = np.full((*players.shape[:-1], 1), float(fit_position))
    x_RP: Floats = np.concatenate([players, place], axis=-1)
    return x_RP


def rate_all(n: int, design_RP: Floats, scores_BR: Floats, *, ridge: float = 0.5) -> Rated:
    """Rate B groups. The design is shared, (R, n+2), or of each group, (B, R, n+2); a score NaN is a missing game."""
    if ridge <= 0:
        raise ValueError(f"ridge must be positive, not {ridge}: without it an unbeaten reply has no finite rating")
    there_BR = (~np.isnan(scores_BR)).astype(np.float64)
    scores_BR = np.where(np.isnan(scores_BR), 0.5, scores_BR)
    w_BP = newton(design_RP, scores_BR, there_BR, ridge=ridge)
    prior = ridge * np.eye(n + 2)
    centre = np.eye(n) - 1.0 / max(1, n)
    strengths_Bn = w_BP[:, :n] @ centre
    p_BR = sigmoid(_times(design_RP, w_BP))
    posterior = np.linalg.inv(_gram(design_RP, there_BR * p_BR * (1 - p_BR)) + prior)
    errors_Bn = np.sqrt(np.diagonal(centre @ posterior[:, :n, :n] @ centre, axis1=1, axis2=2))
    # To first order: near equal strengths the fit is H^-1 X'(s - 1/2) with H = X'X/4 + ridge·I, and the covariance of
    # the scores s is v·I, v their variance about 1/2: 1/4, less where games tie.
    played_B = np.maximum(1.0, there_BR.sum(axis=1))
    v_B = (there_BR * (scores_BR - 0.5) ** 2).sum(axis=1) / played_B
    met = _gram(design_RP, there_BR)
    inverse = np.linalg.inv(met / 4 + prior)
    spread = (centre @ (inverse @ met @ inverse)[:, :n, :n] @ centre) * v_B[:, None, None]
    free = max(1, n - 1)
    chance_B = np.trace(spread, axis1=1, axis2=2) / free
    seen_B = (strengths_Bn**2).sum(axis=1) / free
    # A spread this small is rounding: every game was tied or cancelled.
    belief_B = np.where(seen_B > 1e-18, np.maximum(0.0, 1.0 - chance_B / np.maximum(seen_B, 1e-18)), 0.0)
    return Rated(strengths_Bn=strengths_Bn, errors_Bn=errors_Bn, position_B=w_BP[:, n + 1], belief_B=belief_B)


def newton(design_RP: Floats, target_BR: Floats, there_BR: Floats, *, ridge: float) -> Floats:
    """argmin_w  -sum_r [t log p + (1-t) log(1-p)] + ridge/2 |w|^2, p = sigmoid(X w), for B problems at once, (B, P).

    Rows of weight 0 are not there. Newton with step halving. A problem that is solved is left alone, so that its digits
    do not depend on what is solved beside it.
    """
    w_BP = np.zeros((len(target_BR), design_RP.shape[-1]))
    if not target_BR.size:
        return w_BP

    def losses(w: Floats) -> Floats:
        z = _times(design_RP, w)
        each_BR = there_BR * (np.logaddexp(0.0, z) - target_BR * z)
        loss: Floats = each_BR.sum(axis=1) + ridge / 2 * (w * w).sum(axis=1)
        return loss

    loss_B = losses(w_BP)
    eye = ridge * np.eye(w_BP.shape[1])
    for _ in range(50):
        p_BR = sigmoid(_times(design_RP, w_BP))
        gradient = _back(design_RP, there_BR * (p_BR - target_BR)) + ridge * w_BP
        open_B = np.abs(gradient).max(axis=1) >= 1e-10
        if not open_B.any():
            break
        hessian = _gram(design_RP, there_BR * p_BR * (1 - p_BR)) + eye
        step_BP = np.linalg.solve(hessian, gradient[..., None])[..., 0] * open_B[:, None]
        scale_B = np.ones(len(w_BP))
        while (worse := (losses(w_BP - scale_B[:, None] * step_BP) > loss_B + 1e-12) & (scale_B > 1e-6)).any():
            scale_B[worse] /= 2
        w_BP = w_BP - scale_B[:, None] * step_BP
        loss_B = losses(w_BP)
    return w_BP


def sigmoid(z: Floats) -> Floats:
    p: Floats = 1.0 / (1.0 + np.exp(-z))
    return p


def _times(x: Floats, w_BP: Floats) -> Floats:
    product: Floats = (x @ w_BP[..., None])[..., 0]
    return product


def _back(x: Floats, r_BR: Floats) -> Floats:
    product: Floats = (np.swapaxes(x, -1, -2) @ r_BR[..., None])[..., 0]
    return product


def _gram(x: Floats, weight_BR: Floats) -> Floats:
    """X' diag(weight) X, (B, P, P)."""
    product: Floats = (np.swapaxes(x, -1, -2) * weight_BR[:, None, :]) @ x
    return product
