"""Intervals by hand."""

import pytest

from her.stats import clustered_mean, share


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
