"""Simulation: the schedules against known qualities; `python -m bench.reward` prints the whole table."""

import numpy as np
import pytest

from her.reward.games import ANCHOR, Schedule, anchor, circulant
from her.reward.score import batch_scaled
from her.reward.tournament import Tournament, World, correlations, dead, fitted, play

GROUP = 8
CIRCLE, ANCHORED = Schedule(name="circulant", k=2), Schedule(name="anchor")


def _play(schedule: Schedule, *, groups: int = 600, seed: int = 7, **world: float) -> Tournament:
    return play(schedule, groups=groups, n=GROUP, world=World(**world), rng=np.random.default_rng(seed))


def _told(tournament: Tournament) -> float:
    return float(correlations(fitted(tournament), tournament.qualities_Bn).mean())


def test_circulant_with_bradley_terry_tells_more_than_one_anchor() -> None:
    circle, fixed, strong = _play(CIRCLE), _play(ANCHORED), _play(ANCHORED, reference=2.0)
    assert (circle.calls, fixed.calls) == (16, 8)
    assert _told(circle) >= 0.75
    told = [float(correlations(t.means(), t.qualities_Bn).mean()) for t in (fixed, strong)]
    assert told[0] == pytest.approx(0.54, abs=0.04)
    assert told[1] < 0.42
    assert dead(strong.means()).mean() > 0.12 > 0.02 > dead(circle.means()).mean()


def test_the_judge_of_the_simulation_is_as_said() -> None:
    """About 15% ties, and about 83% of the decided games go to the better reply where no place is favoured."""
    t = _play(CIRCLE, favour=0.0, favour_spread=0.0, groups=2000)
    ties = float((t.scores_BR == 0.5).mean())
    better = np.einsum("brp,bp->br", t.design_BRP[..., :GROUP], t.qualities_Bn) > 0
    decided = t.scores_BR != 0.5
    assert ties == pytest.approx(0.15, abs=0.02)
    assert float(((t.scores_BR == 1.0) == better)[decided].mean()) == pytest.approx(0.83, abs=0.02)


def test_knockout_depends_on_what_came_before_and_costs_2n_less_1() -> None:
    t = _play(Schedule(name="knockout"), groups=100)
    assert t.calls == 2 * GROUP - 1
    assert 0.55 < _told(t) < _told(_play(CIRCLE))


def test_missing_games_cost_some_of_the_signal_and_no_more() -> None:
    whole, holed = _told(_play(CIRCLE)), _told(_play(CIRCLE, unread=0.25))
    assert 0.6 < holed < whole


def test_belief_falls_on_equal_replies_and_not_on_different_ones() -> None:
    equal, different = (dead(fitted(_play(CIRCLE, spread=s, seed=11), shrink=True)).mean() for s in (0.0, 2.0))
    assert equal > 0.4
    assert different < 0.02


def test_shrinkage_and_batch_scaling_beat_the_group_s_own_deviation() -> None:
    """A batch mixes groups whose replies differ and groups whose replies do not."""
    found: dict[str, list[float]] = {"group": [], "batch": [], "shrunk": []}
    parts = [_play(CIRCLE, spread=s, seed=i, groups=100) for i, s in enumerate((0.0, 0.5, 1.0, 2.0))]
    truth = np.concatenate([p.qualities_Bn - p.qualities_Bn.mean(axis=1, keepdims=True) for p in parts])
    raw = np.concatenate([fitted(p) for p in parts])
    shrunk = np.concatenate([fitted(p, shrink=True) for p in parts])
    by_group = raw / np.maximum(raw.std(axis=1, keepdims=True), 1e-9)
    for name, advantages in (("group", by_group), ("batch", raw), ("shrunk", shrunk)):
        scaled = np.array(batch_scaled(advantages.tolist()), dtype=float)
        found[name].append(float(np.corrcoef(scaled.ravel(), truth.ravel())[0, 1]))
    assert found["group"] < found["batch"] < found["shrunk"]


def test_balance_cancels_the_habit_of_a_judge_that_hears_nothing() -> None:
    """Equal replies, a judge that favours the first place: every slot gets the same on average."""
    t = _play(CIRCLE, spread=0.0, favour=1.0, groups=800)
    assert np.abs(t.means().mean(axis=0) - 0.5).max() < 0.025


def test_any_list_of_pairs_can_be_played() -> None:
    pairs = [*circulant(GROUP, 1), *anchor(GROUP, both_orders=False)]
    t = play(pairs, groups=3, n=GROUP, world=World(), rng=np.random.default_rng(0))
    assert t.calls == 16
    assert (t.design_BRP[:, 8:, GROUP] == -1).all(), f"{ANCHOR} is the reference's column"
