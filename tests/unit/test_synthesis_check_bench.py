"""The labelled cases themselves, and what the rules make of them."""

from collections import Counter
from difflib import SequenceMatcher
from itertools import combinations

import pytest
from pydantic import ValidationError

from her.synthesis.checks.checker import KINDS, Finding, check
from her.synthesis.checks.labelled import Case, KindScore, load_cases, measure

CASES = load_cases()
SCORES = {(s.kind, s.split): s for s in measure(CASES, {c.id: check(c.record()) for c in CASES})}
PAIRS = {c.id[:-1]: c for c in CASES if c.label == "violating"}


def _text(case: Case) -> str:
    parts = [text for t in case.dialogue.turns for text in (t.plan or "", *(text for _, text in t.parts))]
    return " | ".join([case.dialogue.scenario, *parts])


def _target(case: Case) -> str:
    turn = next((t for t in case.dialogue.turns if t.id == case.turn_id), None)
    return case.dialogue.scenario if turn is None else " ".join([turn.plan or "", *(text for _, text in turn.parts)])


def test_there_are_enough_cases_of_every_kind_each_with_its_twin() -> None:
    assert len(CASES) == len({c.id for c in CASES}) >= 264
    faults = Counter(c.kind for c in PAIRS.values())
    assert set(faults) == set(KINDS) - {"injection"}
    assert min(faults.values()) >= 22
    for stem, fault in PAIRS.items():
        twin = next(c for c in CASES if c.id == f"{stem}o")
        assert twin.label == "clean"
        assert (twin.kind, twin.split, twin.turn_id) == (fault.kind, fault.split, fault.turn_id)
        assert twin.dialogue.characters == fault.dialogue.characters
        assert _text(twin) != _text(fault)
        # A minimal difference: what is not the fault is the same.
        assert SequenceMatcher(None, _text(twin), _text(fault), autojunk=False).ratio() > 0.6, stem
    assert sum(c.language == "zh" for c in CASES) >= 48
    assert {c.difficulty for c in CASES} == {"easy", "subtle", "adversarial"}
    assert len({c.setting for c in CASES}) >= 7


def test_no_two_faults_share_their_frame() -> None:
    def alike(a: Case, b: Case) -> bool:
        matcher = SequenceMatcher(None, _target(a), _target(b))
        return matcher.quick_ratio() > 0.72 and matcher.ratio() > 0.72

    assert not [(a.id, b.id) for a, b in combinations(PAIRS.values(), 2) if a.kind == b.kind and alike(a, b)]


@pytest.mark.parametrize("score", SCORES.values(), ids=lambda s: f"{s.kind}-{s.split}")
def test_clean_cases_raise_next_to_no_alarm(score: KindScore) -> None:
    """Precision is what rules are for: a flag costs a sample."""
    assert score.clean.value is not None
    assert score.clean.value * score.clean.n <= 1
    assert score.precision.value is None or score.precision.value >= 0.9


@pytest.mark.parametrize(
    ("split", "least"),
    [
        # What the rules were made on, what was set aside, and what was written after them: docs say what they find.
        ("dev", {k: 0.9 for k in KINDS if k != "injection"}),
        ("test", {k: 0.8 for k in KINDS if k != "injection"}),
        ("unseen", {"third_person_thought": 0.8, "speaks_for_others": 0.3}),
    ],
)
def test_faults_are_found_as_often_as_is_said(split: str, least: dict[str, float]) -> None:
    for kind, share in least.items():
        recall = SCORES[kind, split].recall
        assert recall.value is not None
        assert recall.value >= share, (kind, str(recall))


def test_the_arithmetic_of_the_bench() -> None:
    """Two faults and two twins: one fault found, one twin flagged, and one finding at the wrong turn."""
    chosen = [c for c in CASES if c.id in {"mr01x", "mr01o", "mr03x", "mr03o"}]
    flag = next(f.flag for f in check(next(c for c in chosen if c.id == "mr01x").record()))

    def at(case_id: str, turn: str) -> tuple[Finding, ...]:
        return (Finding(dialogue_id=case_id, turn_id=turn, flag=flag),)

    found = {"mr01x": at("mr01x", "t2"), "mr01o": at("mr01o", "t1"), "mr03x": at("mr03x", "t1"), "mr03o": ()}
    score = next(s for s in measure(chosen, found) if (s.kind, s.split) == ("mind_reading", "dev"))
    assert (score.recall.value, score.recall.n) == (0.5, 2)
    assert (score.precision.value, score.precision.n) == (0.5, 2)
    assert (score.twins.value, score.twins.n) == (0.5, 2)
    assert score.recall.low is not None
    assert score.recall.low > 0.0


@pytest.mark.parametrize(
    "change", [{"turn_id": "t9"}, {"label": "clean"}, {"kind": "rudeness"}, {"split": "train"}, {"licence": "MIT"}]
)
def test_a_case_that_contradicts_itself_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Case.model_validate({**CASES[0].model_dump(mode="json"), "id": "xx01x", "label": "violating", **change})
