"""Simulation: the schedules against known qualities (a port of the argument for circulant games, in numpy).

Qualities N(0,1); the judge is logistic in their difference with slope 1.5, ties where the two are hard to tell apart
(about 15%), and favours the first place by N(0.5, 0.5) logits, one draw per group.
"""

import numpy as np

from her.reward.games import Game, circulant
from her.reward.ratings import bradley_terry, reliability

GROUP = 8


def _game(rng: np.random.Generator, difference: float, position: float) -> float:
    """Rao & Kupper's ties: a band of 0.5 logits on each side."""
    z = 1.5 * difference + position
    win, loss = 1 / (1 + np.exp(-(z - 0.5))), 1 / (1 + np.exp(z + 0.5))
    u = rng.random()
    return 1.0 if u < win else 0.0 if u < win + loss else 0.5


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return 0.0 if a.std() == 0 else float(np.corrcoef(a, b)[0, 1])


def test_circulant_with_bradley_terry_tells_more_than_one_anchor() -> None:
    rng = np.random.default_rng(7)
    circle, fixed, strong = [], [], []
    for _ in range(250):
        quality = rng.normal(size=GROUP)
        position = rng.normal(0.5, 0.5)
        games = [
            Game(first=i, second=j, score=_game(rng, quality[i] - quality[j], position)) for i, j in circulant(GROUP, 2)
        ]
        circle.append(_correlation(np.array(bradley_terry([(GROUP, games)]).strengths[0]), quality))
        fixed.append(_correlation(np.array([_game(rng, q, position) for q in quality]), quality))
        strong.append(_correlation(np.array([_game(rng, q - 2.0, position) for q in quality]), quality))
    assert np.mean(circle) > 0.70
    assert 0.40 < np.mean(fixed) < 0.62
    assert np.mean(strong) < np.mean(fixed)
    assert np.mean(circle) > np.mean(fixed) + 0.12


def test_belief_falls_on_equal_replies_and_not_on_different_ones() -> None:
    rng = np.random.default_rng(11)
    beliefs: dict[float, list[float]] = {0.0: [], 2.0: []}
    for spread in beliefs:
        for _ in range(150):
            quality = spread * rng.normal(size=GROUP)
            games = [
                Game(first=i, second=j, score=_game(rng, quality[i] - quality[j], 0.5)) for i, j in circulant(GROUP, 2)
            ]
            beliefs[spread].append(reliability(GROUP, games, bradley_terry([(GROUP, games)]).strengths[0]))
    assert np.mean(np.array(beliefs[0.0]) == 0.0) > 0.4
    assert np.mean(np.array(beliefs[2.0]) == 0.0) < 0.05
    assert np.mean(beliefs[0.0]) < 0.2 < 0.4 < np.mean(beliefs[2.0])


def test_balance_cancels_the_habit_of_a_judge_that_hears_nothing() -> None:
    """Equal replies, a judge that favours the first place: every slot gets the same on average."""
    rng = np.random.default_rng(3)
    slots = np.zeros(GROUP)
    for _ in range(400):
        for i, j in circulant(GROUP, 2):
            score = _game(rng, 0.0, 1.0)
            slots[i] += score
            slots[j] += 1 - score
    assert np.abs(slots / (400 * 4) - 0.5).max() < 0.035
