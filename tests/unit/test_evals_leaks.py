"""What counts as a leak, and what does not."""

import pytest

from her.evals.leaks import leaks, visible_words
from her.schema import Part, Turn


def turn(*parts: tuple[str, str]) -> Turn:
    made = tuple(Part.model_validate({"kind": kind, "text": text}) for kind, text in parts)
    return Turn(id="t1", speaker="Mara", system_thinking="She will lie about the page in her coat.", parts=made)


@pytest.mark.parametrize(
    "speech", ["Nine.", "3 < 5, and <b>no</b> more of it.", "He said: go.", "Mara: is my name.", "(softly) Nine? [sic]"]
)
def test_plain_words_are_no_leak(speech: str) -> None:
    assert leaks(turn(("thought", "He must not see the page."), ("speech", speech))) == ()


@pytest.mark.parametrize("markup", ["<role_thinking>", "</system_thinking>", "<think>x</think>", "<ROLE_ACTION >"])
def test_markup_in_what_others_hear_is_a_leak(markup: str) -> None:
    assert leaks(turn(("speech", f"Nine. {markup} Always."))) == ("markup_visible",)
    assert leaks(turn(("action", f"nods {markup}"))) == ("markup_visible",)


def test_a_thought_said_aloud_is_a_leak() -> None:
    thought = ("thought", "I tore the page out before he came.")
    assert leaks(turn(thought, ("speech", "Sir, I tore the page out before you ask."))) == ("thought_spoken",)
    assert leaks(turn(thought, ("action", "mutters i TORE the page, out before dawn"))) == ("thought_spoken",)
    assert leaks(turn(thought, ("speech", "I tore the page by accident."))) == ()


def test_a_plan_may_draft_the_reply() -> None:
    """HER's planner drafts lines; saying the draft is its purpose, not a leak."""
    assert leaks(turn(("speech", "She will lie about the page in her coat."))) == ()


def test_visible_words() -> None:
    assert visible_words(turn(("thought", "one two"), ("action", "trims the wick"), ("speech", "Don't ask — 9!"))) == 6
