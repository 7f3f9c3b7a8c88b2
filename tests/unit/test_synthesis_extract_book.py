"""A book as code reads it: furniture, chapters with and without headings, people."""

import pytest

from her.schema import Span
from her.synthesis import book_of
from her.synthesis.extraction.told import Told
from her.synthesis.people.aliases import discover
from her.synthesis.sources.furniture import furniture
from her.synthesis.text.cuts import parts
from her.synthesis.text.estimate import length, tokens
from her.synthesis.text.headings import headings
from her.synthesis.text.prose import Prose

TALK = (
    "“Is the boat ready?” said Ann. “The tide turns at noon.”\n\n“It was ready at dawn,” said Joanne.\n\n"
    "“Then we sail,” said Ann.\n\n“We sail when the captain is sober,” said Joanne.\n\n"
)
PROSE = "The harbour lay grey and still, and the gulls walked about on the stones as if they had paid for them. " * 3


def novel(*heads: str) -> str:
    return "The Boat\n\n" + "\n\n".join(f"{h}\n\n{PROSE}\n\n{TALK}" for h in heads)


GUTENBERG = f"""The Project Gutenberg eBook of The Boat

Title: The Boat, and Other Boats

*** START OF THE PROJECT GUTENBERG EBOOK THE BOAT ***

Produced by Two People and a Dog

[Illustration: a boat

[Copyright 1901]]

CHAPTER I.

{PROSE}

{TALK}
THE BOAT 12

She said that nothing{{13}} would ever make her cross that grey and

THE BOAT 13

cold water again.[2] She meant it.

  [Footnote 2: She did not.]

CHAPTER II.

{PROSE}

THE BOAT 14

{TALK}
Transcriber's Note:

Spelling was left as it was.

*** END OF THE PROJECT GUTENBERG EBOOK THE BOAT ***

Licence, licence, licence.
"""


def test_furniture_is_found_and_the_text_stays_as_it_was() -> None:
    book = book_of(GUTENBERG, stem="boat")
    assert book.text == GUTENBERG
    assert book.title == "The Boat, and Other Boats"
    assert [c.title for c in book.chapters] == ["CHAPTER I.", "CHAPTER II."]
    read = " ".join(book.read().split())
    assert "make her cross that grey and cold water again. She meant it." in read
    for waste in (
        "Gutenberg",
        "Produced by",
        "Illustration",
        "Copyright",
        "THE BOAT 1",
        "13",
        "[2]",
        "Footnote",
        "Spelling",
    ):
        assert waste not in read
    for word in ("harbour", "captain is sober", "CHAPTER II."):
        assert word in read
    assert len(book.read()) == len(GUTENBERG)


def test_a_paragraph_goes_on_behind_a_page() -> None:
    prose = Prose.of(book_of(GUTENBERG, stem="boat"))
    told = Told.of(prose)
    stretch = [" ".join(prose.text[s.start : s.end].split()) for s in told.narration[1]]
    assert "She said that nothing would ever make her cross that grey and cold water again. She meant it." in stretch


@pytest.mark.parametrize(
    "line",
    [
        "He had 12 boats.",
        "1984",
        "NO ENTRY",
        "see www.harbour.com for more, said the sign on the old door",
        "I",
        "[sic]",
    ],
)
def test_in_doubt_a_line_is_the_authors(line: str) -> None:
    text = f"{PROSE}\n\n{line}\n\n{PROSE}"
    taken = [text[s.start : s.end] for s in furniture(text)]
    assert taken == (["1984"] if line == "1984" else [])


def test_a_heading_that_an_illustration_holds_begins_its_chapter() -> None:
    text = novel("[Illustration: a boat\n\nChapter I.]", "CHAPTER II.")
    assert [c.title for c in book_of(text, stem="x").chapters] == ["Chapter I.", "CHAPTER II."]


