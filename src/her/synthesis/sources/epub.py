"""EPUB: a zip of web pages becomes one plain text with the chapters that its table of contents names.

Owns the zip and its limits: an EPUB is hostile input. Members are read in memory and never extracted, their real size
is counted while they are read, names lead nowhere, entities are not expanded. What a page says is read in
`her.synthesis.sources.epub_page`.
"""

import posixpath
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from her.errors import InputError
from her.schema import Book
from her.synthesis.sources.book import MOST_BYTES, book_of, must_speak
from her.synthesis.sources.epub_page import Elements, Links, Page, sound
from her.synthesis.text.headings import Heading

P = TypeVar("P", bound=HTMLParser)
MOST_MEMBERS = 5000
MOST_UNPACKED = 200 * 2**20
MOST_PAGE = 16 * 2**20
MOST_RATIO = 100
"""A member that grows more than this is a bomb; text grows about four times."""
_SMALL = 2**20
"""Below it, no ratio is suspicious."""
_ENCODING = re.compile(rb"encoding=[\"']([A-Za-z0-9._-]{1,40})[\"']")
_FRONT = re.compile(
    r"(?:cover|title ?page|half ?title|copyright|(?:table of )?contents|dedication|colophon|imprint|about the author|"
    r"also by.*|acknowledge?ments?|newsletter.*|(?:the )?full project gutenberg.*)\W*",
    re.IGNORECASE,
)


def read_epub(path: Path) -> Book:
    """Read an EPUB. Raises InputError for a file that is none, that breaks a limit, or in which nobody speaks."""
    if not path.is_file():
        raise InputError(f"no such file: {path}; check the path")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} has over {MOST_BYTES >> 20} MiB, more than any book of words; give its text instead")
    try:
        with zipfile.ZipFile(path) as archive:
            text, heads, title = _Reader(path, archive).read()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as e:
        raise InputError(f"{path} is no EPUB: {e}; give an .epub file or a plain text") from e
    if not text.strip():
        raise InputError(f"{path} holds no text (pages of pictures?); give it as text")
    book = book_of(text, stem=path.stem, heads=heads, title=title or None)
    must_speak(book, where=str(path))
    return book


class _Reader:
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        self._members = self._checked(archive.infolist())
        self._read = 0

    def read(self) -> tuple[str, list[Heading], str]:
        """The text of the spine, the headings of the table of contents, and the title."""
        container = self._parse("META-INF/container.xml", Elements())
        package = next((a.get("full-path", "") for tag, a in container.found if tag == "rootfile"), "")
        if package not in self._members:
            raise self._wrong(f"its container names no package ({package[:80]!r})")
        document = self._parse(package, Elements())
        folder = posixpath.dirname(package)
        items = {a["id"]: a for tag, a in document.found if tag == "item" and a.get("id") and a.get("href")}
        contents = self._contents(document, items, folder)
        listed = [a for tag, a in document.found if tag == "itemref" and a.get("linear") != "no"]
        pages = [items[a["idref"]] for a in listed if a.get("idref") in items]
        pieces: list[str] = []
        places: dict[tuple[str, str], int] = {}
        size = 0
        for item in pages:
            name = _join(folder, item["href"])
            if (
                "nav" in item.get("properties", "").split()
                or name not in self._members
                or name in {p for p, _ in places}
            ):
                continue
            page = self._parse(name, Page())
            places[name, ""] = size
            places |= {(name, anchor): size + at for anchor, at in page.anchors.items()}
            if page.text:
                pieces.append(page.text)
                size += len(page.text) + 2
        if not places:
            raise self._wrong("its spine names no page")
        text = "\n\n".join(pieces)
        return text, _headings(text, contents, places), " ".join(document.title.split())

    def _contents(
        self, document: Elements, items: Mapping[str, Mapping[str, str]], folder: str
    ) -> list[tuple[str, str]]:
        """Titles and where they lead, as `MEMBER#ANCHOR`."""
        nav = next((i for i in items.values() if "nav" in i.get("properties", "").split()), None)
        ncx = next((i for i in items.values() if i.get("media-type") == "application/x-dtbncx+xml"), None)
        for item in (nav, ncx):
            name = _join(folder, item["href"]) if item is not None else ""
            if name in self._members:
                found = self._parse(name, Links()).found
                here = posixpath.dirname(name)
                if found:
                    return [(title, _join(here, target)) for title, target in found]
        return []

    def _parse(self, name: str, parser: P) -> P:
        if name not in self._members:
            raise self._wrong(f"it has no {name}")
        data = self._bytes(name)
        said = _ENCODING.search(data[:200])
        try:
            text = data.decode(said[1].decode("ascii") if said else "utf-8-sig")
        except (LookupError, UnicodeDecodeError):
            text = data.decode("utf-8", "replace")
        parser.feed(sound(text))
        parser.close()
        return parser

    def _bytes(self, name: str) -> bytes:
        """A member, read no further than its limit whatever the archive says of its size."""
        with self._archive.open(self._members[name]) as file:
            data = file.read(MOST_PAGE + 1)
        self._read += len(data)
        if len(data) > MOST_PAGE:
            raise self._wrong(f"{name} has over {MOST_PAGE >> 20} MiB")
        if self._read > MOST_UNPACKED:
            raise self._wrong(f"its pages have over {MOST_UNPACKED >> 20} MiB")
        return data

    def _checked(self, members: Sequence[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        if len(members) > MOST_MEMBERS:
            raise self._wrong(f"it has {len(members)} members, over {MOST_MEMBERS}")
        total = 0
        for member in members:
            name = member.filename
            parts = name.split("/")
            if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or ":" in parts[0]:
                raise self._wrong(f"the member {name[:80]!r} leads out of the archive")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise self._wrong(f"the member {name[:80]!r} is a link")
            if member.flag_bits & 1:
                raise self._wrong("it is encrypted; give a copy without copy protection")
            total += member.file_size
            if member.file_size > _SMALL and member.file_size > MOST_RATIO * max(1, member.compress_size):
                raise self._wrong(f"the member {name[:80]!r} unpacks to over {MOST_RATIO} times its size")
        if total > MOST_UNPACKED:
            raise self._wrong(f"it unpacks to {total >> 20} MiB, over {MOST_UNPACKED >> 20}")
        return {m.filename: m for m in members}

    def _wrong(self, what: str) -> InputError:
        return InputError(f"{self._path} cannot be read as an EPUB: {what}; give a sound .epub or a plain text")


def _join(folder: str, target: str) -> str:
    """The member (and anchor) that a link leads to, seen from a folder."""
    place, mark, anchor = target.partition("#")
    return posixpath.normpath(posixpath.join(folder, unquote(place))) + mark + anchor


def _headings(text: str, contents: Sequence[tuple[str, str]], places: Mapping[tuple[str, str], int]) -> list[Heading]:
    """What the table of contents names, where it stands. Of several titles for one place the last, which is the
    chapter and not the part that it opens."""
    found: dict[int, str] = {}
    for title, target in contents:
        name, _, anchor = target.partition("#")
        at = places.get((name, anchor), places.get((name, "")))
        if at is not None and at < len(text) and not _FRONT.fullmatch(title):
            found[at] = title
    heads = []
    for at, title in sorted(found.items()):
        words = re.compile(r"\s*" + r"\s+".join(re.escape(w) for w in title.split())).match(text, at)
        heads.append(Heading(title=title, start=at, end=words.end() if words else at))
    return heads
