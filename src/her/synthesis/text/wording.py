"""Wording: what counts as the same words, where sentences end, and how much one text repeats another.

Owns every comparison of a teacher's text with a book's. Knows no model and no record. "The same words" means: equal
once runs of whitespace are one space and no space stands before a closing mark, which is what page breaks and italics
leave behind in e-books.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Iterable
from itertools import pairwise

_SPACE = re.compile(r"\s+")
_INK = re.compile(r"\S")
_BEFORE_MARK = re.compile(r" (?=[,.;:!?…’”\)\]])")
_HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+(?:['’][^\W_{_HAN}]+)*")
"""A character of a script without spaces is a word."""
_HAN_RUN = re.compile(rf"[{_HAN}]{{2,}}")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"“‘])(?:Mr|Mrs|Ms|Dr|St|Sr|Jr|Capt|Col|Gen|Rev|Prof|Hon|Messrs|etc|No|vs|[A-Z])\.$"
)
_SENTENCE_END = re.compile(r"(?:[.!?…]+|--|—(?=\s*$))[\"”’')\]]*(?=\s|$)|[。！？]+[」』”’]*")
_LONGEST_ABBREVIATION = 12

_STOPWORDS_TEXT = """
a about after again all am an and any are as at be been before being but by can could did do does for from had has
have he her here him his how i if in into is it its let may me more must my no nor not now of off on one or our out
over own shall she should so some such than that the their them then there these they this those to too under up us
very was we were what when where which who whom why will with would yes you your
"""
STOPWORDS = frozenset(_STOPWORDS_TEXT.split())


def normalise(text: str) -> str:
    """One space for every run of whitespace, none before a closing mark, none at the edges."""
    return _BEFORE_MARK.sub("", _SPACE.sub(" ", text)).strip()


def same_words(written: str, book: str) -> bool:
    """Does `written` say what `book` says? A quotation's final comma may have become a full stop, and nothing else."""
    a, b = normalise(written), normalise(book)
    return a == b or (b.endswith(",") and a == f"{b[:-1]}.")


def words(text: str) -> list[str]:
    """Lower-case words, apostrophes kept inside."""
    return [w.lower().replace("’", "'") for w in _WORD.findall(text)]


def placed_words(text: str) -> list[tuple[str, int, int]]:
    """The words of `words` with the offsets at which each stands."""
    return [(m.group().lower().replace("’", "'"), m.start(), m.end()) for m in _WORD.finditer(text)]


def content_words(text: str) -> set[str]:
    """The words that carry meaning; where nothing parts words, every two characters that stand together."""
    found = {w for w in words(text) if w not in STOPWORDS and len(w) > 2}
    for run in _HAN_RUN.findall(text):
        found.update(a + b for a, b in pairwise(run))
    return found


def overlap(text: str, other: str) -> float:
    """Share of `text`'s content words that also stand in `other`; 0 where there are none."""
    own = content_words(text)
    return len(own & content_words(other)) / len(own) if own else 0.0


def shares_run(text: str, other: str, *, length: int) -> bool:
    """Do the two share a run of `length` words?"""
    return run_of(text, other, length=length, known="")


def run_of(text: str, other: str, *, length: int, known: str) -> bool:
    """Do the two share a run of `length` words that is not in `known`, where anyone may have it from?"""
    shared = _runs(text, length) & _runs(other, length)
    return bool(shared - _runs(known, length) if shared and known else shared)


def _runs(text: str, length: int) -> set[tuple[str, ...]]:
    w = words(text)
    return {tuple(w[i : i + length]) for i in range(len(w) - length + 1)}


def sentence_ends(text: str) -> list[int]:
    """Offsets just after each sentence of `text`, the last one included even where it does not end properly."""
    ends = []
    for match in _SENTENCE_END.finditer(text):
        if _ABBREVIATION.search(text, max(0, match.end() - _LONGEST_ABBREVIATION), match.end()):
            continue
        following = _INK.search(text, match.end())
        if following and (following.group().islower() or match.group().startswith("--")):
            continue
        ends.append(match.end())
    stripped = len(text.rstrip())
    if stripped and (not ends or ends[-1] < stripped):
        ends.append(stripped)
    return ends


def sentences(text: str) -> list[tuple[int, int]]:
    """Offsets `(start, end)` of the sentences of `text`, without edge whitespace."""
    found, start = [], 0
    for end in sentence_ends(text):
        while start < end and text[start].isspace():
            start += 1
        if end > start:
            found.append((start, end))
        start = end
    return found


def ends_properly(text: str) -> bool:
    """Does the text end where a sentence ends?"""
    bare = text.rstrip("\"”’')]»」』")
    if not bare.endswith((".", "!", "?", "…", "。", "！", "？")):
        return False
    return not _ABBREVIATION.search(bare, max(0, len(bare) - _LONGEST_ABBREVIATION))


def whole_sentences(text: str) -> str:
    """The text up to its last finished sentence; empty where no sentence is finished."""
    kept = [text[a:b] for a, b in sentences(text) if ends_properly(text[a:b])]
    return " ".join(kept)


def repeats_itself(text: str, *, run: int = 4) -> bool:
    """Does a run of so many words come twice? Small models loop."""
    w = words(text)
    runs = [tuple(w[i : i + run]) for i in range(len(w) - run + 1)]
    return len(set(runs)) < len(runs)


def clip(texts: Iterable[str], *, limit_words: int) -> str:
    """Whole texts, joined by a space, while they fit into `limit_words`; at least the first, cut at a word."""
    kept: list[str] = []
    count = 0
    for text in texts:
        n = len(text.split())
        if kept and count + n > limit_words:
            break
        kept.append(text if n <= limit_words else " ".join(text.split()[:limit_words]))
        count += n
    return " ".join(kept)
