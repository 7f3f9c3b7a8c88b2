"""What a judge is worth: the arithmetic of reports, parts by scene, the blend's fit and file."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from reward_cases import SCENE, RuleJudge, WordScorer, comparison, preference, turn

from her.errors import VerdictError
from her.reward.blend import BlendJudge, fit_blend, load_blend, save_blend
from her.reward.features import FAULTS, NAMES, features
from her.reward.measure import LengthJudge, measure, select
from her.reward.parts import parts
from her.reward.signed import PRIOR, signed_logistic
from her.schema import Comparison, Preference, Scene, Winner

A, B = turn("Stones walk, father."), turn("Okay, whatever! As an AI I can text you!!!")


def _scene(number: int) -> Scene:
    return Scene.model_validate({**SCENE.model_dump(), "id": f"scene{number}"})


def _pairs(n: int) -> list[Preference]:
    """A is better; every other pair is swapped; four scenes."""
    made = [preference(A, B, "cand_1", id=f"c{i}", scene=_scene(i % 4)) for i in range(n)]
    return [p.swap() if i % 2 else p for i, p in enumerate(made)]


def test_the_arithmetic_of_a_report() -> None:
    """Four pairs. Right in both orders: 1. A habit of position: a tie, 1/2. Wrong: 0. Silent in one order: unread.

    Accuracy (1 + 1/2 + 0) / 3 = 1/2; consistent 2 of 3; ties 1 of 3; unread 1 of 4.
    Single questions read: 2 + 2 + 2 + 1, credits 2 + 1 + 0 + 1 = 4 of 7.
    """

    def rule(c: Comparison) -> Winner | None:
        good_first = c.cand_1 == A
        answers: dict[str, Winner | None] = {
            "right": "cand_1" if good_first else "cand_2",
            "habit": "cand_1",
            "wrong": "cand_2" if good_first else "cand_1",
            "silent": "cand_1" if good_first else None,
        }
        return answers[c.id]

    labelled = [preference(A, B, "cand_1", id=i, principle=i) for i in ("right", "habit", "wrong", "silent")]
    report = asyncio.run(measure(RuleJudge(rule), labelled))
    assert report.accuracy.value == pytest.approx(0.5)
    assert report.accuracy.n == 3
    assert report.one_order.value == pytest.approx(4 / 7)
    assert report.swap_consistency.value == pytest.approx(2 / 3)
    assert report.ties.value == pytest.approx(1 / 3)
    assert (report.unread.value, report.unread_reasons) == (0.25, {"silent": 1})
    whole = report.lengths[0]
    assert (whole.layer, whole.judged.value, whole.labelled.value) == ("reply", 0.5, 0.0)
    assert report.lengths[1].labelled.n == 0, "no thoughts, no bias to measure"
    assert {p.principle: p.accuracy.value for p in report.principles} == {"right": 1.0, "habit": 0.5, "wrong": 0.0}
    assert report.score() == pytest.approx(0.75 * 0.5 + 0.25 / 2)


def test_a_tie_in_the_label_or_the_verdict_alone_is_half_right() -> None:
    tied = [preference(A, B, "tie", id="t")]
    assert asyncio.run(measure(RuleJudge(lambda c: "tie"), tied)).accuracy.value == 1.0
    assert asyncio.run(measure(LengthJudge("reply"), tied)).accuracy.value == 0.5


def test_select_takes_the_best_and_the_earlier_of_equals() -> None:
    good = asyncio.run(measure(RuleJudge(lambda c: "cand_1" if c.cand_1 == A else "cand_2"), _pairs(4)))
    bad = asyncio.run(measure(LengthJudge("reply"), _pairs(4)))
    assert select([bad, good, good]) is good
    with pytest.raises(VerdictError):
        select([])
    with pytest.raises(VerdictError):
        asyncio.run(measure(LengthJudge("reply"), []))


def test_parts_keep_scenes_together_and_are_seeded() -> None:
    labelled = [preference(A, B, "cand_1", id=f"c{i}", scene=_scene(i % 10)) for i in range(60)]
    dealt = parts(labelled, seed=1)
    scenes = [{p.comparison.scene.id for p in part} for part in (dealt.train, dealt.choose, dealt.test)]
    assert not scenes[0] & scenes[1]
    assert not scenes[0] & scenes[2]
    assert not scenes[1] & scenes[2]
    assert [len(p) for p in (dealt.train, dealt.choose, dealt.test)] == [30, 12, 18]
    assert dealt == parts(labelled, seed=1)
    assert dealt != parts(labelled, seed=2)
    with pytest.raises(VerdictError, match="at least 3"):
        parts(labelled[:1], seed=0)


def test_features_see_the_planted_flaws() -> None:
    plain = dict(zip(NAMES, features(comparison(A, B), A), strict=True))
    loud = dict(zip(NAMES, features(comparison(A, B), B), strict=True))
    assert loud["era"] > plain["era"] == 0
    assert loud["frame"] > plain["frame"] == 0
    assert loud["exclaims"] == 4.0
    for reply, name in (
        (turn("There is a stone missing from the list."), "copies_last"),
        (turn("I sold the grindstone to a pedlar and hid the coins."), "own_secret"),
        (turn("You are going blind, father."), "stranger_secret"),
        (turn("Well, then.", action="holds out the ledger and Tom nods"), "puppets"),
        (turn("Stones walk away.", thought="Stones walk away"), "thought_echo"),
        (turn("**Well** {} then"), "noise"),
    ):
        seen = dict(zip(NAMES, features(comparison(A, B), reply), strict=True))
        assert seen[name] > plain[name], name
    empty = turn("x")
    assert np.isfinite(features(comparison(A, empty), empty)).all()


def test_the_blend_learns_agrees_in_both_orders_and_survives_its_file(tmp_path: Path) -> None:
    scorer = WordScorer()
    model = asyncio.run(fit_blend(_pairs(16), scorer=scorer, seed=0))
    assert model.n == 16
    assert model.cross_validated.value == 1.0
    save_blend(tmp_path / "blend.json", model)
    again = load_blend(tmp_path / "blend.json")
    assert again == model
    assert again.fingerprint == model.fingerprint
    judge = BlendJudge(again, scorer=scorer)
    first, second = asyncio.run(judge.judge([comparison(A, B), comparison(B, A)]))
    assert first == second.swap()
    assert first.model_dump()["winner"] == "cand_1"
    (level,) = asyncio.run(judge.judge([comparison(A, A)]))
    assert level.model_dump()["winner"] == "tie"


def test_a_fit_keeps_to_the_named_sides_and_solves_its_problem() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6))
    y = (x @ np.array([-1.0, 1.0, 0.5, -0.5, 0.2, 0.0]) + rng.normal(size=40) > 0).astype(float)
    sides = np.array([-1.0, -1.0, 1.0, 1.0, 0.0, 0.0])
    w = signed_logistic(x, y, sides_P=sides, ridge=1.0)
    assert (w * sides >= 0).all()
    gradient = x.T @ (1 / (1 + np.exp(-x @ w)) - y) + (w - PRIOR * sides)
    free = w != 0
    assert np.abs(gradient[free]).max() < 1e-6
    assert (gradient[~free] * sides[~free] >= 0).all()  # where a weight is held at 0, it would go to the other side
    assert not free[1]


def test_no_blend_pays_for_a_fault_however_few_its_pairs() -> None:
    """Labels that praise the repeating reply: its weight ends at 0, not above."""
    good, loop = turn("The stones are counted, Tom."), turn("I count. I count. I count. I count. I count.")
    pairs = [preference(loop, good, "cand_1", id=f"c{i}", scene=_scene(i % 4)) for i in range(12)]
    model = asyncio.run(fit_blend(pairs, scorer=None, seed=0))
    weights = dict(zip(model.inputs, model.weights, strict=True))
    assert all(weights[name] <= 0 for name in FAULTS)
    assert weights["repeats_itself"] == 0


def test_the_blend_refuses_what_it_was_not_fitted_with(tmp_path: Path) -> None:
    plain = asyncio.run(fit_blend(_pairs(12), scorer=None, seed=0))
    with pytest.raises(VerdictError, match="scorer None"):
        BlendJudge(plain, scorer=WordScorer())
    with pytest.raises(VerdictError, match="needs 10"):
        asyncio.run(fit_blend(_pairs(4), scorer=None, seed=0))
    (tmp_path / "x.json").write_text('{"format": "her-blend-1"}')
    with pytest.raises(VerdictError, match=r"x\.json: not a fitted blend"):
        load_blend(tmp_path / "x.json")
