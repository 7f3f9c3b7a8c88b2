"""BLEU and ROUGE-L as CoSER prints them: `sentence_bleu` of NLTK 3.9.1 and the `rouge` package 1.0.1, defects included.

Pure, and our own code: two hundred lines cost less than two libraries whose next version moves a published number.
The defects: BLEU is unsmoothed, and an n-gram order without a match counts as the smallest float; ROUGE-L counts
*different* words, takes every full stop for the end of a sentence and adds 1e-8 to a denominator. Profile `fixed`
uses `her.renderers.overlap` instead.
"""

import math
import sys
from collections import Counter
from collections.abc import Sequence

from her.evals.benchmarks.coser_tokens import coser_tokens
from her.renderers.overlap import bleu, rouge_l, words
from her.schema import ENVIRONMENT

Said = tuple[str, str]
"""Speaker, and what was seen of the line."""


def overlaps(simulated: Sequence[Said], reference: Sequence[Said], profile: str) -> dict[str, float | None]:
    """BLEU and ROUGE-L as a profile takes them; None where a side is empty.

    The released evaluators compare a named reference with an unnamed play, the Environment's lines included; `fixed`
    compares what the characters say and do, without names.
    """
    if profile == "fixed":
        there = words(" ".join(text for speaker, text in reference if speaker != ENVIRONMENT))
        here = words(" ".join(text for speaker, text in simulated if speaker != ENVIRONMENT))
        return {"bleu": bleu(there, here), "rouge_l": rouge_l(there, here)}
    named = "\n\n".join(f"{speaker}: {text}".strip("\n") for speaker, text in reference)
    bare = "\n\n".join(text.strip("\n") for _, text in simulated)
    rouge = coser_rouge_l(named, bare)
    return {"bleu": coser_bleu(named, bare), "rouge_l": 0.0 if rouge is None and profile == "her" else rouge}


def coser_bleu(reference: str, simulated: str) -> float:
    """BLEU-4 of two texts in `coser_tokens`; 0 where they share no word."""
    there, here = coser_tokens(reference), coser_tokens(simulated)
    if not here or not set(there) & set(here):
        return 0.0
    logs = []
    for n in range(1, 5):
        have, want = Counter(_grams(here, n)), Counter(_grams(there, n))
        shared = sum(min(count, want[gram]) for gram, count in have.items())
        logs.append(0.25 * math.log(shared / max(1, have.total()) if shared else sys.float_info.min))
    shortness = 1.0 if len(here) > len(there) else math.exp(1 - len(there) / len(here))
    return shortness * math.exp(math.fsum(logs))


def coser_rouge_l(reference: str, simulated: str) -> float | None:
    """The `f` of the package's `rouge-l`. None where a side has no sentence (the package raises there)."""
    there, here = _stops(reference), _stops(simulated)
    if not there or not here:
        return None
    covered: set[str] = set()
    for sentence in there:
        for other in here:
            covered |= _common(sentence, other)
    recall = len(covered) / len({word for sentence in there for word in sentence})
    precision = len(covered) / len({word for sentence in here for word in sentence})
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def _grams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def _stops(text: str) -> list[list[str]]:
    """Words by sentence. A stretch of white space is a sentence of one empty word, as the package has it."""
    return [" ".join(part.split()).split(" ") for part in text.split(".") if part]


def _common(a: Sequence[str], b: Sequence[str]) -> set[str]:
    """The different words of one longest common subsequence. Which one, where there are several, is the package's: from
    the end, a shared word is taken, else `b` is shortened unless `a` alone keeps the length."""
    lengths = [[0] * (len(b) + 1)]
    for word in a:
        above, row = lengths[-1], [0]
        for j, other in enumerate(b):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        lengths.append(row)
    found: set[str] = set()
    i, j = len(a), len(b)
    while i and j:
        if a[i - 1] == b[j - 1]:
            found.add(a[i - 1])
            i, j = i - 1, j - 1
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found
