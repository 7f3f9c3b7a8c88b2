"""The rules beyond the labelled cases: the barrier they stand on, and what must hold for any dialogue."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from her.schema import ENVIRONMENT, Character, Dialogue, Part, PartKind, Scene, Turn, merge_parts
from her.story import load_gold
from her.synthesis import Finding, check, flagged
from her.synthesis.checks.checker import KINDS
from her.synthesis.checks.people import figures
from her.synthesis.checks.standpoint import standpoint

CAST = ("Anna", "Paul", "Ruth")
_word = st.text(alphabet="abcdefghij", min_size=3, max_size=8)
_any = st.text(min_size=1, max_size=60).map(str.strip).filter(bool)


def _turn(turn_id: str, speaker: str, *parts: tuple[PartKind, str], plan: str | None = None) -> Turn:
    made = tuple(Part(kind=kind, text=text) for kind, text in parts)
    return Turn(id=turn_id, speaker=speaker, system_thinking=plan, parts=merge_parts(made))


def _dialogue(*turns: Turn, scenario: str = "A mill by the river.", **cards: dict[str, str]) -> Dialogue:
    people = tuple(Character.model_validate({"name": name, **cards.get(name, {})}) for name in CAST)
    scene = Scene(id="s", book_id=None, chapter=None, scenario=scenario, characters=people)
    return Dialogue(id="d", scene=scene, turns=turns, provenance="teacher")


def _kinds(dialogue: Dialogue, turn_id: str | None) -> set[str]:
    return {f.flag.kind for f in check(dialogue) if f.turn_id == turn_id}


@st.composite
def _dialogues(draw: st.DrawFn) -> Dialogue:
    """Any text in any layer."""
    turns = []
    for i in range(draw(st.integers(min_value=1, max_value=4))):
        parts = draw(
            st.lists(st.tuples(st.sampled_from(["thought", "action", "speech"]), _any), min_size=1, max_size=3)
        )
        speaker = draw(st.sampled_from([*CAST, ENVIRONMENT]))
        turns.append(_turn(f"t{i}", speaker, *parts, plan=draw(st.none() | _any)))
    return _dialogue(*turns, scenario=draw(_any), Anna={"background": draw(_any)}, Paul={"motivation": draw(_any)})


@given(_dialogues())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_dialogue_is_read_and_flagging_twice_changes_nothing(dialogue: Dialogue) -> None:
    once = flagged(dialogue)
    assert flagged(once) == once
    assert check(once) == check(dialogue)
    bare = [t.model_copy(update={"flags": ()}) for t in once.turns]
    assert tuple(bare) == dialogue.turns
    for finding in check(dialogue):
        assert finding.flag.kind in KINDS


@given(_dialogues(), st.lists(_word, min_size=4, max_size=4, unique=True))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_findings_follow_the_turn_and_not_its_number(dialogue: Dialogue, names: list[str]) -> None:
    new = {t.id: f"{name}{i}" for i, (t, name) in enumerate(zip(dialogue.turns, names, strict=False))}
    renamed = dialogue.model_copy(
        update={"turns": tuple(t.model_copy(update={"id": new[t.id]}) for t in dialogue.turns)}
    )

    def found(d: Dialogue, ids: dict[str, str]) -> list[tuple[str | None, str, str]]:
        return [(ids.get(f.turn_id or "", f.turn_id), f.flag.kind, f.flag.where) for f in check(d)]

    assert found(dialogue, new) == found(renamed, {})


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_barrier_is_the_law_of_visibility(data: st.DataObject) -> None:
    """Whatever others hide is hidden from the speaker, and whatever it saw is known: each word is on one side."""
    marks = iter(f"mark{i}" for i in range(1000))
    seen, unseen, turns = set(), set(), []
    n = data.draw(st.integers(min_value=2, max_value=5))
    k = data.draw(st.integers(min_value=0, max_value=n - 1))
    speakers = data.draw(st.lists(st.sampled_from(CAST), min_size=n, max_size=n))
    for i, who in enumerate(speakers):
        thought, plan, speech = next(marks), next(marks), next(marks)
        turns.append(_turn(f"t{i}", who, ("thought", thought), ("speech", speech), plan=plan))
        mine = who == speakers[k]
        if i < k:
            seen |= {speech, thought} if mine else {speech}
            unseen |= set() if mine else {thought, plan}
        elif i > k and not mine:
            unseen.add(speech)
    secrets = {name: next(marks) for name in CAST}
    cards = {name: {"background": secret} for name, secret in secrets.items()}
    place = standpoint(_dialogue(*turns, **cards), turns[k])
    hidden = "\n".join(h.text for h in place.hidden)
    for name, secret in secrets.items():
        (seen if name == speakers[k] else unseen).add(secret)
    assert all(word in place.known.split() for word in seen)
    assert all(word in hidden.split() and word not in place.known.split() for word in unseen)


def test_a_secret_is_no_secret_once_it_was_said() -> None:
    secret = {"Paul": {"background": "He buried the silver candlesticks under the third pear tree."}}
    asks = _turn("t2", "Anna", ("speech", "And the silver candlesticks under the third pear tree?"))
    silent = _turn("t1", "Paul", ("speech", "I have nothing to tell you."))
    tells = _turn("t1", "Paul", ("speech", "The silver candlesticks are under the third pear tree."))
    whispers = _turn("t1", "Paul", ("thought", "Not a word of the silver candlesticks under the third pear tree."))
    assert "impossible_knowledge" in _kinds(_dialogue(silent, asks, **secret), "t2")
    assert "impossible_knowledge" in _kinds(_dialogue(whispers, asks, **secret), "t2")
    assert "impossible_knowledge" not in _kinds(_dialogue(tells, asks, **secret), "t2")
    own = _dialogue(
        _turn("t1", "Paul", ("thought", "The silver candlesticks lie safe under the third pear tree.")), **secret
    )
    assert "impossible_knowledge" not in _kinds(own, "t1")


def test_whoever_spoke_later_is_not_blamed_for_what_it_heard() -> None:
    first = _turn("t1", "Anna", ("speech", "My cousin Bartholomew drowned at Colby in the great flood."))
    second = _turn("t2", "Paul", ("speech", "Bartholomew drowned at Colby? In the great flood?"))
    assert "impossible_knowledge" not in _kinds(_dialogue(first, second), "t1")
    assert "impossible_knowledge" not in _kinds(_dialogue(first, second), "t2")


def test_the_environment_tells_what_happens_and_has_no_mind() -> None:
    told = _turn("t1", ENVIRONMENT, ("action", "Anna drops the jug and Paul weeps"))
    assert _kinds(_dialogue(told), "t1") == set()
    out = _turn("t1", ENVIRONMENT, ("action", "The user leaves the chat."))
    assert _kinds(_dialogue(out), "t1") == {"says_user"}


def test_a_name_inside_a_name_is_nobody() -> None:
    people = [
        Character(name="Ann"),
        Character(name="Joanne"),
        Character(name="Mr. Bennet"),
        Character(name="Mrs. Bennet"),
    ]
    ann, joanne, mr, mrs = figures(people)
    assert not ann.named_in("Joanne wept.")
    assert joanne.named_in("Joanne wept.")
    assert (mr.forms, mrs.forms) == (("Mr. Bennet",), ("Mrs. Bennet",))
    assert (mr.gender, mrs.gender, ann.gender) == ("he", "she", "unknown")


def test_a_character_that_always_speaks_of_itself_by_name_may_think_so() -> None:
    says = _turn("t1", "Anna", ("speech", "Anna is hungry. Anna wants bread."))
    thinks = _turn("t2", "Anna", ("thought", "Anna wants more than bread"), ("speech", "Thank you."))
    assert "third_person_thought" in _kinds(_dialogue(thinks), "t2")
    assert "third_person_thought" not in _kinds(_dialogue(says, thinks), "t2")


def test_flags_that_are_there_stay_and_gains_too() -> None:
    dialogue = _dialogue(_turn("t1", "Anna", ("thought", "Anna is tired of the mill"), ("speech", "Good night.")))
    marked = flagged(dialogue, [])
    assert marked == dialogue
    other = Finding.model_validate(
        {"dialogue_id": "d", "turn_id": "t1", "flag": {"kind": "seen_by_ruth", "where": "speech", "detail": "x"}}
    )
    both = flagged(flagged(dialogue, [other]))
    assert [f.kind for f in both.turns[0].flags] == ["seen_by_ruth", "third_person_thought"]


@pytest.mark.parametrize("field", ["profile", "background", "motivation"])
def test_the_card_is_read_too(field: str) -> None:
    bad = _dialogue(_turn("t1", "Anna", ("speech", "Good night.")), Paul={field: "Paul is played by the user."})
    found = [f for f in check(bad) if f.turn_id is None]
    assert [(f.flag.kind, f.flag.where) for f in found] == [("says_user", f"Paul.{field}")]


def test_the_shipped_gold_is_nearly_clean() -> None:
    """Hand-made turns: five doubts in a hundred and twelve turns is what a reader of the flags will wade through."""
    found = [f for d in load_gold() for f in check(d)]
    assert sum(len(d.turns) for d in load_gold()) == 112
    assert len(found) <= 5
