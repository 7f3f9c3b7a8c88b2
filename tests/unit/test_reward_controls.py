"""What does not read, and what a report says of length, mixture and cost."""

import asyncio
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_cases import RuleJudge, comparison, preference, turn

from her.llm.ledger_rows import Tally
from her.reward.controls import OverlapJudge, RandomJudge
from her.reward.length import length_correlation
from her.reward.measure import measure, mixed_selection
from her.schema import Comparison, Decided, PrincipleFinding, Scene, Unparsed, Winner


def _pair(first: int, second: int, *, scene: str = "mill") -> Comparison:
    c = comparison(turn("a " * first + "x"), turn("b " * second + "x"))
    return c.model_copy(update={"scene": Scene.model_validate({**c.scene.model_dump(), "id": scene})})


def test_length_correlation_by_hand() -> None:
    """Differences 2, 1 and -3, all won by cand_1. With their mirror images the differences -3 -2 -1 1 2 3 have the
    ranks -2.5 to 2.5 and the verdicts ranks of 1.5: (1.5 + .5 - 2.5) * 1.5 over the roots of 8.75 and 6.75."""
    rows: list[tuple[Comparison, Winner]] = [
        (_pair(3, 1), "cand_1"),
        (_pair(3, 2), "cand_1"),
        (_pair(1, 4, scene="b"), "cand_1"),
    ]
    found = length_correlation(rows, seed=0)
    assert found.value == pytest.approx((1.5 + 0.5 - 2.5) * 1.5 / math.sqrt(8.75 * 6.75))
    assert found.n == 3
    swapped: list[tuple[Comparison, Winner]] = [(c.swap(), "cand_2") for c, _ in rows]
    assert length_correlation(swapped, seed=0) == found, "who stands first must not matter"


def test_no_difference_is_no_correlation() -> None:
    assert length_correlation([(_pair(1, 1), "cand_1")], seed=0).n == 0
    assert length_correlation([(_pair(1, 2), "tie")], seed=0).value is None
    assert length_correlation([], seed=0).value is None


def _verdict(*winners: Winner) -> Decided:
    findings = tuple(PrincipleFinding(principle=f"p{i}", winner=w) for i, w in enumerate(winners))
    return Decided(winner="cand_1", findings=findings)


def test_mixed_selection_counts_verdicts_that_could_be_mixed() -> None:
    """One is mixed, one is not, one has a tie and one side; a single finding and no verdict say nothing."""
    verdicts = [
        _verdict("cand_1", "cand_2"),
        _verdict("cand_1", "cand_1", "cand_1"),
        _verdict("cand_1", "tie"),
        _verdict("cand_2"),
        _verdict(),
        Unparsed(reason="empty"),
    ]
    found = mixed_selection(verdicts)
    assert (found.value, found.n) == (pytest.approx(1 / 3), 3)
    assert mixed_selection([]).value is None


def test_tokens_are_per_question_and_absent_where_nobody_told() -> None:
    pairs = [preference(turn("a b"), turn("c"), "cand_1", id=f"c{i}") for i in range(3)]

    def tally(prompt: int) -> Tally:
        return Tally(calls=6, hits=0, errors=0, dead=0, prompt_tokens=prompt, completion_tokens=120, seconds=1.0,
                     cost_usd=None)  # fmt: skip

    judge = RuleJudge(lambda c: "cand_1")
    told = asyncio.run(measure(judge, pairs, spent=lambda: tally(600))).tokens
    assert told is not None
    assert (told.read, told.written, told.verdicts) == (100.0, 20.0, 6)
    assert asyncio.run(measure(judge, pairs, spent=lambda: tally(0))).tokens is None
    assert asyncio.run(measure(judge, pairs)).tokens is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.text("ab ", min_size=1).map(lambda t: f"x {t} x"), st.text("cd ").map(lambda t: f"y{t}y"))
def test_the_coin_falls_alike_in_both_orders_and_runs(seed: int, first: str, second: str) -> None:
    asked = comparison(turn(first), turn(second))
    judge = RandomJudge(seed=seed)
    (one,), (two,) = (asyncio.run(judge.judge([c])) for c in (asked, asked.swap()))
    assert one == two.swap()
    assert asyncio.run(RandomJudge(seed=seed).judge([asked])) == [one]


def test_the_coin_is_fair() -> None:
    asked = [comparison(turn("a"), turn("b"), id=f"c{i}") for i in range(400)]
    heads = sum(isinstance(v, Decided) and v.winner == "cand_1" for v in asyncio.run(RandomJudge().judge(asked)))
    assert 160 < heads < 240


def test_overlap_prefers_what_was_said_and_is_silent_without_it() -> None:
    said = turn("It went where stones go, father.")
    close, far = turn("It went where stones go, I think."), turn("Ask the pedlar about that tomorrow.")
    judge = OverlapJudge({("mill", "r"): said})
    found = asyncio.run(judge.judge([comparison(close, far), comparison(far, close), comparison(far, far)]))
    assert [v.winner for v in found if isinstance(v, Decided)] == ["cand_1", "cand_2", "tie"]
    (nothing,) = asyncio.run(OverlapJudge({}).judge([comparison(close, far)]))
    assert nothing == Unparsed(reason="no_reference")
