"""FANToM's set (Kim et al. 2023; github.com/skywalker023/fantom, fantom_v1.json; data for evaluation only)."""

from typing import Literal

from her.evals.benchmarks.data import Upstream

Accessibility = Literal["accessible", "inaccessible"]


class FantomQA(Upstream):
    """A question with a written right and wrong answer."""

    question: str
    question_type: str
    tom_type: str | None = None
    """`first-order`, `second-order:cyclic`, ...; absent outside belief questions."""
    correct_answer: str
    wrong_answer: str
    missed_info_accessibility: Accessibility | None = None
    """Absent for the fact question."""


class FantomList(Upstream):
    """A question whose answer is a list of characters."""

    question: str
    question_type: str
    correct_answer: tuple[str, ...]
    """Who is aware."""
    wrong_answer: tuple[str, ...]
    """Who is not."""
    missed_info_accessibility: Accessibility


class FantomBinary(Upstream):
    """A yes-or-no question. `no:long` is no in the short context and depends on the full one."""

    question: str
    question_type: str
    correct_answer: str
    missed_info_accessibility: Accessibility


class FantomSet(Upstream):
    """One set of questions about one conversation."""

    set_id: str
    part_id: str
    conv_id: str
    short_context: str
    full_context: str
    missed_info: str
    joining_speaker: str
    factQA: FantomQA
    beliefQAs: tuple[FantomQA, ...]
    answerabilityQA_list: FantomList
    answerabilityQAs_binary: tuple[FantomBinary, ...]
    infoAccessibilityQA_list: FantomList
    infoAccessibilityQAs_binary: tuple[FantomBinary, ...]
