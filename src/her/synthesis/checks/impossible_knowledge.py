"""Impossible knowledge: a turn uses what only a hidden source of the scene tells.

Sources: others' background and motivation, others' thoughts and plans so far, and what others will say. A rare name, a
telling number, a run of words, or several uncommon words of one hidden sentence are evidence where they stand in one
sentence of the turn and in nothing that its speaker was told or saw.

Where a thought and a later speech of another agree, one of them is at fault. A question, or words to `you`, used the
thought; any other speech told something new, and the thought foresaw it. In speech and action, what a later turn says
is no source: the later turn may only take up what it heard.
"""
# ruff: noqa: RUF001  (typographic and Chinese marks are what is read here)

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from her.schema import Flag
from her.synthesis.checks.clauses import whole_sentences
from her.synthesis.checks.lexicon import any_of
from her.synthesis.checks.people import is_han
from her.synthesis.checks.roots import COMMON, root, roots
from her.synthesis.checks.standpoint import Hidden, Standpoint, flag
from her.synthesis.text.wording import STOPWORDS, shares_run, words

KIND = "impossible_knowledge"
_NEEDED = 3
"""Weight of shared evidence that is no chance: 1 for an uncommon word, 1 more for two that are neighbours in both
texts, the whole for a rare name, a telling number or a run of words."""
_NEEDED_OF_PLANS = 4
"""Two plans tell of one moment in one director's voice, so they share more by chance."""
_RUN = 6
_NUMBER = re.compile(r"\d[\d.,:]*\d|\d{2,}")
_COUNT = re.compile(
    r"\b(?:eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?)\b", re.IGNORECASE
)
"""Smaller numbers are in every mouth."""
_TO_YOU = re.compile(r"\byou(?:r|rs|'re|'ve|'ll|'d)?\b|[?？]|[你您]", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CALENDAR = re.compile(any_of("perspective", "calendar"))
_HAN_NUMBER = re.compile("[零一二三四五六七八九十百千万两]{3,}")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_HAN_EMPTY = frozenset(
    "的了着过是不在我你他她它们这那有就也都说一个人来去上下里和与要会能被把给让对从到为之而又还再很得地只可没什么怎吗呢吧啊谁几何如此道想看见知"
)
_HAN_NEEDED = 4
"""Telling characters, in runs of two and more."""


def find(place: Standpoint) -> Iterator[Flag]:
    """Flags of every layer of the turn, one a layer and part."""
    # A plan is led to the reply, so the reply is no secret to it.
    reply = "\n".join(p.text for p in place.turn.parts)
    for where, text in (*place.inner(), *((p.kind, p.text) for p in place.parts("speech", "action"))):
        known = f"{place.known}\n{reply}" if where == "system_thinking" else place.known
        found = (_told_by(place, where, sentence, known) for sentence in whole_sentences(text))
        if (first := next((f for f in found if f is not None), None)) is not None:
            yield flag(KIND, where, f"only {first[0]} tells", first[1])


def _told_by(place: Standpoint, where: str, sentence: str, known: str) -> tuple[str, str] | None:
    """The hidden source that a sentence uses, and the evidence."""
    for secret in place.hidden:
        if secret.later is not None and where not in ("thought", "system_thinking"):
            continue
        told = known if secret.later is None else f"{known}\n{_between(place, secret)}"
        for theirs in whole_sentences(secret.text):
            if secret.later is not None and where == "thought" and _TO_YOU.search(theirs):
                continue
            if secret.source.endswith(" thought") and where == "speech" and not _TO_YOU.search(sentence):
                continue
            if is_han(theirs):
                evidence = _shared_han(sentence, theirs, told)
            else:
                least = _NEEDED_OF_PLANS if secret.source.endswith(" system_thinking") else _NEEDED
                evidence = _shared(place, sentence, theirs, known=told, least=least)
            if evidence:
                return secret.source, ", ".join(evidence)
    return None


def _between(place: Standpoint, secret: Hidden) -> str:
    """What was seen and heard from this turn on until the later one: it may only echo that."""
    texts = [p.text for p in place.turn.parts if p.kind != "thought"]
    for turn in place.after:
        if turn is secret.later:
            break
        texts += [p.text for p in turn.parts if p.kind != "thought"]
    return "\n".join(texts)


def _shared(place: Standpoint, mine: str, theirs: str, *, known: str, least: int) -> Sequence[str]:
    """The evidence that two sentences share and the known text lacks; empty where it is too little."""
    cast = {r for f in (place.me, *place.others) for r in f.roots}
    unknown = (roots(mine) & roots(theirs)) - roots(known) - cast - COMMON
    numbers = (_numbers(mine) & _numbers(theirs)) - _numbers(known)
    if not unknown and not numbers:
        return []
    names = [n for n in _names(mine, theirs) if root(n.lower()) in unknown]
    neighbours = {(a, b) for a, b in _pairs(mine) & _pairs(theirs) if a in unknown and b in unknown}
    weight = len(unknown) + len(neighbours) + _NEEDED * (len(numbers) + len(names))
    if unknown and shares_run(mine, theirs, length=_RUN) and not shares_run(mine, known, length=_RUN):
        weight += _NEEDED
    return [*sorted(numbers), *sorted(unknown)] if weight >= least else []


def _names(mine: str, theirs: str) -> frozenset[str]:
    """Words capitalised in both, and in one of them not only because a sentence begins there."""
    return (_capitals(mine, 0) & _capitals(theirs, 1)) | (_capitals(mine, 1) & _capitals(theirs, 0))


@lru_cache(maxsize=4096)
def _capitals(text: str, begin: int) -> frozenset[str]:
    row = [re.sub("['’]s$", "", w) for w in _WORD.findall(text)[begin:]]
    return frozenset(w for w in row if w[0].isupper() and len(w) > 2 and not _CALENDAR.fullmatch(w))


@lru_cache(maxsize=4096)
def _numbers(text: str) -> frozenset[str]:
    digits = {m.replace(",", "") for m in _NUMBER.findall(text)}
    return frozenset(digits | {m.lower() for m in _COUNT.findall(text)} | set(_HAN_NUMBER.findall(text)))


@lru_cache(maxsize=4096)
def _pairs(text: str) -> frozenset[tuple[str, str]]:
    """Neighbours by their roots, the small words between them left out."""
    telling = (root(w) for w in words(text) if w not in STOPWORDS)
    return frozenset(pairwise(r for r in telling if r not in COMMON))


def _shared_han(mine: str, theirs: str, known: str) -> Sequence[str]:
    """Numbers, or runs of characters, that both have and the known text lacks."""
    if numbers := (_numbers(mine) & _numbers(theirs)) - _numbers(known):
        return sorted(numbers)
    shared = [run for run in _common(mine, theirs) if not any(piece in known for piece in _pieces(run))]
    return shared if sum(c not in _HAN_EMPTY for run in shared for c in run) >= _HAN_NEEDED else []


def _common(mine: str, theirs: str) -> list[str]:
    """The longest runs of two characters and more that stand in both, none inside another."""
    found: list[str] = []
    for run in _HAN_RUN.findall(mine):
        start = 0
        while start < len(run) - 1:
            end = start + 1
            while end < len(run) and run[start : end + 1] in theirs:
                end += 1
            if end - start >= 2:
                found.append(run[start:end])
                start = end
            else:
                start += 1
    return found


def _pieces(run: str) -> list[str]:
    """Threes of a longer run, itself of a shorter one: what must not be known."""
    return [run[i : i + 3] for i in range(len(run) - 2)] if len(run) > 3 else [run]
