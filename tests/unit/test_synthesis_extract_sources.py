"""Sources: EPUBs, shelves, and every kind of text that is no good."""
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
from her.schema import Book
from her.synthesis import Reject, Shelf, SynthConfig, book_of, read_source, synthesize
from her.synthesis.extraction.told import Told
from her.synthesis.people.aliases import discover
from her.synthesis.rehearsal import Rehearsal, rehearse
from her.synthesis.text.prose import Prose

TALK = (
    "“Is the boat ready?” said Ann. “The tide turns at noon.”\n\n“It was ready at dawn,” said Joanne.\n\n"
    "“Then we sail,” said Ann.\n\n“We sail when the captain is sober,” said Joanne.\n\n"
)
PROSE = "The harbour lay grey and still, and the gulls walked about on the stones as if they had paid for them. " * 3


def novel(*heads: str) -> str:
    return "The Boat\n\n" + "\n\n".join(f"{h}\n\n{PROSE}\n\n{TALK}" for h in heads)


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


def test_tags_that_never_close_take_no_time(tmp_path: Path) -> None:
    hostile = page("<a " * 300_000 + "<!--" * 1000 + f"2 < 3 {talk_html()}")
    start = time.process_time()
    book = read_source(epub(tmp_path / "x.epub", **{"OPS/one.xhtml": hostile}))
    assert time.process_time() - start < 20
    assert isinstance(book, Book)
    assert "2 < 3" in book.text


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
