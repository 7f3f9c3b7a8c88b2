"""Intervals by hand."""

import pytest

from her.stats import clustered_mean, clustered_score, share


def test_wilson_by_hand() -> None:
    # p = 8/10, z = 1.96: middle = (0.8 + 0.19207) / 1.38415 = 0.71674, half = 0.22659
    estimate = share(8, 10)
    assert estimate.low == pytest.approx(0.4902, abs=1e-3)
    assert estimate.high == pytest.approx(0.9433, abs=1e-3)
    assert share(0, 0).value is None
    assert str(share(0, 0)) == "no data (n=0)"


def test_clusters_widen_the_interval() -> None:
    values = [0.0] * 20 + [1.0] * 20
    lone = clustered_mean(values, [str(i) for i in range(40)], seed=1)
    paired = clustered_mean(values, [str(i // 10) for i in range(40)], seed=1)
    assert lone.value == paired.value == 0.5
    assert lone.low is not None
    assert paired.low is not None
    assert paired.low < lone.low
    assert paired == clustered_mean(values, [str(i // 10) for i in range(40)], seed=1)


def test_clusters_that_agree_are_not_certainty() -> None:
    # Four scenes without a win: Wilson of 0 in 4 ends at z^2 / (4 + z^2) = 0.48990.
    lost = clustered_score([0.0] * 12, [str(i % 4) for i in range(12)], seed=1)
    assert (lost.value, lost.low, lost.n) == (0.0, 0.0, 12)
    assert lost.high == pytest.approx(0.48990, abs=1e-4)
    ties = clustered_score([0.5] * 6, [str(i % 3) for i in range(6)], seed=1)
    assert ties.low is not None
    assert ties.high is not None
    assert ties.low < 0.25 < 0.75 < ties.high
    mixed = [0.0, 1.0, 0.5, 1.0]
    assert clustered_score(mixed, list("aabb"), seed=1) == clustered_mean(mixed, list("aabb"), seed=1)
