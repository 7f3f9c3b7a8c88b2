"""FantomQuestion: one question of a FANToM set as it is asked, and the way from a published set to its questions.

Owns what is asked in the short and in the full context, and under which accessibility it counts. As in the released
evaluation (skywalker023/fantom): in the short context the yes-or-no questions about people who are in the full one
alone (`no:long`) are dropped; in the full context a question that somebody is unaware of counts as inaccessible. Knows
no prompt, reads no reply.
"""

import re
from collections.abc import Iterator
from random import Random
from typing import Literal, get_args

from her.errors import InputError
from her.evals.benchmarks.item import Item, Refused
from her.evals.benchmarks.upstream.fantom import Accessibility, FantomBinary, FantomList, FantomQA, FantomSet

Kind = Literal[
    "fact",
    "belief choice",
    "belief distance",
    "answerability list",
    "answerability yes/no",
    "info-access list",
    "info-access yes/no",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Context = Literal["short", "full"]

_ID = re.compile(r"[A-Za-z0-9._-]+")
_SAME = "the right and the wrong answer are the same"


class FantomQuestion(Item):
    """One question. Its cluster is the conversation."""

    set: str
    part: str
    kind: Kind
    access: Accessibility | None
    """Can the character who was away know what was said? None for the fact question."""
    conversation: str
    target: str
    """What the question refers to: the fact question, with its answer for info-access; empty elsewhere."""
    question: str
    right: tuple[str, ...]
    """The answer in words, its letter, `yes` or `no`, or the names of those who are aware."""
    wrong: tuple[str, ...]
    """The wrong answer in words, or the names of those who are not aware; empty for other kinds."""
    options: dict[str, str]
    """Letter to text; of `belief choice` alone."""


def questions_of(row: FantomSet, context: Context, *, where: str) -> Iterator[FantomQuestion | Refused]:
    """The questions of one set, in the order in which they are published; an InputError names a wrong field."""
    for field in ("set_id", "part_id", "conv_id"):
        if not _ID.fullmatch(getattr(row, field)):
            raise InputError(f"{where}: field {field!r} is wrong: only letters, digits and . _ - make an id")
    yield from _fact(row, context, where=where)
    for number, qa in enumerate(row.beliefQAs, start=1):
        yield from _belief(row, qa, number, context, where=where)
    fact = row.factQA.question.strip()
    for name, target, listed, binaries in (
        ("answerability", fact, row.answerabilityQA_list, row.answerabilityQAs_binary),
        (
            "info-access",
            f"{fact} {row.factQA.correct_answer.strip()}",
            row.infoAccessibilityQA_list,
            row.infoAccessibilityQAs_binary,
        ),
    ):
        yield _listing(row, listed, name, target, context, where=where)
        yield from _yes_no(row, binaries, name, target, context, where=where)


def _fact(row: FantomSet, context: Context, *, where: str) -> Iterator[FantomQuestion | Refused]:
    qa = row.factQA
    if qa.correct_answer.strip() == qa.wrong_answer.strip():
        yield Refused(where=f"{where}, factQA", reason=_SAME)
    else:
        yield _asked(row, "fact", "fact", None, context, question=qa.question, right=(qa.correct_answer.strip(),))


def _belief(
    row: FantomSet, qa: FantomQA, number: int, context: Context, *, where: str
) -> Iterator[FantomQuestion | Refused]:
    field = f"beliefQAs.{number - 1}"
    if qa.missed_info_accessibility is None:
        raise InputError(f"{where}: field '{field}.missed_info_accessibility' is missing")
    right, wrong = qa.correct_answer.strip(), qa.wrong_answer.strip()
    if right == wrong:
        yield Refused(where=f"{where}, {field}", reason=_SAME)
        return
    order = (qa.tom_type or "unknown").partition(":")[0]
    access = qa.missed_info_accessibility
    yield _asked(
        row, f"belief-{number}-distance", "belief distance", access, context,
        question=qa.question, right=(right,), wrong=(wrong,), order=order,
    )  # fmt: skip
    turned = Random(f"fantom:{row.set_id}:{number}").random() < 0.5
    options = {"a": wrong, "b": right} if turned else {"a": right, "b": wrong}
    yield _asked(
        row, f"belief-{number}-choice", "belief choice", access, context,
        question=qa.question, right=("b" if turned else "a",), options=options, order=order,
    )  # fmt: skip


def _listing(row: FantomSet, qa: FantomList, name: str, target: str, context: Context, *, where: str) -> FantomQuestion:
    names = [n.strip().casefold() for n in (*qa.correct_answer, *qa.wrong_answer)]
    if not names or "" in names or len(set(names)) < len(names):
        field = "answerabilityQA_list" if name == "answerability" else "infoAccessibilityQA_list"
        raise InputError(
            f"{where}: field '{field}' is wrong: its names are none, empty or doubled; check that it is the "
            "benchmark's own file"
        )
    access = "inaccessible" if context == "full" and qa.wrong_answer else qa.missed_info_accessibility
    kind: Kind = "answerability list" if name == "answerability" else "info-access list"
    return _asked(
        row, f"{name}-list", kind, access, context,
        target=target, question=qa.question, right=qa.correct_answer, wrong=qa.wrong_answer,
    )  # fmt: skip


def _yes_no(
    row: FantomSet, qas: tuple[FantomBinary, ...], name: str, target: str, context: Context, *, where: str
) -> Iterator[FantomQuestion]:
    kind: Kind = "answerability yes/no" if name == "answerability" else "info-access yes/no"
    unaware = context == "full" and any(qa.correct_answer != "yes" for qa in qas)
    for number, qa in enumerate(qas, start=1):
        if qa.correct_answer not in ("yes", "no", "no:long"):
            field = f"{'answerability' if name == 'answerability' else 'infoAccessibility'}QAs_binary.{number - 1}"
            raise InputError(
                f"{where}: field '{field}.correct_answer' is wrong: it is yes, no or no:long, "
                f"not {qa.correct_answer!r}; check that it is the benchmark's own file"
            )
        if context == "short" and qa.correct_answer == "no:long":
            continue
        yield _asked(
            row, f"{name}-{number}", kind, "inaccessible" if unaware else qa.missed_info_accessibility, context,
            target=target, question=qa.question, right=(qa.correct_answer.partition(":")[0],),
        )  # fmt: skip


def _asked(
    row: FantomSet,
    key: str,
    kind: Kind,
    access: Accessibility | None,
    context: Context,
    *,
    question: str,
    right: tuple[str, ...],
    wrong: tuple[str, ...] = (),
    target: str = "",
    options: dict[str, str] | None = None,
    order: str | None = None,
) -> FantomQuestion:
    facets = {"question": str(kind)}
    if access is not None:
        facets["access"] = access
    if order is not None:
        facets["order"] = order
    return FantomQuestion(
        id=f"{row.set_id}:{key}",
        cluster=row.conv_id,
        title=None,
        facets=facets,
        set=row.set_id,
        part=row.part_id,
        kind=kind,
        access=access,
        conversation=(row.short_context if context == "short" else row.full_context).strip(),
        target=target,
        question=question.strip(),
        right=right,
        wrong=wrong,
        options=options or {},
    )
