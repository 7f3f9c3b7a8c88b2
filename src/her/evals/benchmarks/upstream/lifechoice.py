"""LifeChoice's record (Xu et al. 2024; github.com/airaer1998/LifeChoice, data/data.json, Apache-2.0)."""

from typing import Annotated, Literal

from pydantic import Field

from her.evals.benchmarks.data import Upstream


class LifeChoiceQuestion(Upstream):
    """The decision."""

    scenario: str = Field(alias="Scenario")
    question: str = Field(alias="Question")
    options: Annotated[tuple[str, ...], Field(alias="Options", min_length=4, max_length=4)]
    answer: Literal["A", "B", "C", "D"] = Field(alias="Correct Answer")


class LifeChoiceRecord(Upstream):
    """One decision of one character. The file is a list of books, each a list of these."""

    book: str
    character_name: str
    input_text: str
    """What precedes the decision: some 26,000 characters, up to 72,000."""
    question: LifeChoiceQuestion = Field(alias="Multiple Choice Question")
