"""Word overlap: BLEU and ROUGE-L with a reference, and Self-BLEU, how much the texts of a group repeat one another.

Two tokenisations: `words` (ours: runs of letters and digits, and single characters of scripts without spaces) and plain
splitting at white space, which the `rouge` package used by CoSER's evaluator does. An empty side has no overlap to
speak of: None, not 0 (the released evaluators return 0 when their library is missing).
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


def words(text: str) -> list[str]:
    """Words in lower case; each Chinese, Japanese or Korean character is one."""
    return _WORD.findall(text.casefold())


def bleu(reference: Sequence[str], candidate: Sequence[str], *, most: int = 4) -> float | None:
    """Sentence BLEU of token lists (Papineni 2002): geometric mean of clipped n-gram precisions up to `most`, times
    the brevity penalty, unsmoothed: no shared 4-gram is 0. None where either side is empty."""
    return _bleu([reference], candidate, most=most)


def self_bleu(texts: Sequence[Sequence[str]], *, most: int = 4) -> float | None:
    """Mean BLEU of each token list against all others (Zhu 2018): 1 where all say the same. None below two texts with
    words."""
    spoken = [text for text in texts if text]
    if len(spoken) < 2:
        return None
    found = [_bleu([*spoken[:i], *spoken[i + 1 :]], text, most=most) or 0.0 for i, text in enumerate(spoken)]
    return sum(found) / len(found)


def rouge_l(reference: Sequence[str], candidate: Sequence[str]) -> float | None:
    """ROUGE-L F1 of token lists (Lin 2004), from their longest common subsequence. None where either side is empty."""
    if not reference or not candidate:
        return None
    common = _longest_common(reference, candidate)
    if common == 0:
        return 0.0
    precision, recall = common / len(candidate), common / len(reference)
    return 2 * precision * recall / (precision + recall)


def _bleu(references: Sequence[Sequence[str]], candidate: Sequence[str], *, most: int) -> float | None:
    if not candidate or not any(references):
        return None
    logs = 0.0
    for n in range(1, most + 1):
        have = Counter(_grams(candidate, n))
        want: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            want |= Counter(_grams(reference, n))
        matched = sum(min(count, want[gram]) for gram, count in have.items())
        if matched == 0:
            return 0.0
        logs += math.log(matched / max(1, have.total())) / most
    # The brevity penalty looks at the reference closest in length, the shorter of two.
    closest = min((len(r) for r in references if r), key=lambda length: (abs(length - len(candidate)), length))
    penalty = math.exp(1 - closest / len(candidate)) if len(candidate) < closest else 1.0
    return penalty * math.exp(logs)


def _grams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def _longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table at a time as the bits of one number (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for i, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << i
    every = (1 << len(a)) - 1
    row = every
    for token in b:
        matched = row & places.get(token, 0)
        row = (row + matched | row - matched) & every
    return len(a) - row.bit_count()
