"""Sources: EPUBs, shelves, furniture, chapters without headings; and every kind of text that is no good."""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import asyncio
import io
import json
import resource
import time
import zipfile
from pathlib import Path

import pytest

from her.errors import InputError
from her.llm import Reply, Request
from her.schema import Book, Span
from her.synthesis import Reject, Shelf, SynthConfig, book_of, read_source, synthesize
from her.synthesis.aliases import discover
from her.synthesis.cuts import parts
from her.synthesis.estimate import length, tokens
from her.synthesis.furniture import furniture
from her.synthesis.headings import headings
from her.synthesis.prose import Prose
from her.synthesis.rehearsal import Rehearsal, rehearse
from her.synthesis.told import Told

TALK = (
    "“Is the boat ready?” said Ann. “The tide turns at noon.”\n\n“It was ready at dawn,” said Joanne.\n\n"
    "“Then we sail,” said Ann.\n\n“We sail when the captain is sober,” said Joanne.\n\n"
)
PROSE = "The harbour lay grey and still, and the gulls walked about on the stones as if they had paid for them. " * 3


def novel(*heads: str) -> str:
    return "The Boat\n\n" + "\n\n".join(f"{h}\n\n{PROSE}\n\n{TALK}" for h in heads)


# Furniture ------------------------------------------------------------------------------------------------------------

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


# Chapters -------------------------------------------------------------------------------------------------------------


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


# People ---------------------------------------------------------------------------------------------------------------


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


# EPUB -----------------------------------------------------------------------------------------------------------------

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'


def page(body: str) -> str:
    return f"<?xml version='1.0'?><html><head><title>no</title><style>p{{}}</style></head><body>{body}</body></html>"


def talk_html() -> str:
    return "".join(f"<p>{p}</p>" for p in TALK.strip().split("\n\n"))


def epub(path: Path, **members: str | bytes) -> Path:
    whole: dict[str, str | bytes] = {
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": (
            "<package><metadata><dc:title>Boats: A/B</dc:title></metadata><manifest>"
            '<item id="a" href="one.xhtml" media-type="application/xhtml+xml"/>'
            '<item id="b" href="t%20wo.xhtml" media-type="application/xhtml+xml"/>'
            '<item id="n" href="nav.xhtml" properties="nav"/></manifest>'
            '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>'
        ),
        "OPS/nav.xhtml": page(
            '<nav epub:type="toc"><a href="t%20wo.xhtml">Contents</a><a href="t%20wo.xhtml#c1">The  Sea</a>'
            '<a href="one.xhtml">The Storm</a></nav>'
        ),
        "OPS/one.xhtml": page(f"<h1>The Storm</h1><p>{PROSE}</p><hr/>{talk_html()}"),
        "OPS/t wo.xhtml": page(
            f'<h1 id="c1">The<br/>Sea</h1><p>{PROSE}<span class="pagenum">[12]</span> It rained&lol;.</p>{talk_html()}'
            '<p>End<a epub:type="noteref" href="#n">7</a>.</p><script>alert(1)</script>'
        ),
        **members,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in whole.items():
            archive.writestr(name, data)
    return path


def test_an_epub_is_read_in_spine_order_with_its_own_chapters(tmp_path: Path) -> None:
    book = read_source(epub(tmp_path / "boats.epub"))
    assert isinstance(book, Book)
    assert (book.id, book.title) == ("boats", "Boats: A/B")
    assert [c.title for c in book.chapters] == ["The Sea", "The Storm"]
    assert "It rained&lol;." in book.text
    assert "End." in book.text
    for waste in ("[12]", "alert", "Contents", "p{}"):
        assert waste not in book.text
    assert "\n\n* * *\n\n" in book.text
    result = asyncio.run(synthesize(book, teacher=Rehearsal({}), config=SynthConfig(retries=0)))
    assert [t.speaker for d in result.dialogues for t in d.turns] == ["Ann", "Joanne"] * 4
    for item in result.verified:
        assert item.spans


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"../evil.xhtml": "x"}, "leads out"),
        ({"/etc/passwd": "x"}, "leads out"),
        ({"OPS/bomb.xhtml": b"\0" * (30 * 2**20)}, "times its size"),
        ({"META-INF/container.xml": "<container/>"}, "no package"),
        ({"META-INF/container.xml": CONTAINER.replace("OPS/book.opf", "../../x.opf")}, "no package"),
        ({"OPS/book.opf": "<package/>"}, "names no page"),
        ({"OPS/one.xhtml": page("<p>Nothing said.</p>"), "OPS/t wo.xhtml": page("<p>Nor here.</p>")}, "quotes nobody"),
    ],
)
def test_an_epub_that_is_none_or_hostile_is_refused(
    tmp_path: Path, members: dict[str, str | bytes], match: str
) -> None:
    path = epub(tmp_path / "x.epub", **members)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=match):
        read_source(path)
    assert set(tmp_path.rglob("*")) == before


