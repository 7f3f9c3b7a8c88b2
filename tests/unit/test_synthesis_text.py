"""Books, paragraphs, quotations, names, scenes and speakers: what code alone finds in a text."""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import os
from pathlib import Path

import pytest

from her.errors import InputError
from her.schema import Span
from her.story import load_gold
from her.story.load import story_path
from her.synthesis.extraction.beats import bare_turn
from her.synthesis.extraction.scenes import scenes
from her.synthesis.extraction.speakers import attribute, spoken
from her.synthesis.extraction.told import Told
from her.synthesis.people.aliases import discover
from her.synthesis.sources.book import book_of, read_book
from her.synthesis.text.paragraphs import paragraphs
from her.synthesis.text.prose import Prose
from her.synthesis.text.quotes import quotations
from her.synthesis.text.wording import normalise, same_words, sentences

DATA = Path(os.environ.get("HER_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
NOVEL = DATA / "novels" / "pride-and-prejudice.txt"


def _quotes(text: str) -> list[str]:
    places = paragraphs(text, Span(start=0, end=len(text)))
    return [text[q.span.start : q.span.end] for q in quotations(text, places)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"Go," he said. "Now."\n\n"No."', ["Go,", "Now.", "No."]),
        ("“Go,” he said.\n\n“Don’t.”", ["Go,", "Don’t."]),
        ("'Don't go,' he said. 'It's Ann's.'\n\n'Why?' said Tom's aunt.", ["Don't go,", "It's Ann's.", "Why?"]),
        ("‘Don’t go,’ he said.\n\n‘Why?’", ["Don’t go,", "Why?"]),
        ("«Pars», dit-il.\n\n«Non.»", ["Pars", "Non."]),
        ("「走吧。」他说。\n\n「不。」", ["走吧。", "不。"]),
        ('" You  want it," she said.\n\n"I do."', ["You  want it,", "I do."]),
    ],
)
def test_every_style_of_quotation_mark(text: str, expected: list[str]) -> None:
    assert _quotes(text) == expected


def test_a_quotation_that_goes_on_in_the_next_paragraph_is_one_utterance() -> None:
    text = 'Chapter 1.\n\n"First part.\n\n"Second part," said Ann.\n\n"Yes," said Tom.\n'
    book = book_of(text, stem="x")
    found, _ = scenes(Prose.of(book), book.chapters[0])
    first = found[0].utterances[0]
    assert [text[p.start : p.end] for p in first.pieces] == ["First part.", "Second part,"]
    assert first.balanced


def test_an_unbalanced_quotation_ends_at_its_paragraph() -> None:
    text = "“Never closed, said Ann.\n\nThe rain fell.\n\n“Yes,” said Tom."
    places = paragraphs(text, Span(start=0, end=len(text)))
    found = quotations(text, places)
    assert [(text[q.span.start : q.span.end], q.balanced) for q in found] == [
        ("Never closed, said Ann.", False),
        ("Yes,", True),
    ]


@pytest.mark.parametrize(
    ("heads", "titles"),
    [
        (("Chapter 1.", "CHAPTER XII."), ["Chapter 1.", "CHAPTER XII."]),
        (("I.", "II."), ["I.", "II."]),
        (("Act One", "ACT II: The Hall"), ["Act One", "ACT II: The Hall"]),
        (("Nothing here", "nor here"), ["Whole text"]),
    ],
)
def test_chapters_by_their_headings(heads: tuple[str, str], titles: list[str]) -> None:
    body = "\n\n" + "Words and words of it. " * 8 + "\n\n"
    book = book_of(f"A Title\n\n{heads[0]}{body}{heads[1]}{body}", stem="x")
    assert [c.title for c in book.chapters] == titles


def test_a_table_of_contents_is_not_chapters() -> None:
    body = "Words and words of it. " * 8
    book = book_of(f"Chapter 1\nChapter 2\n\nChapter 1\n\n{body}\n\nChapter 2\n\n{body}", stem="x")
    assert [c.number for c in book.chapters] == [1, 2]


def test_a_text_in_which_nobody_speaks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "essay.txt"
    path.write_text("Chapter 1.\n\nThe rain fell all day, and nobody said a word about it.\n", encoding="utf-8")
    with pytest.raises(InputError, match="quotes nobody"):
        read_book(path)


def test_sentences_do_not_end_at_a_title() -> None:
    text = "Mr. Bennet smiled. Mrs. Long did not!"
    assert [text[a:b] for a, b in sentences(text)] == ["Mr. Bennet smiled.", "Mrs. Long did not!"]


def test_same_words_is_strict_about_words_and_lenient_about_space() -> None:
    assert same_words("You want it.", " You  want\n\nit ,")
    assert not same_words("You want it!", "You want it,")
    assert not same_words("You want", "You want it")


def test_a_name_within_a_name_is_another_person() -> None:
    narration = "said Ann. said Ann. said Joanne. said Joanne. Joanne looked up. Ann left. " * 2
    roster = discover(narration)
    assert {p.name for p in roster.people} == {"Ann", "Joanne"}
    assert [p.name for _, p in roster.mentioned("Joanne wept.")] == ["Joanne"]


def test_titles_keep_people_apart_and_a_full_name_joins_them() -> None:
    narration = (
        "said Mr. Bennet. said Mrs. Bennet. said Edmund. said Edmund. Edmund Pryce came. Edmund Pryce left. "
        "said Mr. Pryce. said Mr. Pryce. "
    )
    roster = discover(narration)
    assert roster.person("Mr. Bennet") is not roster.person("Mrs. Bennet")
    assert roster.person("Mr. Pryce") is roster.person("Edmund")


def test_book_actions_stand_between_the_words_with_exact_spans() -> None:
    text = (
        'Chapter 1.\n\n"I am old." He took off one glove. "And tired," said Tom.\n\n'
        '"So am I," said Ann. Tom laughed. Ann saw Tom.\n'
    )
    book = book_of(text, stem="x")
    found, _ = scenes(Prose.of(book), book.chapters[0])
    roster = discover("said Tom. said Tom. Tom took off his glove. He left. said Ann. said Ann. Tom. Ann.")
    people = attribute(text, found[0], roster)
    assert [a.speaker.name for a in people if a.speaker] == ["Tom", "Ann"]
    turn, spans = bare_turn(text, people[0].utterance, turn_id="t", speaker="Tom", person=people[0].speaker)
    assert turn.layout() == "speech>action>speech"
    for part in turn.parts:
        assert part.span is not None
        assert same_words(part.text, text[part.span.start : part.span.end])
    assert [text[s.start : s.end] for s in spans] == ["I am old.", "And tired,"]


def test_attribution_of_the_shipped_story_agrees_with_its_gold() -> None:
    """Gold annotations say who speaks; rules alone must find nearly all of it, and be right where they answer."""
    book = read_book(story_path())
    told = Told.of(Prose.of(book))
    every = [s for found in told.scenes.values() for s in found]
    roster = discover(told.text())
    gold: dict[str, str] = {}
    for dialogue in load_gold():
        for turn in dialogue.turns:
            if len(turn.speech()) > 12:
                gold[normalise(turn.speech())[:30]] = turn.speaker
    right = wrong = silent = 0
    for scene in every:
        for a in attribute(book.text, scene, roster):
            want = gold.get(spoken(book.text, a.utterance.pieces)[:30])
            if want is None:
                continue
            if a.speaker is None:
                silent += 1
            elif want in (a.speaker.name, *a.speaker.aliases):
                right += 1
            else:
                wrong += 1
    assert right + wrong + silent >= 60
    assert wrong <= 0.04 * (right + wrong), (right, wrong, silent)
    assert silent <= 0.1 * (right + wrong + silent)


@pytest.mark.skipif(not NOVEL.is_file(), reason=f"no shared data at {DATA}")
def test_a_real_e_book_with_page_furniture() -> None:
    book = read_book(NOVEL)
    assert len(book.chapters) == 61
    first, alone = scenes(Prose.of(book), book.chapters[0])
    assert len(first) == 1
    assert not alone
    said = [spoken(book.text, u.pieces) for u in first[0].utterances]
    assert len(said) == 24
    assert said[0] == "My dear Mr. Bennet, have you heard that Netherfield Park is let at last?"
    assert all(u.balanced for u in first[0].utterances)
