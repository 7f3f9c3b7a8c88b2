"""Ratings by hand."""

import math

import numpy as np
import pytest

from her.reward.games import Game, circulant
from her.reward.ratings import design, rate, rate_all


def _strengths(n: int, games: list[Game]) -> tuple[float, ...]:
    return tuple(float(s) for s in rate(n, games, ridge=0.5, fit_position=False).strengths_Bn[0])


def _belief(n: int, games: list[Game]) -> float:
    return float(rate(n, games, ridge=0.5).belief_B[0])


def test_one_win_between_two() -> None:
    """By symmetry theta = (t, -t). The gradient is zero where ridge·t = 1 - sigmoid(2t).

    With ridge 0.5: try t = 0.5: 0.25 against 1 - sigmoid(1) = 1 - 0.731059 = 0.268941: t a little larger.
    Newton from there: f(t) = 0.5t - 1 + sigmoid(2t), f(0.5) = -0.018941,
    f'(0.5) = 0.5 + 2·0.731059·0.268941 = 0.893224, so t = 0.5 + 0.018941/0.893224 = 0.521205;
    the next step adds about 0.0001.
    """
    strong, weak = _strengths(2, [Game(first=0, second=1, score=1.0)])
    assert strong == pytest.approx(-weak)
    assert 0.5 * strong == pytest.approx(1 - 1 / (1 + math.exp(-2 * strong)), abs=1e-9)
    assert strong == pytest.approx(0.5212, abs=3e-4)


def test_a_tie_is_half_a_win_for_each() -> None:
    tie = _strengths(2, [Game(first=0, second=1, score=0.5)])
    assert tie == pytest.approx((0.0, 0.0), abs=1e-12)


def test_a_cycle_is_level_and_a_reply_without_games_is_at_the_prior() -> None:
    games = [Game(first=0, second=1, score=1.0), Game(first=1, second=2, score=1.0), Game(first=2, second=0, score=1.0)]
    assert _strengths(4, games) == pytest.approx((0, 0, 0, 0), abs=1e-9)


def test_position_absorbs_a_habit_where_games_are_missing() -> None:
    """Whoever stands first always wins. Balanced: all credit goes to the place. With the last game missing, replies 0
    and 3 stood in unequal places, and without the place in the fit they would be told apart by that alone."""
    games = [Game(first=i, second=j, score=1.0) for i, j in circulant(4, 1)]
    fitted = rate(4, games)
    assert fitted.position_B[0] > 1.0
    assert np.abs(fitted.strengths_Bn).max() < 1e-9
    spread = [np.ptp(rate(4, games[:3], fit_position=fit).strengths_Bn) for fit in (True, False)]
    assert spread[0] < 0.8 * spread[1]


def test_standard_error_by_hand() -> None:
    """Two tied replies, one game, no place: H = [[1/4,-1/4],[-1/4,1/4]] + 1/2 I. Along u = (1,-1)/sqrt2, the only
    direction left when centred, H u = (1/2 + 1/2) u, so the centred covariance is u u' / 1 = [[.5,-.5],[-.5,.5]] and
    each error sqrt(.5). Without a game it is that of the prior: sqrt(1/0.5 · 1/2) = 1."""
    tied = rate(2, [Game(first=0, second=1, score=0.5)], ridge=0.5, fit_position=False)
    assert tied.errors_Bn[0] == pytest.approx([math.sqrt(0.5)] * 2)
    assert rate(2, [], ridge=0.5).errors_Bn[0] == pytest.approx([1.0, 1.0])


def test_belief_by_hand() -> None:
    """Two replies, two games (one in each order), reply 0 wins both. ridge 0.5.

    L = [[2,-2],[-2,2]], H = L/4 + 0.5 I = [[1,-.5],[-.5,1]], H^-1 = [[4/3,2/3],[2/3,4/3]].
    L's only direction is u = (1,-1)/sqrt2 with L u = 4u and H^-1 u = (2/3) u, so
    trace(H^-1 (v L) H^-1) = v·4·(2/3)^2 = 16v/9; v = mean (1-1/2)^2 = 1/4, so V_chance = (4/9)/(2-1) = 0.444444.
    The fit: 0.5 t = 2 (1 - sigmoid(2t)), t = 0.8; check: 2(1 - sigmoid(1.6)) = 2·0.167982 = 0.335964 < 0.4, so
    t < 0.8; t = 0.75: 2(1 - sigmoid(1.5)) = 0.364851 < 0.375; t = 0.742: 2(1 - sigmoid(1.484)) = 0.369716 < 0.371;
    t = 0.7408 solves it to four places. V_seen = var(t,-t) = 2t^2 = 1.0976, belief = 1 - 0.4444/1.0976 = 0.595.
    """
    games = [Game(first=0, second=1, score=1.0), Game(first=1, second=0, score=0.0)]
    assert _strengths(2, games)[0] == pytest.approx(0.7408, abs=3e-4)
    assert _belief(2, games) == pytest.approx(0.595, abs=2e-3), "balanced games: the place explains nothing"


def test_belief_is_zero_where_nothing_was_seen() -> None:
    assert _belief(3, []) == 0.0
    assert _belief(4, [Game(first=i, second=j, score=0.5) for i, j in circulant(4, 1)]) == 0.0


def test_a_group_s_digits_do_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(5)
    pairs = np.array(circulant(6, 2))
    scores = rng.choice([0.0, 0.5, 1.0, np.nan], size=(40, len(pairs)))
    together = rate_all(6, design(6, pairs), scores)
    for b in range(40):
        alone = rate_all(6, design(6, pairs), scores[b : b + 1])
        assert np.allclose(alone.strengths_Bn[0], together.strengths_Bn[b], rtol=0, atol=1e-12)
        games = [
            Game(first=int(i), second=int(j), score=float(s))
            for (i, j), s in zip(pairs, scores[b], strict=True)
            if not np.isnan(s)
        ]
        assert np.allclose(rate(6, games).strengths_Bn[0], alone.strengths_Bn[0], rtol=0, atol=1e-9)


def test_refuses_what_is_no_game() -> None:
    for bad in (
        Game(first=0, second=2, score=1.0),
        Game(first=1, second=1, score=1.0),
        Game(first=0, second=1, score=2),
    ):
        with pytest.raises(ValueError, match="not a game"):
            rate(2, [bad])
    with pytest.raises(ValueError, match="ridge"):
        rate(2, [], ridge=0.0)
    assert rate(0, []).strengths_Bn.shape == (1, 0)
    assert not rate(2, []).strengths_Bn.any()
