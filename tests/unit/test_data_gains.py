"""Choosing samples by gain: limits, shares, ties, and samples without a gain."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her.data.gains import GainRule, gain_gate
from her.errors import InputError
from her.schema import Gain, Part, Turn


def gain(value: float, *, scorer: str = "s") -> Gain:
    return Gain(
        layer="thought", scorer=scorer, tokens=4, given=-2.0, without=-2.5, shuffled=-2.6, copied=0.0, value=value
    )


def kept(rule: GainRule, values: dict[str, float]) -> list[str]:
    gate = gain_gate(rule, [(i, gain(v)) for i, v in values.items()])
    return sorted(i for i, v in values.items() if gate.refusal(i, gain(v)) is None)


VALUES = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.sampled_from([-1.0, 0.0, 0.25, 0.5]), min_size=1)


@given(VALUES, st.sampled_from([0.07, 0.3, 0.5, 1.0]), st.integers(0, 5))
def test_the_top_share_has_its_size_and_nothing_better_is_left_out(
    values: dict[str, float], top: float, seed: int
) -> None:
    rule = GainRule(top=top, seed=seed)
    chosen = kept(rule, values)
    assert len(chosen) == max(1, math.ceil(round(top * len(values), 6)))
    left = [values[i] for i in values if i not in chosen]
    assert not left or max(left) <= min(values[i] for i in chosen)
    assert kept(rule, dict(reversed(values.items()))) == chosen


def test_ties_fall_by_seed_and_not_by_order() -> None:
    values = {f"d:{i}": 0.5 for i in range(20)}
    chosen = {seed: kept(GainRule(top=0.5, seed=seed), values) for seed in (1, 2)}
    assert chosen[1] != chosen[2]
    assert len(chosen[1]) == len(chosen[2]) == 10


def test_limits_have_their_own_reasons_and_both_must_be_met() -> None:
    measured = [("a", gain(0.4)), ("b", gain(0.2)), ("c", gain(-0.1)), ("d", gain(-0.2))]
    gate = gain_gate(GainRule(least=0.3, top=0.75), measured)
    assert {i: gate.refusal(i, g) for i, g in measured} == {
        "a": None,
        "b": "below_min_gain",
        "c": "below_min_gain",
        "d": "below_min_gain",
    }
    assert gain_gate(GainRule(top=0.25), measured).refusal("b", gain(0.2)) == "below_top_gain"


def test_a_sample_without_a_gain_fails_every_rule_and_no_other() -> None:
    assert gain_gate(GainRule(), []).refusal("a", None) is None
    assert gain_gate(GainRule(least=-9.0), []).refusal("a", None) == "no_gain"
    assert gain_gate(GainRule(top=1.0), []).refusal("a", None) == "no_gain"


def test_gains_of_two_scorers_are_not_ranked_together() -> None:
    with pytest.raises(InputError, match="2 scorers"):
        gain_gate(GainRule(least=0.0), [("a", gain(0.1)), ("b", gain(0.1, scorer="t"))])


def test_the_gain_of_the_rule_s_layer_is_read() -> None:
    turn = Turn(id="t", speaker="Ann", parts=(Part(kind="speech", text="No."),), gains=(gain(0.1),))
    assert GainRule().gain(turn) == gain(0.1)
    assert GainRule(layer="system_thinking").gain(turn) is None
