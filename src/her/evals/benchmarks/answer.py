"""The reader of a short answer: which option, which names, yes or no. One place for every benchmark.

Owns `Answered | Unread`. It never guesses: two answers that differ are `several`, a letter that contradicts its text is
`contradiction`, a reply that broke off before its answer is `cut`. Published graders take the first letter A-D anywhere
in the text (SOUL, LifeChoice), so that a reply nobody can read earns the share of chance.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from her.evals.benchmarks.asked import Lost, Response
from her.schema import Record

UnreadReason = Literal[
    "empty", "only_thinking", "no_answer", "several", "contradiction", "not_an_option", "cut", "refused", "lost"
]


class Answered(Record):
    """An answer that was read."""

    kind: Literal["answered"] = "answered"
    option: str
    """Key of the option; `yes` or `no`; for names, all of them, in the order of the candidates, joined by `|`."""


class Unread(Record):
    """A reply whose answer nobody can tell."""

    kind: Literal["unread"] = "unread"
    reason: str
    """An `UnreadReason`, or `lost:` and why there is no reply."""


Reading = Annotated[Answered | Unread, Field(discriminator="kind")]

_TAG = re.compile(r"<\s*answer\s*>(.*?)(?:<\s*/\s*answer\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_CLOSED_TAG = re.compile(r"<\s*answer\s*>.*?<\s*/\s*answer\s*>", re.IGNORECASE | re.DOTALL)
_THINKING = re.compile(
    r"<\s*(think|thinking|system_thinking|reasoning)\s*>.*?<\s*/\s*\1\s*>", re.IGNORECASE | re.DOTALL
)
_OPEN_THINKING = re.compile(r"<\s*(?:think|thinking|system_thinking|reasoning)\s*>", re.IGNORECASE)
_STATED = re.compile(
    r"(?:(?:answer|choice|option)\s*(?:is|was|would be|[:=])|答案(?:是|为|[:：]))(?=\s*(?P<rest>[^\n]+))",  # noqa: RUF001
    re.IGNORECASE,
)
_LETTERED = re.compile(r"(?P<key>[A-Za-z])(?:\s*[.):\]}、-]+\s*|\s*$)(?P<text>.*)", re.DOTALL)
_EDGES = " \t\r\n*_`\"'“”‘’«»()[]{}<>.,;:!。,、"  # noqa: RUF001


def spoken(returned: Response | Lost) -> str | Unread:
    """The part of a reply that may hold an answer: without thinking, which may weigh every option."""
    if isinstance(returned, Lost):
        return Unread(reason=f"lost:{returned.reason}")
    if returned.finish_reason == "content_filter":
        return Unread(reason="refused")
    text = _THINKING.sub("", returned.text)
    opened = _OPEN_THINKING.search(text)
    text = (text[: opened.start()] if opened else text).strip()
    if text:
        return text
    return Unread(reason="only_thinking" if returned.text.strip() or returned.reasoning else "empty")


def read_option(returned: Response | Lost, options: Mapping[str, str]) -> Answered | Unread:
    """Which of `options` (key to text, keys being letters) a reply chooses.

    In this order: `<answer>` tags; the whole reply; what "the answer is" or "answer:" says; the first or last line.
    Each place either names exactly one option or is passed over; places of one kind that name different options are
    `several`.
    """
    text = spoken(returned)
    if isinstance(text, Unread):
        return text
    cut = isinstance(returned, Response) and returned.finish_reason == "length"
    if _TAG.search(text):
        if cut and not _CLOSED_TAG.search(text):
            return Unread(reason="cut")
        return _one([_choice(m[1], options) for m in _TAG.finditer(text)], none="not_an_option")
    none: UnreadReason = "cut" if cut else "no_answer"
    if cut:
        text = text.rpartition("\n")[0].strip()  # nobody knows how the last line would have gone on
    if not text:
        return Unread(reason=none)
    if not isinstance(whole := _choice(text, options), _Nothing):
        return _one([whole], none=none)
    stated = [_stated(m["rest"], options) for m in _STATED.finditer(text)]
    if any(not isinstance(s, _Nothing) for s in stated):
        return _one(stated, none=none)
    lines = [line for line in text.splitlines() if line.strip()]
    return _one([_choice(line, options) for line in (lines[:1] if cut else (lines[0], lines[-1]))], none=none)


def read_yes_no(returned: Response | Lost) -> Answered | Unread:
    """`yes` or `no`, from the `<answer>` tag or the first word of the reply; both words at once are `several`."""
    text = spoken(returned)
    if isinstance(text, Unread):
        return text
    tags = [m[1] for m in _TAG.finditer(text)]
    said = {w for tag in tags or [text] for w in re.findall(r"\b(?:yes|no)\b", _folded(tag))}
    if tags:
        return Answered(option=said.pop()) if len(said) == 1 else Unread(reason="several" if said else "not_an_option")
    first = re.match(r"\W*(yes|no)\b", _folded(text))
    if first and len(said) == 1:
        return Answered(option=first[1])
    return Unread(reason="several" if len(said) > 1 else "no_answer")


def read_names(returned: Response | Lost, names: Sequence[str]) -> Answered | Unread:
    """Which of `names` a reply lists, as whole words: `Al` is not in `Alice`. `none` said alone is the empty list."""
    text = spoken(returned)
    if isinstance(text, Unread):
        return text
    if isinstance(returned, Response) and returned.finish_reason == "length" and not _CLOSED_TAG.search(text):
        return Unread(reason="cut")
    tags = [m[1] for m in _TAG.finditer(text)]
    if len({_folded(t).strip(_EDGES) for t in tags}) > 1:
        return Unread(reason="several")
    said = _folded(tags[0] if tags else text)
    found = [n for n in names if re.search(rf"(?<!\w){re.escape(_folded(n))}(?!\w)", said)]
    if found:
        return Answered(option="|".join(found))
    if said.strip(_EDGES) in {"none", "nobody", "no one"}:
        return Answered(option="")
    return Unread(reason="no_answer")


class _Nothing:
    """A place that names no option."""


def _choice(text: str, options: Mapping[str, str]) -> str | Unread | _Nothing:
    """The key that a stretch of text names, a contradiction, or nothing."""
    bare = unicodedata.normalize("NFKC", text).strip(_EDGES)
    by_text = [key for key, value in options.items() if _same(bare, value)]
    if by_text:
        return by_text[0] if len(by_text) == 1 else Unread(reason="several")
    bare = re.sub(r"^(?:option|choice|answer)\s+", "", bare, flags=re.IGNORECASE).strip(_EDGES)
    lettered = _LETTERED.fullmatch(bare)
    if lettered is None:
        return _Nothing()
    key = next((k for k in options if k.casefold() == lettered["key"].casefold()), None)
    rest = lettered["text"].strip(_EDGES)
    if key is None:
        return _Nothing()
    if not rest or _same(rest, options[key]) or _folded(rest).startswith(_folded(options[key])):
        return key
    if any(_same(rest, value) for value in options.values()):
        return Unread(reason="contradiction")
    return _Nothing()


def _one(found: Sequence[str | Unread | _Nothing], *, none: UnreadReason) -> Answered | Unread:
    """The one option that all places which name any agree on."""
    if unread := next((f for f in found if isinstance(f, Unread)), None):
        return unread
    keys = {f for f in found if isinstance(f, str)}
    if len(keys) == 1:
        return Answered(option=keys.pop())
    return Unread(reason="several" if keys else none)


def _stated(text: str, options: Mapping[str, str]) -> str | Unread | _Nothing:
    """What follows "the answer is", up to the end of the clause; a full stop after a letter may or may not end it."""
    letter = re.match(r"\W*\(?[A-Za-z][.):]\s*", text)
    start = letter.end() if letter else 0
    end = re.search(r"[.!?。]\s|\s+(?:because|since|as)\b", text[start:])
    found = _choice(text[: start + end.start()] if end else text, options)
    return _choice(letter[0], options) if isinstance(found, _Nothing) and letter else found


def _same(a: str, b: str) -> bool:
    return bool(a) and _folded(a).strip(_EDGES) == _folded(b).strip(_EDGES)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", " ").split())
