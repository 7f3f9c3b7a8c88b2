# ruff: noqa: RUF001 -- look-alike characters are what this file is about
"""The spelling of tags: what counts as a mark in a stream of text, however badly it was written.

Owns the alias table and two functions: `opener` finds where a mark may begin, `match` says of such a place: here is a
mark, here is none, or more text is needed to know. Knows nothing of turns, nesting or viewers. `match` looks only
forward and its answer, once given, does not change when more text arrives: that is what lets a stream and a whole text
be read alike, and what lets answers for short spellings be remembered.

Forgiven: case, spaces, attributes, zero-width characters, full-width and look-alike letters, HTML escapes, a missing
`>`, and the names other models and HER's own releases use. Unknown tags, `3 < 5`, `<3` and `<b>` are plain text.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["system", "thought", "think", "action", "speech", "control"]
"""`think`: a name that means system thinking where it opens a turn and a thought elsewhere. `speech` and `control`
marks are dropped and what they enclose is kept."""

CANONICAL: dict[str, str] = {
    "system": "system_thinking",
    "thought": "role_thinking",
    "action": "role_action",
}
_NAMES: dict[str, Kind] = {
    **dict.fromkeys(
        ("systemthinking", "systemthink", "systemthought", "systemthoughts", "systhinking", "systhink"),
        "system",
    ),
    **dict.fromkeys(
        (
            "rolethinking", "rolethink", "rolethinker", "rolethought", "rolethoughts", "longrolethinking",
            "longrolethought", "innerthought", "innerthoughts", "innerthinking", "innermonologue",
        ),
        "thought",
    ),
    **dict.fromkeys(
        ("think", "thinking", "thinker", "thought", "thoughts", "reasoning", "longthinking", "analysis"), "think"
    ),
    **dict.fromkeys(("roleaction", "roleactions", "action"), "action"),
    **dict.fromkeys(("rolespeech", "speech"), "speech"),
}  # fmt: skip
_STEMS: tuple[tuple[str, Kind], ...] = (
    ("systemthink", "system"),
    ("systemthought", "system"),
    ("rolethink", "thought"),
    ("rolethought", "thought"),
    ("innerthought", "thought"),
)
"""A name that begins so is hidden even with more letters glued to it (`<role_thinkingI must`): fail closed."""
_PREFIXES = frozenset(name[:n] for name in _NAMES for n in range(len(name) + 1))

_LT = "<＜﹤‹〈⟨〈"
_GT = ">＞﹥›〉⟩〉"
_LT_ENTITIES = ("&lt;", "&amp;lt;", "&#60;", "&#x3c;")
_GT_ENTITIES = ("&gt;", "&amp;gt;", "&#62;", "&#x3e;")
OPENERS = re.compile(f"[{_LT}&]")
_RARE = (*_LT[1:], "&")
RARE = re.compile(f"[{_LT[1:]}&]")
TAGS = frozenset(tag for name in CANONICAL.values() for tag in (f"<{name}>", f"</{name}>"))
CUT_TAGS = frozenset(tag[:n] for tag in TAGS for n in range(1, len(tag)))
_REMEMBERED = 24
"""Characters of a spelling that is looked up rather than read again: models repeat themselves."""
_CONTROL = re.compile(r"<\|[A-Za-z0-9_]{1,24}\|>")
_CONTROL_BEGIN = re.compile(r"<\|[A-Za-z0-9_]{0,24}\|?\s{0,512}")
_CHAT_ROLES = ("assistant\n", "user\n", "system\n")
LIMIT = 96
"""Characters a mark may span, white space apart. Longer attributes are not attributes."""
_BLANKS = 512
"""White space and unseen characters that a mark may span: without an end to them, a stream of blanks behind a bracket
would be read anew with every chunk."""
_LOOKALIKES = {
    **{"а": "a", "с": "c", "ԁ": "d", "е": "e", "ё": "e", "һ": "h", "н": "h", "і": "i", "ї": "i", "ј": "j", "к": "k"},
    **{"ӏ": "l", "м": "m", "о": "o", "р": "p", "г": "r", "ѕ": "s", "т": "t", "у": "y", "п": "n", "ԛ": "q"},
    **{"α": "a", "ε": "e", "ι": "i", "κ": "k", "ν": "v", "η": "n", "ο": "o", "ρ": "p", "τ": "t", "υ": "u"},
    **{"ı": "i", "ɩ": "i", "ɪ": "i", "ɡ": "g", "ɢ": "g", "ʜ": "h", "ɴ": "n", "ᴛ": "t", "ⅼ": "l", "ʏ": "y"},
}
"""Cyrillic, Greek and small-capital letters that pass for Latin ones (lower case: `fold` lowers first)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark that begins where the text was matched."""

    kind: Kind
    length: int
    """In characters."""
    closes: bool = False
    empty: bool = False
    """Self-closed: `<role_thinking/>`."""
    fault: str | None = None
    """How the spelling differs from the canonical one; None where it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """No mark begins here. `cut`: what looked like one ran into another opener, so many characters later."""

    cut: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """Undecided. `likely`: were the text to end here, this is a cut-off mark rather than a bare bracket."""

    likely: bool = False


