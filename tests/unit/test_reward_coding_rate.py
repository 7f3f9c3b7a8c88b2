"""The coding rate against its definition: every gain, every choice, by brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from her.reward.induction.coding_rate import choose, coding_rate, nearest, new_vector_gain

EPS = 0.3


def _unit(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float64]:
    rows = rng.normal(size=(n, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 9), d=st.integers(1, 6))
def test_the_growing_factor_gives_the_exact_greedy_choice(seed: int, n: int, d: int) -> None:
    vectors_ND = _unit(np.random.default_rng(seed), n, d)
    picks = choose(vectors_ND, most=n, distortion=EPS, least_share=1e-9, seed=seed)
    chosen: list[int] = []
    for pick in picks:
        before = coding_rate(vectors_ND[chosen], distortion=EPS) if chosen else 0.0
        gains = {i: coding_rate(vectors_ND[[*chosen, i]], distortion=EPS) - before for i in range(n) if i not in chosen}
        assert pick.gain_nats == pytest.approx(gains[pick.index], abs=1e-9)
        assert gains[pick.index] == pytest.approx(max(gains.values()), abs=1e-8)
        chosen.append(pick.index)
    assert sum(p.gain_nats for p in picks) == pytest.approx(coding_rate(vectors_ND[chosen], distortion=EPS), abs=1e-8)
    assert [p.gain_nats for p in picks] == sorted((p.gain_nats for p in picks), reverse=True)


def test_the_numbers_of_two_vectors() -> None:
    """eps^2 = 0.5: the first gains 1/2 log 3. One at right angles gains as much; the same again, 1/2 log(5/3)."""
    eps = math.sqrt(0.5)
    assert new_vector_gain(eps) == pytest.approx(0.5 * math.log(3))
    apart = choose(np.eye(2), most=2, distortion=eps, least_share=0.5, seed=0)
    assert [p.gain_nats for p in apart] == pytest.approx([0.5 * math.log(3)] * 2)
    same = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert coding_rate(same, distortion=eps) == pytest.approx(0.5 * math.log(5))
    (first, second) = choose(same, most=2, distortion=eps, least_share=0.1, seed=0)
    assert second.gain_nats == pytest.approx(0.5 * math.log(5 / 3))
    assert len(choose(same, most=2, distortion=eps, least_share=0.5, seed=0)) == 1
    assert nearest(same, [first.index], second.index) == first.index


def test_ties_are_seeded_and_nothing_else_is() -> None:
    firsts = {choose(np.eye(6), most=1, distortion=EPS, least_share=0.5, seed=s)[0].index for s in range(40)}
    assert len(firsts) > 2
    vectors_ND = _unit(np.random.default_rng(3), 12, 5)
    runs = [choose(vectors_ND, most=5, distortion=EPS, least_share=1e-9, seed=4) for _ in range(2)]
    assert runs[0] == runs[1]
    later = choose(np.eye(6), most=6, distortion=EPS, least_share=0.5, seed=9)
    assert sorted(p.index for p in later) == list(range(6))


@pytest.mark.parametrize("row", [[0.0, 0.0], [2.0, 0.0], [math.nan, 0.0], [math.inf, 0.0]])
def test_what_is_no_direction_is_refused(row: list[float]) -> None:
    with pytest.raises(ValueError, match="not finite and of length 1"):
        choose(np.array([[1.0, 0.0], row]), most=2, distortion=EPS, least_share=0.5, seed=0)


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose(np.zeros((0, 4)), most=3, distortion=EPS, least_share=0.5, seed=0) == []
