"""Novelty: a template among good replies loses to a reply of its own; noise and bad replies earn nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_cases import rewarded

from her.reward.novelty import NoveltyConfig, novelty, with_novelty
from her.schema import Part, Turn


def _turn(text: str, *, thought: str | None = None) -> Turn:
    parts = (Part(kind="thought", text=thought),) if thought else ()
    return Turn(id=text[:8], speaker="Ann", parts=(*parts, Part(kind="speech", text=text)))


COPY = "the lamp is out and so am I"
OWN = "ask the ferryman, he rowed them over"


def test_a_copy_has_no_novelty_and_a_reply_of_its_own_has_all() -> None:
    assert novelty([_turn(COPY), _turn(COPY), _turn(OWN, thought="Not I.")], gram=3) == pytest.approx([0.5, 0.5, 1.0])
    assert novelty([_turn(COPY), _turn(COPY)], gram=3) == [0.0, 0.0]


def test_among_equals_the_new_one_wins_and_the_mean_stays() -> None:
    group = [
        rewarded(1.0, _turn(COPY)),
        rewarded(1.0, _turn(COPY)),
        rewarded(1.0, _turn(OWN)),
        rewarded(-1.0, _turn("no")),
    ]
    found = [r.reward or 0 for r in with_novelty(group, NoveltyConfig(weight=0.1))]
    assert found[2] > 1.0 > found[0] == found[1]
    assert found[3] == -1.0, "a bad reply earns nothing by being odd"
    assert sum(found) == pytest.approx(2.0)


def test_a_group_without_differences_stays_without_a_signal() -> None:
    group = [rewarded(0.0, _turn(COPY)), rewarded(0.0, _turn(OWN)), rewarded(0.0, _turn("no"))]
    assert with_novelty(group, NoveltyConfig(weight=0.5)) == group


@given(st.lists(st.none() | st.floats(-2, 2), min_size=1, max_size=8), st.floats(0, 0.5))
def test_nothing_unread_becomes_a_number_and_no_reward_moves_further_than_its_share(
    rewards: list[float | None], weight: float
) -> None:
    group = [rewarded(r, _turn(f"{COPY} {i % 3}")) for i, r in enumerate(rewards)]
    known = [r for r in rewards if r is not None]
    spread = max(known) - min(known) if known else 0.0
    for before, after in zip(group, with_novelty(group, NoveltyConfig(weight=weight)), strict=True):
        assert (before.reward is None) == (after.reward is None)
        if before.reward is not None and after.reward is not None:
            assert abs(before.reward - after.reward) <= weight * spread + 1e-9
            assert before.model_copy(update={"reward": 0.0}) == after.model_copy(update={"reward": 0.0})
