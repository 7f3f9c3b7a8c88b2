"""What a thought, a plan, an action and a layout must be."""

import pytest

from her.errors import TeacherError
from her.schema import Part, Span
from her.synthesis.stages.layout import arrange
from her.synthesis.text.passage import Passage
from her.synthesis.text.perspective import check_action, check_plan, check_setting, check_thought
from her.synthesis.text.wording import same_words

SPEECH = "Give her time, sir. The ninth stands out on the weir."
HIDDEN = ["He must not learn that I came about the wreck.", "Mara hid the lantern from the assessor."]
EARLIER = ["Tobin is calm and hopes to bring the assessor over the dark river."]
CONTEXT = "Tobin rows Edmund, the assessor, over the river. The ninth lantern on the weir is dark. Mara."


def _thought(text: str) -> str:
    return check_thought(
        text,
        name="Tobin",
        speech=SPEECH,
        context=CONTEXT,
        hidden=HIDDEN,
        earlier=["The river is no friend of mine tonight, nor of the assessor."],
        max_words=30,
        example="I will not ask him about the letter.",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Tobin is afraid of the assessor and his river.", "not_first_person"),
        ("Tobin is afraid, and I think the assessor knows the river.", "third_person"),
        ("I say the ninth stands out on the weir, as always.", "copies_speech"),
        ("I know that he must not learn that I came about the river wreck.", "reads_minds"),
        ("I say the river is no friend of mine tonight, lantern or not.", "repeats"),
        ("I will help the user to reach the lantern.", "talks_of_user"),
        ("I fear <role_thinking>the river</role_thinking> tonight.", "markup"),
        ("I fear the dark of the river, I fear the dark of the river.", "loops"),
        ("I like chocolate biscuits and motorcars.", "off_topic"),
        ("I think that Ferdinand waits on the river for the lantern.", "unknown_name"),
        ("I will not ask him about the letter of the assessor.", "copies_example"),
        ("I fear the 河 and the lantern tonight.", "other_language"),
        ("I see.", "length"),
    ],
)
def test_a_thought_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(TeacherError) as refused:
        _thought(text)
    assert refused.value.reason == reason


def test_a_good_thought_passes() -> None:
    assert _thought("I hope Mara lights that lantern before he counts again.")


def _plan(text: str) -> str:
    return check_plan(
        text, name="Tobin", aliases=(), context=CONTEXT, reply=SPEECH, hidden=HIDDEN, earlier=EARLIER, max_words=40
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I must keep the assessor from asking about the lantern on the river.", "not_third_person"),
        ("The river is dark and the lantern on the weir stays unlit.", "not_about_character"),
        ("Tobin tells the assessor that the ninth stands out on the weir.", "quotes_reply"),
        ("Tobin wants the user to see the lantern on the dark weir.", "talks_of_user"),
        ("Tobin knows that Mara hid the lantern from the assessor.", "reads_minds"),
        ("Tobin is calm and hopes to bring the assessor over the river.", "repeats"),
    ],
)
def test_a_plan_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(TeacherError) as refused:
        _plan(text)
    assert refused.value.reason == reason


def test_a_good_plan_passes() -> None:
    text = "Tobin is proud of his river and tries to reassure the assessor about the dark lantern."
    assert _plan(text) == text


@pytest.mark.parametrize(
    "text", ["he leans back", "I lean back", "Tobin leans back", "says nothing at all", "leans", "<b>x y"]
)
def test_an_action_has_no_actor_and_no_speech(text: str) -> None:
    with pytest.raises(TeacherError):
        check_action(text, name="Tobin")


def test_a_setting_quotes_no_dialogue() -> None:
    with pytest.raises(TeacherError) as refused:
        check_setting("Tobin says that the ninth stands out on the weir.", dialogue=[SPEECH], max_words=40)
    assert refused.value.reason == "quotes_dialogue"


def test_layouts_vary_and_speech_keeps_its_exact_place() -> None:
    book = 'He said: "One  thing.\nTwo things. Three things." Then he left.'
    start = book.index("One")
    span = Span(start=100 + start, end=100 + book.index('" Then'))
    part = Part(kind="speech", text="One thing. Two things. Three things.", span=span)
    passage = Passage(start=100, text=book, quotable=None)
    past: list[str] = []
    for k in range(12):
        action = "looks up" if k % 3 == 0 else None
        parts = arrange([part], thought="I must go.", action=action, past=past, seed=f"0/{k}", passage=passage)
        assert " ".join(p.text for p in parts if p.kind == "speech") == part.text
        for p in parts:
            if p.kind == "speech":
                assert p.span is not None
                assert same_words(p.text, passage.at(p.span) or "")
        past.append(">".join(p.kind for p in parts))
    assert len(set(past)) >= 5
    assert not any(a == b == c for a, b, c in zip(past, past[1:], past[2:], strict=False))