@lru_cache(maxsize=4096)
def fold(char: str) -> str:
    """The ASCII letter that a character passes for; "" for what cannot be seen; the character itself otherwise."""
    if unicodedata.category(char) in ("Cf", "Mn", "Me", "Cc") and char not in "\n\t\r":
        return ""
    lower = char.lower()
    if lower in _LOOKALIKES:
        return _LOOKALIKES[lower]
    plain = unicodedata.normalize("NFKD", lower)[:1]
    return _LOOKALIKES.get(plain, plain)


def has_rare(text: str) -> bool:
    """Does an opener other than `<` occur?"""
    if text.isascii():
        return "&" in text
    for char in _RARE:  # noqa: SIM110 -- this is asked for every few characters, and `any` takes twice as long
        if char in text:
            return True
    return False


def opener(text: str, at: int) -> int:
    """The first place from `at` where `OPENERS` matches; -1 where none does. In a text that has no rare opener,
    `text.find("<", at)` says the same many times faster."""
    found = OPENERS.search(text, at)
    return found.start() if found else -1


def match(text: str, start: int, *, final: bool = False) -> Mark | Plain | More:
    """What begins at `start`, where `OPENERS` matches. `final`: no more text will come."""
    end = text.find(">", start, start + _REMEMBERED) + 1 or start + _REMEMBERED
    answer = _short(text[start:end])
    if isinstance(answer, More) and (final or end < len(text)):
        return _match(text, start, final=final)
    return answer


@lru_cache(maxsize=1024)
def _short(text: str) -> Mark | Plain | More:
    return _match(text, 0, final=False)


def _match(text: str, start: int, *, final: bool) -> Mark | Plain | More:
    after = _opener(text, start, final=final)
    if not isinstance(after, int):
        return after
    if text.startswith("<|", start):
        return _control(text, start, final=final)
    return _tag(text, start, after, final=final)


def _opener(text: str, start: int, *, final: bool) -> int | Plain | More:
    """Offset behind the opening bracket."""
    if text[start] != "&":
        return start + 1
    here = text[start : start + 8].lower()
    if entity := next((e for e in _LT_ENTITIES if here.startswith(e)), None):
        return start + len(entity)
    if not final and any(e.startswith(here) for e in _LT_ENTITIES):
        return More()
    return Plain()


def _control(text: str, start: int, *, final: bool) -> Mark | Plain | More:
    """A chat template's own token, with the role that follows `<|im_start|>`."""
    found = _CONTROL.match(text, start)
    if not found:
        begun = _CONTROL_BEGIN.match(text, start)
        assert begun is not None
        if begun.end() == len(text):
            return More(likely=len(begun.group().rstrip()) > 2)
        return Plain(cut=begun.end() - start if OPENERS.match(text, begun.end()) else None)
    end = found.end()
    if found.group() == "<|im_start|>":
        rest = text[end : end + 10]
        role = next((r for r in _CHAT_ROLES if rest.startswith(r)), None)
        if role is None and any(r.startswith(rest) for r in _CHAT_ROLES):
            if not final:
                return More(likely=True)
            role = rest
        end += len(role or "")
    return Mark(kind="control", length=end - start, fault="control_token")


