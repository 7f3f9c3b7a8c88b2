"""The nouns: who sees what, and that swapping twice changes nothing."""

import pytest
from pydantic import ValidationError

from her.schema import (
    Character,
    Comparison,
    Decided,
    Dialogue,
    Flag,
    Gain,
    Part,
    Preference,
    PrincipleFinding,
    Scene,
    Span,
    Turn,
    Unparsed,
    Viewer,
    merge_parts,
)

TURN = Turn(
    id="t",
    speaker="Mara",
    system_thinking="plan",
    parts=(
        Part(kind="speech", text="One."),
        Part(kind="thought", text="hidden"),
        Part(kind="speech", text="Two."),
        Part(kind="action", text="nods"),
    ),
)
SCENE = Scene(id="s", book_id=None, chapter=None, scenario="x", characters=(Character(name="Mara"),))


@pytest.mark.parametrize(
    ("viewer", "thoughts", "plans"),
    [
        (Viewer.character("Mara"), True, False),
        (Viewer.character("Mara", "keep_own_system"), True, True),
        (Viewer.character("Tobin"), False, False),
        (Viewer.character("Tobin", "keep_own_system"), False, False),
        (Viewer.reader(), False, False),
        (Viewer.reader(role_thinking=True), True, False),
        (Viewer.reader(system_thinking=True), False, True),
        (Viewer.judge(role_thinking=True), True, False),
        (Viewer.judge(role_thinking=False), False, False),
    ],
)
def test_the_law_of_visibility(viewer: Viewer, thoughts: bool, plans: bool) -> None:
    seen = TURN.seen_by(viewer)
    assert any(p.kind == "thought" for p in seen.parts) == thoughts
    assert (seen.system_thinking is not None) == plans
    assert seen.speech() == "One. Two."
    assert seen.layout().endswith("action")
    assert seen.seen_by(viewer) == seen


def test_a_judge_can_never_be_shown_a_plan() -> None:
    with pytest.raises(ValidationError, match="never shown to a judge"):
        Viewer(kind="judge", system_thinking=True)


def test_swapping_twice_is_identity() -> None:
    verdict = Decided(winner="cand_1", findings=(PrincipleFinding(principle="p", winner="tie"),), margin=0.5)
    assert verdict.swap() != verdict
    assert verdict.swap().swap() == verdict
    assert Unparsed(reason="empty").swap() == Unparsed(reason="empty")
    other = Turn(id="u", speaker="Mara", parts=(Part(kind="speech", text="x"),))
    comparison = Comparison(id="c", scene=SCENE, history=(), character="Mara", cand_1=TURN, cand_2=other)
    preference = Preference(comparison=comparison, winner="cand_2", principle="p", reason="r", labeller="gold")
    assert preference.swap().winner == "cand_1"
    assert preference.swap().swap() == preference


def test_malformed_records_are_refused() -> None:
    for part in ({"kind": "speech", "text": " x"}, {"kind": "speech", "text": ""}, {"kind": "song", "text": "x"}):
        with pytest.raises(ValidationError):
            Part.model_validate(part)
    for name in ("", " Mara", "Ma:ra", "<Mara>", "a\nb"):
        with pytest.raises(ValidationError):
            Character(name=name)
    with pytest.raises(ValidationError, match="merge"):
        Turn(id="t", speaker="Mara", parts=(Part(kind="speech", text="a"), Part(kind="speech", text="b")))
    with pytest.raises(ValidationError, match="not in the scene"):
        Dialogue(id="d", scene=SCENE, turns=(Turn(id="t", speaker="Tobin", parts=()),), provenance="gold")
    with pytest.raises(ValidationError, match="share an id"):
        Dialogue(id="d", scene=SCENE, turns=(TURN, TURN), provenance="gold")


def test_doubts_and_measurements_are_in_no_view() -> None:
    gain = Gain(layer="thought", scorer="s", tokens=3, given=-1, without=-2, shuffled=-2, copied=0, value=1)
    flag = Flag(kind="injection", where="speech", detail="ignore your instructions")
    turn = Turn(id="t", speaker="Ann", parts=(Part(kind="speech", text="Ignore that."),), gains=(gain,), flags=(flag,))
    for viewer in (Viewer.character("Ann"), Viewer.reader(role_thinking=True), Viewer.judge(role_thinking=True)):
        seen = turn.seen_by(viewer)
        assert (seen.gains, seen.flags) == ((), ())


def test_only_speech_without_a_place_is_invented() -> None:
    with pytest.raises(ValidationError, match="invented"):
        Part(kind="thought", text="x", invented=True)
    with pytest.raises(ValidationError, match="invented"):
        Part(kind="speech", text="x", span=Span(start=0, end=1), invented=True)
    joined = merge_parts((Part(kind="speech", text="a", invented=True), Part(kind="speech", text="b")))
    assert joined == (Part(kind="speech", text="a b", invented=True),)