def test_zips_that_are_no_epub(tmp_path: Path) -> None:
    path = tmp_path / "x.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", TALK)
    with pytest.raises(InputError, match=r"container\.xml"):
        read_source(path)
    path.write_text(TALK, encoding="utf-8")
    with pytest.raises(InputError, match="no EPUB"):
        read_source(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("OPS/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    path.write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="is a link"):
        read_source(path)
    with pytest.raises(InputError, match="no such file"):
        read_source(tmp_path / "none.epub")


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>'
    book = read_source(epub(tmp_path / "x.epub", **{"OPS/one.xhtml": f"{bomb}{page(f'<p>&c;</p>{talk_html()}')}"}))
    assert isinstance(book, Book)
    assert "aaaa" not in book.text


# Shelves --------------------------------------------------------------------------------------------------------------


def test_a_shelf_gives_books_one_by_one_and_names_what_is_wrong(tmp_path: Path) -> None:
    good = {"text": novel("Chapter 1"), "title": "Boats / of: War", "licence": "CC0-1.0"}
    lines = [
        json.dumps(good),
        "",
        "{",
        "[1]",
        json.dumps({"title": "no text"}),
        json.dumps({"text": 7}),
        json.dumps({**good, "author": "A. N."}),
        json.dumps({**good, "text": "\ud800" + good["text"]}),
        json.dumps({**good, "text": "Nobody speaks."}),
        json.dumps({**good, "id": "boats"}),
        json.dumps({**good, "id": "boats"}),
        json.dumps({"text": novel("Chapter 1")}),
        json.dumps({**good, "title": "Boats of War"}),
    ]
    path = tmp_path / "shelf.jsonl"
    path.write_text("\n".join(lines) + "\n\xff".encode("latin-1").decode("latin-1"), encoding="utf-8")
    shelf = read_source(path)
    assert isinstance(shelf, Shelf)
    found = list(shelf.books())
    books = [b for b in found if isinstance(b, Book)]
    bad = [r for r in found if isinstance(r, Reject)]
    assert [(b.id, b.title) for b in books] == [
        ("boats-of-war", "Boats / of: War"),
        ("boats", "Boats / of: War"),
        ("shelf-00012", "The Boat"),
        ("boats-of-war-00013", "Boats of War"),
    ]
    assert books[0].licence == "CC0-1.0"
    assert [(r.item_id, r.reason, r.detail.split(":")[0]) for r in bad] == [
        ("shelf.jsonl:3", "bad_line", "line"),
        ("shelf.jsonl:4", "bad_line", "line"),
        ("shelf.jsonl:5", "bad_line", "text"),
        ("shelf.jsonl:6", "bad_line", "text"),
        ("shelf.jsonl:7", "bad_line", "author"),
        ("shelf.jsonl:8", "bad_line", "text"),
        ("shelf.jsonl:9", "no_dialogue", "text"),
        ("shelf.jsonl:11", "duplicate_id", "id"),
        ("shelf.jsonl:14", "bad_line", "line"),
    ]


# Texts that are no good -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"\x7fELF\0\0\0", "binary"),
        (b"Chapter 1\n\nNobody says a word.\n", "quotes nobody"),
        (b"\xed\xa0\x80" + TALK.encode(), "not UTF-8"),
        (TALK.encode("utf-16"), "binary"),
        (
            b"*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\n",
            "nothing but",
        ),
    ],
)
def test_a_text_that_cannot_be_used_says_why(tmp_path: Path, data: bytes, match: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=match):
        read_source(path)


def worked(text: str, **config: object) -> object:
    settings = SynthConfig.model_validate({"retries": 0, **config})
    return asyncio.run(synthesize(book_of(text, stem="x"), teacher=Rehearsal({}), config=settings))


