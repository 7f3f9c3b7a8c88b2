"""Ratings by hand."""

import math

import numpy as np
import pytest

from her.reward.games import Game, circulant
from her.reward.ratings import bradley_terry, reliability


def test_one_win_between_two() -> None:
    """By symmetry theta = (t, -t). The gradient is zero where ridge·t = 1 - sigmoid(2t).

    With ridge 0.5: try t = 0.5: 0.25 against 1 - sigmoid(1) = 1 - 0.731059 = 0.268941: t a little larger.
    Newton from there: f(t) = 0.5t - 1 + sigmoid(2t), f(0.5) = -0.018941,
    f'(0.5) = 0.5 + 2·0.731059·0.268941 = 0.893224, so t = 0.5 + 0.018941/0.893224 = 0.521205;
    the next step adds about 0.0001.
    """
    (strong, weak), *_ = bradley_terry([(2, [Game(first=0, second=1, score=1.0)])], ridge=0.5).strengths
    assert strong == pytest.approx(-weak)
    assert 0.5 * strong == pytest.approx(1 - 1 / (1 + math.exp(-2 * strong)), abs=1e-9)
    assert strong == pytest.approx(0.5212, abs=3e-4)


def test_a_tie_is_half_a_win_for_each() -> None:
    tie = bradley_terry([(2, [Game(first=0, second=1, score=0.5)])]).strengths[0]
    assert tie == pytest.approx((0.0, 0.0), abs=1e-12)


def test_a_cycle_is_level_and_a_reply_without_games_is_at_the_prior() -> None:
    games = [Game(first=0, second=1, score=1.0), Game(first=1, second=2, score=1.0), Game(first=2, second=0, score=1.0)]
    assert bradley_terry([(4, games)]).strengths[0] == pytest.approx((0, 0, 0, 0), abs=1e-9)


def test_pooled_position_absorbs_a_habit() -> None:
    """Whoever stands first always wins, in balanced games: all the credit goes to the place, none to the replies."""
    games = [Game(first=i, second=j, score=1.0) for i, j in circulant(4, 1)]
    fitted = bradley_terry([(4, games), (4, games)], fit_position=True)
    assert fitted.position > 1.0
    assert np.abs(np.array(fitted.strengths)).max() < 1e-9


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
    strengths = bradley_terry([(2, games)], ridge=0.5).strengths[0]
    assert strengths[0] == pytest.approx(0.7408, abs=3e-4)
    assert reliability(2, games, strengths, ridge=0.5) == pytest.approx(0.595, abs=2e-3)


def test_belief_is_zero_where_nothing_was_seen() -> None:
    assert reliability(3, [], (0.0, 0.0, 0.0)) == 0.0
    ties = [Game(first=i, second=j, score=0.5) for i, j in circulant(4, 1)]
    assert reliability(4, ties, bradley_terry([(4, ties)]).strengths[0]) == 0.0


def test_refuses_what_is_no_game() -> None:
    with pytest.raises(ValueError, match="not a game"):
        bradley_terry([(2, [Game(first=0, second=2, score=1.0)])])
    with pytest.raises(ValueError, match="ridge"):
        bradley_terry([(2, [])], ridge=0.0)
    assert bradley_terry([(0, []), (2, [])]).strengths == ((), (0.0, 0.0))
