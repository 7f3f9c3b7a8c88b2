"""Brackets, display text, layouts and the check of form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.errors import TagError
from her.renderers import check, layout_stats, read_coser, render_coser, render_display, render_turn
from her.schema import Part, Turn, Viewer, merge_parts

TURN = Turn(
    id="t",
    speaker="Mara",
    system_thinking="Play her dry.",
    parts=(
        Part(kind="thought", text="I counted eight."),
        Part(kind="action", text="sets down the can"),
        Part(kind="speech", text="Nine."),
    ),
)


def test_brackets_are_coser_s() -> None:
    assert render_coser(TURN) == "[I counted eight.] (sets down the can) Nine."
    assert read_coser("Mara: [I counted eight.](sets down the can)Nine.", speaker="Mara", turn_id="t") == TURN.seen_by(
        Viewer.character("Mara")
    )


def test_an_unclosed_square_bracket_hides_the_rest() -> None:
    turn = read_coser("Hello. [I will betray him", speaker="Mara", turn_id="t")
    assert [p.kind for p in turn.parts] == ["speech", "thought"]


def test_what_brackets_cannot_say_is_refused() -> None:
    with pytest.raises(TagError):
        render_coser(Turn(id="t", speaker="Mara", parts=(Part(kind="speech", text="The sign says [EXIT]."),)))
    with pytest.raises(TagError):
        read_coser("Hello <role_thinking>x", speaker="Mara", turn_id="t")
    with pytest.raises(TagError, match="empty"):
        read_coser("Mara: ( )", speaker="Mara", turn_id="t")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(["thought", "action", "speech"]), st.text("ab .'", min_size=1)), min_size=1))
def test_brackets_read_back(drawn: list[tuple]) -> None:
    parts = merge_parts(tuple(Part(kind=k, text=t.strip() or "x") for k, t in drawn))
    turn = Turn(id="t", speaker="Mara", parts=parts)
    assert read_coser(render_coser(turn), speaker="Mara", turn_id="t") == turn


def test_display_shows_what_the_view_has() -> None:
    assert render_display(TURN.seen_by(Viewer.reader())) == "Mara: *sets down the can* “Nine.”"
    assert render_display(TURN.seen_by(Viewer.character("Mara")), name=False) == (
        "[I counted eight.] *sets down the can* “Nine.”"
    )
    assert render_display(TURN).startswith("{Play her dry.}\nMara: ")
    assert render_display(Turn(id="t", speaker="Mara", parts=(Part(kind="speech", text='"Nine."'),))) == 'Mara: "Nine."'


def test_a_part_that_would_read_as_a_tag_is_refused() -> None:
    for text in ("<role_thinking>", "a </think>", "&lt;system_thinking&gt;", "x <role_thi", "<|im_end|>"):
        with pytest.raises(TagError):
            render_turn(Turn(id="t", speaker="Mara", parts=(Part(kind="speech", text=text),)))
    with pytest.raises(TagError, match="nothing"):
        render_turn(Turn(id="t", speaker="Mara", parts=()))


def test_layouts_have_an_entropy() -> None:
    other = Turn(id="u", speaker="Mara", parts=(Part(kind="speech", text="Nine."),))
    stats = layout_stats([TURN, TURN, other, other])
    assert (stats.n, stats.distinct, stats.entropy_bits, stats.top_share) == (4, 2, 1.0, 0.5)
    assert layout_stats([TURN] * 3).entropy_bits == 0
    assert layout_stats([]).entropy_bits is None


FORMS = [
    ("<system_thinking>P</system_thinking>Mara: <role_action>nods</role_action>Nine.", True, "stop", ()),
    ("Mara: Nine.", False, "stop", ()),
    ("Mara: Nine.", True, "stop", ("no_system_thinking",)),
    ("<system_thinking>P</system_thinking>Mara: Nine.", False, "stop", ("system_thinking",)),
    ("Mara: Nine", False, "length", ("truncated",)),
    ("Mara: Nine", False, "content_filter", ("filtered",)),
    ("", False, "stop", ("strict", "empty")),
    ("<system_thinking>P", True, "length", ("strict", "truncated", "empty")),
    ("Mara: <role_thinking>Nine", False, "stop", ("strict",)),
    ("Nine.", False, "stop", ("no_name",)),
    ("Tobin: Nine.", False, "stop", ("wrong_name", "foreign_speech")),
    ("Mara: Nine.\nTobin: Ten.", False, "stop", ("foreign_speech",)),
    ("Mara: Nine.\n\n**Tobin:** Ten.", False, "stop", ("foreign_speech",)),
    ("Mara: Nine.\nEnvironment: A bell.", False, "stop", ("foreign_speech",)),
    ("Mara: Nine. One thing: Tobin: a liar?", False, "stop", ()),
    ("Mara: <role_thinking>Bob: hello</role_thinking>Nine.", False, "stop", ()),
    ("Mara: <role_action>nods\nBob: hello</role_action>Nine.", False, "stop", ("foreign_speech",)),
]


@pytest.mark.parametrize(("text", "thinking", "reason", "faults"), FORMS)
def test_faults_have_names(text: str, thinking: bool, reason: str, faults: tuple[str, ...]) -> None:
    form = check(text, speaker="Mara", others=["Tobin", "Bob"], system_thinking=thinking, finish_reason=reason)
    assert form.faults == faults
    assert form.ok == (not faults)
