"""Hi-ToM's row (He et al. 2023; github.com/ying-hui-he/Hi-ToM_dataset, Hi-ToM_data.json, Apache-2.0)."""

from typing import Annotated, Literal

from pydantic import Field

from her.evals.benchmarks.data import Upstream


class HiToMRow(Upstream):
    """One question about one story; five orders share a story."""

    prompting_type: Literal["CoTP", "VP"]
    deception: bool
    story_length: Annotated[int, Field(ge=1, le=3)]
    """Chapters."""
    question_order: Annotated[int, Field(ge=0, le=4)]
    sample_id: int
    story: str
    question: str
    choices: str
    """`A. blue_box, B. red_crate, ...`"""
    answer: str
    """The text of the right choice."""


class HiToMDerivedRow(Upstream):
    """A row as derived copies of the CoTP half have it: choices parsed, the five orders of a story grouped."""

    id: str
    story_id: str
    deception: bool
    story_length: Annotated[int, Field(ge=1, le=3)]
    question_order: Annotated[int, Field(ge=0, le=4)]
    story: str
    question: str
    choices: dict[str, str]
    answer: str
    answer_letter: str