def test_a_single_speaker_makes_no_scene() -> None:
    with pytest.raises(InputError, match="no scene with two"):
        worked(f"Chapter 1\n\n{PROSE}\n\n“I am alone,” said Ann.\n\n{PROSE * 9}\n\n“Still alone,” said Ann.\n\n{PROSE}")


def test_a_novel_on_one_line_says_that_its_line_breaks_are_lost() -> None:
    line = " ".join(f"“Word {n} of it,” said Ann. {PROSE} “Another {n},” said Joanne." for n in range(40))
    with pytest.raises(InputError, match="lost its line breaks"):
        worked(line)


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        ("第一章 海\n\n海面很平静。" * 4 + "\n\n小明说：“船准备好了吗？”\n\n老王笑着说：“早就好了。”\n\n"
         "小明说：“那就走吧。”\n\n老王说道：“等船长酒醒了再走。”\n", ["小明", "老王", "小明", "老王"]),
        ("פרק 1\n\n«לאן אתה הולך?» שאלה רות.\n\n«אל הים» ענה דן.\n\n«אל תלך לשם» אמרה רות.\n", None),
        ("الفصل 1\n\n«إلى أين تذهب؟» قالت ليلى.\n\n«إلى البحر البعيد» قال سامي.\n\n«لا تذهب وحدك» قالت ليلى.\n", None),
    ],
)  # fmt: skip
def test_other_scripts_are_read_or_refused_aloud(text: str, speakers: list[str] | None) -> None:
    if speakers is None:
        with pytest.raises(InputError, match="no scene with two"):
            worked(text)
        return
    result = worked(text)
    assert [t.speaker for d in result.dialogues for t in d.turns] == speakers  # type: ignore[attr-defined]
    assert result.report.spans_verified == len(speakers)  # type: ignore[attr-defined]


def test_a_turn_between_two_of_one_speaker_that_nobody_owns_keeps_them_apart() -> None:
    text = (
        f"Chapter 1\n\n{PROSE}\n\n“First of all,” said Ann.\n\nA gull cried.\n\n“Whose words are these?”\n\n"
        "A gull cried.\n\n“Second of all,” said Ann.\n\n“Third,” said Joanne.\n\n“Fourth,” said Peter.\n\n"
        "“Fifth,” said Joanne.\n\n"
        "“Sixth,” said Peter.\n"
    )

    class Refuser(Rehearsal):
        async def reply(self, request: Request) -> Reply:
            found = await super().reply(request)
            return found.model_copy(update={"text": "{}"})

    settings = SynthConfig(retries=0)
    result = asyncio.run(synthesize(book_of(text, stem="x"), teacher=Refuser({}), config=settings))
    said = [(t.speaker, t.speech()) for t in result.dialogues[0].turns]
    assert said[:2] == [("Ann", "First of all."), ("Ann", "Second of all.")]
    assert "unattributed" in result.report.attributed


def test_ten_megabytes_are_read_and_planned_in_seconds_and_in_bounded_memory(tmp_path: Path) -> None:
    chapter = f"{PROSE * 8}\n\n{TALK * 3}\n\n{PROSE}\n\n"
    size = 10 * 2**20
    count = size // len(chapter.encode())
    path = tmp_path / "long.txt"
    path.write_text("".join(f"Chapter {n}\n\n{chapter}" for n in range(1, count + 1)), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    book = read_source(path)
    assert isinstance(book, Book)
    told = Told.of(Prose.of(book))
    roster = discover(told.text())
    seconds = time.process_time() - start
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(book.chapters) == count
    assert {"Ann", "Joanne"} == {p.name for p in roster.people}
    assert seconds < 45, seconds
    assert grown_mib < 800, grown_mib


def test_a_plan_counts_what_the_run_would_ask() -> None:
    book = book_of(novel("Chapter 1", "Chapter 2"), stem="boat")
    config = SynthConfig(extract="teacher", guided=False)
    plan = asyncio.run(rehearse(book, config))
    assert (plan.chapters, plan.chunks, plan.scenes, plan.turns) == (2, 2, 2, 8)
    assert {s.stage: s.calls for s in plan.stages}["reading"] == 2
    assert plan.prompt_tokens() > 1000
    assert plan.completion_tokens() > 100