@pytest.mark.parametrize(
    ("heads", "titles"),
    [
        (("Chapter 1\n\nThe Wide Sea", "Chapter 2\n\nThe Storm"), ["Chapter 1 The Wide Sea", "Chapter 2 The Storm"]),
        (("I", "II", "III"), ["I", "II", "III"]),
        (("1", "2", "3"), ["1", "2", "3"]),
        (("1. The Wide Sea", "2. The Storm"), ["1. The Wide Sea", "2. The Storm"]),
        (("第一章 大海", "第二章 风暴"), ["第一章 大海", "第二章 风暴"]),
        (("# The Wide Sea", "# The Storm"), ["The Wide Sea", "The Storm"]),
        (("*  *  *", "*  *  *"), ["Whole text"]),
    ],
)
def test_chapters_of_many_kinds(heads: tuple[str, ...], titles: list[str]) -> None:
    assert [c.title for c in book_of(novel(*heads), stem="x").chapters] == titles


def test_lines_in_capitals_are_headings_where_they_are_apart() -> None:
    text = "\n\n".join(f"{name}\n\n{PROSE * 3}\n\n{TALK}" for name in ("ANN", "JOANNE", "THE CAPTAIN"))
    assert [h.title for h in headings(text)] == ["ANN", "JOANNE", "THE CAPTAIN"]
    assert not headings("\n\n".join(f"{name}\n\n{TALK}" for name in ("ANN", "JOANNE", "STOP")))


def test_what_people_say_before_the_first_heading_is_a_chapter() -> None:
    text = f"The Boat\n\n{TALK}\n\nChapter 1\n\n{PROSE}\n\n{TALK}"
    assert [c.title for c in book_of(text, stem="x").chapters] == ["Opening", "Chapter 1"]


def test_a_text_without_headings_is_cut_into_even_parts_at_its_breaks() -> None:
    text = "The Boat\n\n" + "\n\n* * *\n\n".join(f"{PROSE * 6}\n\n{TALK}" for _ in range(40))
    book = book_of(text, stem="x")
    assert len(book.chapters) > 2
    assert [c.title for c in book.chapters[:2]] == ["Part 1", "Part 2"]
    for chapter in book.chapters[1:]:
        assert text[: chapter.span.start].rstrip().endswith("* * *")
    assert "".join(text[c.span.start : c.span.end] for c in book.chapters) == text


def test_parts_of_any_text_hold_their_budget() -> None:
    for text in ("word " * 9000, "x" * 50_000, "海" * 20_000, f"{TALK}" * 90):
        pieces = parts(text, Span(start=0, end=len(text)), budget=500)
        assert "".join(text[p.start : p.end] for p in pieces) == text
        assert all(tokens(text[p.start : p.end].strip()) <= 510 for p in pieces)


def test_tokens_are_estimated_by_script() -> None:
    assert tokens("four") == 1
    assert tokens("大海") == 2
    assert tokens("") == 0
    assert length("大海大海大海") == 4


def test_names_within_names_and_families_stay_apart() -> None:
    narration = (
        "said Ann. said Ann. said Joanne. said Joanne. said Mr. Bennet. said Mr. Bennet. said Mrs. Bennet. "
        "said Mrs. Bennet. said Elizabeth. said Elizabeth. said Lizzy. said Lizzy. said Lady Catherine. "
        "said Lady Catherine. said Kitty. said Kitty. said Catherine. said Catherine. said Colonel Brandt. "
        "said Brandt. said Colonel Brandt. said Brandt. Georgiana Darcy came and she sat. "
        "Georgiana Darcy left and she wept. "
        "said Georgiana. said Georgiana. said Mr. Darcy. said Mr. Darcy. said Darcy. said Darcy."
    )
    roster = discover(narration, told=["Mr Darcy", "Miss Elizabeth"])
    same = [{p.name, *p.aliases} for p in roster.people]
    assert {"Ann"} in same
    assert {"Joanne"} in same
    assert {"Mr. Bennet"} in same
    assert {"Mrs. Bennet"} in same
    assert {"Mr. Darcy", "Darcy"} in same
    assert {"Colonel Brandt", "Brandt"} in same
    assert {"Georgiana Darcy", "Georgiana"} in same
    assert roster.person("Lizzy") is roster.person("Elizabeth")
    assert roster.person("Mr Darcy") is roster.person("Mr. Darcy")
    assert roster.person("Kitty") is not roster.person("Lady Catherine")
