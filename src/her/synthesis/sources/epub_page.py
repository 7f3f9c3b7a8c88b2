"""One page of an EPUB as plain text: paragraphs parted by blank lines, with the places of its anchors.

Owns which elements of HTML make a paragraph, which are furniture (page breaks, footnotes and their marks), and which
hold no text. Entities that a document defines for itself are not expanded. Knows nothing of zip files.
"""

import re
from html.parser import HTMLParser

_BLOCKS_TEXT = """
p div h1 h2 h3 h4 h5 h6 li blockquote section article header footer main figure figcaption table tr td th dl dt dd ul ol
pre body center hgroup address
"""
_BLOCKS = frozenset(_BLOCKS_TEXT.split())
_SILENT_TEXT = "head script style svg math audio video object iframe title nav template"
_SILENT = frozenset(_SILENT_TEXT.split())
_VOID_TEXT = "area base br col embed hr img input link meta source track wbr"
_VOID = frozenset(_VOID_TEXT.split())
_FURNITURE = re.compile(
    r"\b(?:pagebreak|footnotes?|endnotes?|rearnotes?|noteref|doc-(?:noteref|footnote|endnotes|pagebreak)|pagenum(?:ber)?)\b"
)
_SPACE = re.compile(r"\s+")
SCENE_BREAK = "* * *"
_DOCTYPE = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?<!DOCTYPE[^\[>]{0,500}(?:\[[^\]]{0,20000}\])?[^>]{0,500}>", re.IGNORECASE
)
_NO_TAG = re.compile(r"<(?![!/?A-Za-z][^<>]{0,8000}>)")


def sound(markup: str) -> str:
    """The same document without comments and declarations, and with every `<` that opens no whole tag as a character.

    The parser of the standard library takes a time that grows with the square of what is left open; one page of open
    tags would hold it for hours.
    """
    pieces: list[str] = []
    head = _DOCTYPE.match(markup)
    at = head.end() if head else 0
    while (start := markup.find("<!--", at)) >= 0 and (end := markup.find("-->", start + 4)) >= 0:
        pieces.append(markup[at:start])
        at = end + 3
    return _NO_TAG.sub("&lt;", "".join([*pieces, markup[at:]]))


class Page(HTMLParser):
    """Feed it a document; `text` is what a reader sees, `anchors` say where in it each `id` stands."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: dict[str, int] = {}
        self._pieces: list[str] = []
        self._size = 0
        self._gap = ""
        self._silent: tuple[str, int] | None = None
        """The element that hides what is inside it, and how many of its name are open."""
        self._waiting: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent is not None:
            if tag == self._silent[0]:
                self._silent = (tag, self._silent[1] + 1)
            return
        given = {name: value or "" for name, value in attrs}
        kinds = " ".join(given.get(name, "") for name in ("epub:type", "role", "class"))
        self._waiting += [given[name] for name in ("id", "name") if given.get(name)]
        if (tag in _SILENT or _FURNITURE.search(kinds)) and tag not in _VOID:
            self._silent = (tag, 1)
            return
        if tag == "br":
            self._part("\n")
        elif tag == "hr":
            self._part("\n\n")
            self._write(SCENE_BREAK)
            self._part("\n\n")
        elif tag in _BLOCKS:
            self._part("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if self._silent is not None:
            name, depth = self._silent
            if tag == name:
                self._silent = (name, depth - 1) if depth > 1 else None
            return
        if tag in _BLOCKS:
            self._part("\n\n")

    def handle_data(self, data: str) -> None:
        if self._silent is not None:
            return
        words = _SPACE.sub(" ", data)
        if words.startswith(" "):
            self._part(" ")
        if words.strip():
            self._write(words.strip())
        if words.endswith(" ") and words.strip():
            self._part(" ")

    def _part(self, gap: str) -> None:
        """The widest gap asked for since the last word is the one that is written."""
        if len(gap) > len(self._gap) or (gap == "\n" and self._gap == " "):
            self._gap = gap

    def _write(self, text: str) -> None:
        if self._size and self._gap:
            text = self._gap + text
        at = self._size + (len(self._gap) if self._size else 0)
        self._gap = ""
        for anchor in self._waiting:
            self.anchors.setdefault(anchor, at)
        self._waiting = []
        self._pieces.append(text)
        self._size += len(text)


class Links(HTMLParser):
    """The links of a table of contents (`nav` or `ncx`): a title and where it leads, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        self._words: list[str] = []
        self._target: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self._target, self._words = given["href"], []
        elif tag == "navlabel":
            self._words = []
        elif tag == "content" and given.get("src"):
            self._keep(given["src"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._target is not None:
            self._keep(self._target)
            self._target = None

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def _keep(self, target: str) -> None:
        title = " ".join(" ".join(self._words).split())
        if title:
            self.found.append((title, target))


class Elements(HTMLParser):
    """Every element of a small XML document with its attributes, and the words of `dc:title`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.title = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag.rpartition(":")[2], {name: value or "" for name, value in attrs}))
        self._in_title = tag == "dc:title" and not self.title

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
