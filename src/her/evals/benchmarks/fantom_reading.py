"""What a reply to a FANToM question is worth: by our reader, by the original's, and by SOUL's.

Owns the three graders. Ours reads what can be read and leaves the rest unscored; the other two repeat what their
released code decides (skywalker023/fantom, sunnweiwei/OdysSim), in which a reply that cannot be read is wrong.
No embedding model is at hand in any of them: which of two answers a free reply is nearer to is told by its words
(`nearer`), so the metrics that rest on it are called lexical and compare with no published number.
"""

import re
from collections import Counter
from collections.abc import Sequence

from her.evals.benchmarks.answer import Answered, Unread, read_names, read_option, read_yes_no, spoken
from her.evals.benchmarks.asked import Lost, Response
from her.evals.benchmarks.fantom_question import FantomQuestion, Kind
from her.evals.benchmarks.mark import Mark, Scored, Unscored
from her.renderers.overlap import words

SOUL, DISTANCE, FACT = "SOUL mean", "belief distance (lexical)", "fact F1"
"""What one question can earn: SOUL averages every kind but the fact and the free belief questions."""

_TAG = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_NOT = re.compile(r"n['’]t\b")  # noqa: RUF001
_YES = (("yes", "true"), (" yes,", " yes ", " yes.", " knows "))
_NO = (("no", "false"), (" no,", " no ", " no.", " does not know ", " doesn't know "))
"""How the released graders know a yes and a no: what a reply begins with, and what it contains."""


def metric_of(kind: Kind) -> str:
    """The metric that questions of a kind earn."""
    return {"fact": FACT, "belief distance": DISTANCE}.get(kind, SOUL)


def mark(item: FantomQuestion, returned: Response | Lost, profile: str) -> Mark:
    """A right answer is 1, a wrong one 0; the fact question earns its word F1."""
    metric = metric_of(item.kind)
    if profile == "fixed":
        value = _fixed(item, returned)
        if isinstance(value, Unread):
            return Unscored(metric=metric, reason=value.reason, judge=None)
    else:
        text = _soul_text(returned) if profile == "soul" else _upstream_text(returned)
        value = _released(item, text, soul=profile == "soul")
    return Scored(metric=metric, value=float(value), judge=None)


def answer(item: FantomQuestion, returned: Response | Lost, profile: str) -> str | None:
    """What was read: a letter, `yes` or `no`, names joined by `|`, a sentence; None where nothing was."""
    if profile == "fixed" or item.kind not in ("answerability yes/no", "info-access yes/no"):
        read = _read(item, returned)
        return read.option if isinstance(read, Answered) else None
    text = _soul_text(returned) if profile == "soul" else _upstream_text(returned)
    return _polarity(text, both_is_none=profile == "soul")


def nearer(text: str, right: str, wrong: str) -> bool | None:
    """Is a free reply nearer to the right answer than to the wrong one? None: to neither.

    Only the words that one answer has and the other has not can tell; nearer is the answer more of whose own words the
    reply has. `doesn't` is read as `does not`.
    """
    said, one, two = (set(words(_NOT.sub(" not", t.casefold()))) for t in (text, right, wrong))
    shares = [len(said & own) / len(own) if own else 0.0 for own in (one - two, two - one)]
    return None if shares[0] == shares[1] else shares[0] > shares[1]


def word_f1(right: Sequence[str], said: Sequence[str]) -> float:
    """F1 of two bags of words; 0 where they share none."""
    shared = (Counter(right) & Counter(said)).total()
    return 0.0 if shared == 0 else 2 * shared / (len(right) + len(said))


def _fixed(item: FantomQuestion, returned: Response | Lost) -> float | Unread:
    read = _read(item, returned)
    if isinstance(read, Unread):
        return read
    if item.kind == "fact":
        return word_f1(words(item.right[0]), words(read.option))
    if item.kind == "belief distance":
        right = nearer(read.option, item.right[0], item.wrong[0])
        return Unread(reason="near_neither_answer") if right is None else float(right)
    if item.kind in ("answerability list", "info-access list"):
        return float(set(filter(None, read.option.split("|"))) == set(item.right))
    return float(read.option == item.right[0])


def _read(item: FantomQuestion, returned: Response | Lost) -> Answered | Unread:
    """What a reply answers, by the readers that all benchmarks share."""
    if item.kind == "belief choice":
        return read_option(returned, item.options)
    if item.kind in ("answerability list", "info-access list"):
        return read_names(returned, (*item.right, *item.wrong))
    if item.kind in ("answerability yes/no", "info-access yes/no"):
        return read_yes_no(returned)
    return _read_sentence(returned)


def _read_sentence(returned: Response | Lost) -> Answered | Unread:
    text = spoken(returned)
    if isinstance(text, Unread):
        return text
    tags = list(dict.fromkeys(t.strip() for t in _TAG.findall(text)))
    if len(tags) > 1:
        return Unread(reason="several")
    if not tags and isinstance(returned, Response) and returned.finish_reason == "length":
        return Unread(reason="cut")
    said = tags[0] if tags else text.rpartition("Answer:")[2].strip()
    return Answered(option=said) if words(said) else Unread(reason="no_answer")


def _upstream_text(returned: Response | Lost) -> str:
    """The whole reply, thinking and all; after the last `Answer:` where there is one."""
    return "" if isinstance(returned, Lost) else returned.text.rpartition("Answer:")[2].strip()


def _soul_text(returned: Response | Lost) -> str:
    """The first closed answer tag and nothing else."""
    text = spoken(returned)
    found = _TAG.search(text) if isinstance(text, str) else None
    return "" if found is None else found[1].strip()


def _released(item: FantomQuestion, text: str, *, soul: bool) -> float:
    if item.kind == "fact":
        return word_f1(item.right[0].casefold().split(), text.casefold().split())
    if item.kind == "belief distance":
        return float(nearer(text, item.right[0], item.wrong[0]) is True)
    if item.kind == "belief choice":
        return float(_letter(text.casefold(), item.right[0], soul=soul))
    if item.kind in ("answerability list", "info-access list"):
        names = [n for n in (*item.right, *item.wrong) if _named(n, text, whole=soul)]
        return float(set(names) == set(item.right))
    return float(_polarity(text, both_is_none=soul) == item.right[0])


def _letter(text: str, right: str, *, soul: bool) -> bool:
    if soul:
        return re.fullmatch(rf"\(?{right}\)?\.?", text) is not None
    begins = tuple(f"{right}{mark}" for mark in ").:,")
    return text == right or text.startswith(begins) or f"({right})" in text


def _named(name: str, text: str, *, whole: bool) -> bool:
    """Is a character in the reply? The original looks for the letters anywhere: `Al` is in `Alice` there."""
    said, name = text.casefold(), name.casefold()
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) is not None if whole else name in said


def _polarity(text: str, *, both_is_none: bool) -> str | None:
    """Yes or no. The original looks for a yes first, and takes it where there is a no as well."""
    said = text.casefold().strip("'").strip('"')
    yes, no = (said.startswith(begin) or any(c in said for c in contains) for begin, contains in (_YES, _NO))
    if yes and no and both_is_none:
        return None
    return "yes" if yes else "no" if no else None
