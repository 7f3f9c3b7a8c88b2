"""The reader of short answers: what it reads, and that it never guesses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her.evals.benchmarks.answer import Answered, Unread, read_names, read_option, read_yes_no
from her.evals.benchmarks.asked import Lost, Response
from her.llm.model import FinishReason

OPTIONS = {"A": "blue_box", "B": "red crate", "C": "a jar", "D": "oak shelf"}


def said(text: str, finish: FinishReason = "stop", reasoning: str | None = None) -> Response:
    return Response(text=text, reasoning=reasoning, finish_reason=finish, prompt_tokens=1, completion_tokens=1)


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("B", "B"),
        ("b.", "B"),
        ("**B**", "B"),
        ("(B) red crate", "B"),
        ("B. red crate", "B"),
        ("red crate", "B"),
        ("Red_Crate.", "B"),
        ("Ｂ", "B"),  # noqa: RUF001 -- a full-width letter is what some models write
        ("<answer>B</answer>", "B"),
        ("A seems wrong. <answer> B </answer>", "B"),
        ("<ANSWER>B: red crate</ANSWER>", "B"),
        ("I say <answer>B</answer>, yes <answer>red crate</answer>", "B"),
        ("The answer is B because nobody saw it.", "B"),
        ("Let me see. A? C?\nAnswer: red crate", "B"),
        ("B\nEdda left before it was moved.", "B"),
        ("<think>A or C? The answer is A.</think>B", "B"),
        ("答案是B", "B"),
        ("C", "C"),
        ("a jar", "C"),
    ],
)
def test_reads(text: str, option: str) -> None:
    assert read_option(said(text), OPTIONS) == Answered(option=option)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (said(""), "empty"),
        (said("  \n "), "empty"),
        (said("<think>B</think>"), "only_thinking"),
        (said("<think>it must be <answer>B</answer>"), "only_thinking"),
        (said("", reasoning="B"), "only_thinking"),
        (said("It is a box of some kind."), "no_answer"),
        (said("The answer is a box."), "no_answer"),
        (said("A, B, C or D"), "no_answer"),
        (said("I cannot answer that."), "no_answer"),
        (said("<answer>E</answer>"), "not_an_option"),
        (said("<answer></answer>"), "not_an_option"),
        (said("<answer>LETTER</answer>"), "not_an_option"),
        (said("<answer>A</answer> no, <answer>B</answer>"), "several"),
        (said("The answer is A. Wait, the answer is B."), "several"),
        (said("A\nso it is not A\nB"), "several"),
        (said("A. red crate"), "contradiction"),
        (said("<answer>A) red crate</answer>"), "contradiction"),
        (said("B", finish="length"), "cut"),
        (said("Let me think. Edda left fir", finish="length"), "cut"),
        (said("so <answer>B", finish="length"), "cut"),
        (said("B", finish="content_filter"), "refused"),
        (Lost(reason="dead_letter:spent"), "lost:dead_letter:spent"),
    ],
)
def test_never_guesses(reply: Response | Lost, reason: str) -> None:
    assert read_option(reply, OPTIONS) == Unread(reason=reason)


def test_a_closed_tag_survives_a_cut() -> None:
    assert read_option(said("<answer>B</answer> because", finish="length"), OPTIONS) == Answered(option="B")


def test_two_options_with_one_text_are_not_told_apart() -> None:
    assert read_option(said("same"), {"A": "same", "B": "same"}) == Unread(reason="several")


@given(st.text(max_size=200), st.sampled_from(["stop", "length", "content_filter"]))
def test_any_text_is_an_option_or_a_reason(text: str, finish: FinishReason) -> None:
    read = read_option(said(text, finish), OPTIONS)
    assert read.option in OPTIONS if isinstance(read, Answered) else read.reason


@given(st.permutations(list(OPTIONS)))
def test_naming_every_letter_earns_nothing(letters: list[str]) -> None:
    for text in ("".join(f"<answer>{x}</answer>" for x in letters), " ".join(letters), "\n".join(letters)):
        assert isinstance(read_option(said(text), OPTIONS), Unread)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Yes.", Answered(option="yes")),
        ("**No**, because she left.", Answered(option="no")),
        ("<answer>no</answer>", Answered(option="no")),
        ("Yes and no", Unread(reason="several")),
        ("yesterday", Unread(reason="no_answer")),
        ("I know.", Unread(reason="no_answer")),
        ("She says yes", Unread(reason="no_answer")),
        ("<answer>maybe</answer>", Unread(reason="not_an_option")),
    ],
)
def test_yes_or_no(text: str, read: Answered | Unread) -> None:
    assert read_yes_no(said(text)) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Alice", Answered(option="Alice")),
        ("Al and Alice", Answered(option="Al|Alice")),
        ("mara, AL", Answered(option="Al|Mara")),
        ("<answer>Mara</answer> (not Al)", Answered(option="Mara")),
        ("Nobody.", Answered(option="")),
        ("Everyone", Unread(reason="no_answer")),
        ("<answer>Mara</answer><answer>Al</answer>", Unread(reason="several")),
        ("", Unread(reason="empty")),
    ],
)
def test_names_are_whole_words(text: str, read: Answered | Unread) -> None:
    assert read_names(said(text), ("Al", "Alice", "Mara")) == read
