"""Tokens as CoSER counts them: sentences by Punkt's rules, words by the Penn Treebank's, on a text in lower case.

Owns both, in our own code, so that a number does not move with a library: between NLTK 3.9.1, which CoSER's published
figures were made with, and 3.10 the tokens of dashes, curly quotes and apostrophes changed. The golden file holds
oracle values of 3.9.1. In lower case most of Punkt (Kiss and Strunk 2006) falls away: a word that begins small starts
no sentence after an initial or a number, and a known abbreviation ends none. What is left is its list of English
abbreviations, learnt from the Wall Street Journal, the odd ones included.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

_LEARNT = """
adm ala ariz aug ave bros calif chg cie co col colo conn corp cos ct dec dr feb fla fri ft ga gen ill inc jan jr
kan ky lt ltd maj messrs mg mich minn mr mrs ms nev nov oct ok okla ore pa prof rep reps sen sep sept sr st sw
tenn tues va vs vt wash wed wis yr a.a a.c a.d a.g a.h a.m a.m.e a.s a.t b.f b.v c.i.t c.o.m.b c.v d.c d.h d.w e.f
e.h e.l e.m f.g f.j g.d g.f g.k h.c h.f h.m i.m.s j.b j.c j.j j.k j.p j.r l.a l.f l.p m.b.a m.d.c m.j n.c n.d n.h
n.j n.m n.v n.y p.a.m p.m ph.d r.a r.h r.i r.j r.k r.t s.a s.a.y s.c s.g s.p.a s.s t.j u.k u.n u.s u.s.a u.s.s.r
w.c w.r w.va w.w c d e f g h k l m n p r s t v w
"""
_ABBREVIATIONS = frozenset(_LEARNT.split())
_CLOSES_WORD = r"[)\";}\]*:@'({\[?!]"
_MARKS = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_CANDIDATE = re.compile(rf"[.?!](?=(?P<after>{_CLOSES_WORD}|\s+(?P<next>\S+)))")
_PIECE = re.compile(
    rf"{_MARKS}|(?=[^(\"`{{\[:;&#*@)}}\]\-,])\S+?(?=\s|$|{_CLOSES_WORD}|{_MARKS}|,(?=$|\s|{_CLOSES_WORD}|{_MARKS}))|\S"
)
_BELONGS_BEFORE = re.compile(r"[\"')\]}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
_INITIAL = re.compile(r"[^\W\d]\.")
_NUMBER = re.compile(r"-?[.,]?\d[\d,.\-]*\.?")
_SPACE = " \t\n\r\x0b\x0c"

_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"([«“‘„]|`+)", r" \1 "),  # noqa: RUF001
        (r'^"', "``"),
        (r"``", " `` "),
        (r"([ (\[{<])(?:\"|'')", r"\1 `` "),
        (r"'(?!re|ve|ll|m|t|s|d|n)(\w)\b", r"' \1"),
        (r"([^.])\.([\])}>\"'»”’ ]*+)\s*$", r"\1 . \2 "),  # noqa: RUF001
        (r"([:,])(\D)", r" \1 \2"),
        (r"([:,])$", r" \1 "),
        (r"(\.{2,})", r" \1 "),
        (r"([;@#$%&])", r" \1 "),
        (r"([^.])\.([\])}>\"']*+)\s*$", r"\1 .\2 "),
        (r"([?!])", r" \1 "),
        (r"([^'])' ", r"\1 ' "),
        (r"(\*)", r" \1 "),
        (r"([\]\[(){}<>])", r" \1 "),
        (r"--", " -- "),
        (r"(?s)^(.*)$", r" \1 "),
        (r"([»”’])", r" \1 "),  # noqa: RUF001
        (r"''", " '' "),
        (r'"', " '' "),
        (r"\s+", " "),
        (r"([^' ])('[smd]|') ", r"\1 \2 "),
        (r"([^' ])('ll|'re|'ve|n't) ", r"\1 \2 "),
        (r"\b(can)(not)\b", r" \1 \2 "),
        (r"\b(d)('ye)\b", r" \1 \2 "),
        (r"\b(gim)(me)\b", r" \1 \2 "),
        (r"\b(gon)(na)\b", r" \1 \2 "),
        (r"\b(got)(ta)\b", r" \1 \2 "),
        (r"\b(lem)(me)\b", r" \1 \2 "),
        (r"\b(more)('n)\b", r" \1 \2 "),
        (r"\b(wan)(na)(?=\s)", r" \1 \2 "),
        (r" ('t)(is|was)\b", r" \1 \2 "),
    )
)


def coser_tokens(text: str) -> list[str]:
    """The tokens of `text`, which is lowered first."""
    return [token for sentence in sentences(text.lower()) for token in _words(sentence)]


def sentences(text: str) -> list[str]:
    """The sentences of a text in lower case. Closing quotes and brackets belong to the sentence that they end."""
    found: list[str] = []
    pieces = list(_cut(text))
    skipped = 0
    for (start, stop), following in zip(pieces, [*pieces[1:], None], strict=True):
        begin = start + skipped
        skipped = 0
        if following is not None and (closing := _BELONGS_BEFORE.match(text[slice(*following)])):
            stop, skipped = following[0] + len(closing[0].rstrip()), closing.end()
            found.append(text[begin:stop])
        elif text[begin:stop]:
            found.append(text[begin:stop])
    return found


def _cut(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    for candidate, context in _candidates(text):
        if _ends_sentence(context):
            yield begin, candidate.end()
            begin = candidate.start("next") if candidate["next"] else candidate.end()
    yield begin, len(text.rstrip())


def _candidates(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Marks that may end a sentence, each with the word before and what follows; of marks in one word, the last."""
    start = stop = 0
    last: re.Match[str] | None = None
    for found in _CANDIDATE.finditer(text):
        before = text[stop : found.start()]
        space = max(before.rfind(c) for c in _SPACE)
        begin = stop + space + 1 if space > 0 else start
        if last is not None and stop <= begin:
            yield last, text[start:stop] + last[0] + last["after"]
        last, start, stop = found, begin, found.start()
    if last is not None:
        yield last, text[start:stop] + last[0] + last["after"]


def _ends_sentence(context: str) -> bool:
    pieces = [p for line in context.split("\n") for p in _PIECE.findall(line)]
    return any(_ends(piece, after) for piece, after in pairwise(pieces))


def _ends(piece: str, after: str) -> bool:
    if piece in (".", "?", "!"):
        return True
    if not piece.endswith(".") or piece.endswith(".."):
        return False
    word = piece[:-1]
    if word in _ABBREVIATIONS or word.rpartition("-")[2] in _ABBREVIATIONS:
        return False
    goes_on = after in tuple(";:,.!?") or after[0].islower()
    return not (goes_on and (_INITIAL.fullmatch(piece) or _NUMBER.fullmatch(piece)))


def _words(sentence: str) -> list[str]:
    for pattern, replacement in _REWRITES:
        sentence = pattern.sub(replacement, sentence)
    return sentence.split()