def _tag(text: str, start: int, after: int, *, final: bool) -> Mark | Plain | More:
    letters, closes, empty = "", False, False
    named: tuple[str, int] | None = None
    """The longest known name so far that a separator ended, and where."""
    attributes = apart = False
    position, spaces = after, 0
    while position < len(text) and position - spaces - start < LIMIT and spaces < _BLANKS:
        char = text[position]
        gt = _gt(text, position, final=final)
        if gt is None:
            return More()
        if gt:
            return _close(text, start, position + gt, letters=letters, named=named, closes=closes, empty=empty)
        lt = _opener(text, position, final=final) if OPENERS.match(char) else None
        if isinstance(lt, int):
            cut = Plain(cut=position - start)
            return _break(start, letters=letters, named=named, closes=closes, at=position) or cut
        folded = fold(char)
        spaces += folded.isspace() or folded == ""
        empty = empty and (folded == "" or folded.isspace())
        if attributes or folded == "":
            empty = empty or (attributes and folded == "/")
        elif folded.isascii() and folded.isalpha():
            grown = letters + folded
            if apart:
                return Plain()
            if not _viable(grown, glued=named is None):
                if named is None:
                    return Plain()
                attributes = True
            else:
                letters = grown
        elif folded.isspace() or folded in "_-":
            if not letters and folded in "_-":
                return Plain()
            apart = apart or (not letters and char == "\n")
            if _kind(letters):
                named = (letters, position)
        elif folded == "/" and not letters and not closes:
            closes = True
        elif _kind(letters):
            named = named if named and named[0] == letters else (letters, position)
            attributes, empty = True, folded == "/"
        elif named:
            attributes = True
        else:
            return Plain()
        position += 1
    if position < len(text) or final:
        return _break(start, letters=letters, named=named, closes=closes, at=position) or Plain()
    return More(likely=closes or len(letters) > 2)


def _gt(text: str, position: int, *, final: bool) -> int | None:
    """Length of a closing bracket here; 0 for none, None for undecided."""
    if text[position] in _GT:
        return 1
    if text[position] != "&":
        return 0
    here = text[position : position + 8].lower()
    for entity in _GT_ENTITIES:
        if here.startswith(entity):
            return len(entity)
    undecided = any(e.startswith(here) for e in (*_GT_ENTITIES, *_LT_ENTITIES))
    return None if undecided and not final else 0


def _viable(letters: str, *, glued: bool) -> bool:
    return letters in _PREFIXES or (glued and any(letters.startswith(stem) for stem, _ in _STEMS))


def _kind(letters: str) -> Kind | None:
    if kind := _NAMES.get(letters):
        return kind
    return next((kind for stem, kind in _STEMS if letters.startswith(stem)), None)


def _close(
    text: str, start: int, end: int, *, letters: str, named: tuple[str, int] | None, closes: bool, empty: bool
) -> Mark | Plain:
    if named and letters not in _NAMES:
        letters = named[0]
    kind = _kind(letters)
    if kind is None:
        return Plain()
    name = CANONICAL.get(kind)
    canonical = name is not None and text[start:end] == f"<{'/' if closes else ''}{name}>"
    alias = kind in ("think", "speech") or letters != (name or "").replace("_", "")
    fault = None if canonical else "dropped_tag" if kind == "speech" else "alias" if alias else "spelling"
    return Mark(kind=kind, length=end - start, closes=closes, empty=empty, fault=fault)


def _break(start: int, *, letters: str, named: tuple[str, int] | None, closes: bool, at: int) -> Mark | None:
    """A known name whose `>` never came: the mark ends behind the name, and what follows is inside it."""
    if named:
        kind = _kind(named[0])
        end = named[1]
    else:
        kind, end = _kind(letters), at
    return None if kind is None else Mark(kind=kind, length=end - start, closes=closes, fault="unclosed_tag")
