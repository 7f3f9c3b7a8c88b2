"""TwinVoice's records (Du et al. 2025, arXiv 2510.25536; bangdedadi/TwinVoice; no licence file)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from her.evals.benchmarks.data import Upstream


class TwinPost(Upstream):
    """Dimensions 1 and 2: a reply of one person, four candidates."""

    user_id: str
    anchor_post: str | None = None
    """Dimension 1; dimension 2 has `context`."""
    context: str | None = None
    history: tuple[str, ...]
    """`AnchorPost: .. UserReply: ..`, oldest first."""
    choices: Annotated[tuple[str, ...], Field(min_length=4, max_length=4)]
    answer_idx: Annotated[int, Field(ge=0, le=3)]

    @model_validator(mode="after")
    def _posed(self) -> "TwinPost":
        if (self.anchor_post is None) == (self.context is None):
            raise ValueError("a row has either 'anchor_post' or 'context'")
        return self


class TwinChoice(Upstream):
    """The question of a narrative item."""

    options: dict[Literal["A", "B", "C", "D"], str]
    answer: Literal["A", "B", "C", "D"]


class TwinLine(Upstream):
    """Dimension 3: a line of a character of a novel, four candidates."""

    chunk_id: str
    """Place in the novel, zero-padded: compares as text."""
    speaker: str
    speaker_match_key: str
    """`NameCanonical` of the speaker's profile."""
    utterance: str
    context: str
    mcq: TwinChoice
    distractor_by: tuple[str, ...]
    source_novel: str


class TwinUtterance(Upstream):
    """One line of a speaker's history. Only those before the item may be shown: the gold line is among them."""

    chunk_id: str
    utterance: str
    context: str


class TwinProfile(Upstream):
    """A speaker of dimension 3. The profile file is one object: `characterList`, by id."""

    name: str = Field(alias="NameCanonical")
    variants: tuple[str, ...] = Field(alias="NameVariants")
    traits: tuple[str, ...] = Field(alias="Personality Traits")
    goals: tuple[str, ...] = Field(alias="Motivation and Goals")
    details: dict[str, str | tuple[str, ...]] = Field(alias="Additional Details")
    history: tuple[TwinUtterance, ...] = Field(alias="UtteranceHistory")
