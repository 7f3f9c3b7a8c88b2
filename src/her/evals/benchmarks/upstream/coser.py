"""CoSER's records (Wang et al. 2025; github.com/Neph0s/CoSER, data/test/test_set.json; no licence file).

The test set's scenes, and the judgement file that its evaluator writes.
"""

from typing import Literal

from pydantic import Field

from her.evals.benchmarks.data import Upstream


class CoserMotive(Upstream):
    """What a character wants in the scene. The published file says `thought`; both evaluators read `motivation`."""

    name: str
    thought: str | None = None
    motivation: str | None = None


class CoserLine(Upstream):
    """One message of the book's own dialogue: `[thought]`, `(action)`, plain speech."""

    character: str
    message: str


class CoserPlotCharacter(Upstream):
    """A character as the plot's summary tells it."""

    name: str
    description: str
    summary: str | None = None


class CoserPlot(Upstream):
    """The plot that a scene belongs to."""

    summary: str
    key_characters: tuple[CoserPlotCharacter, ...]
    chapter: str | None = None


class CoserScene(Upstream):
    """One scene of the test set. Its case id is `BOOK-i_p-i_c`."""

    book: str
    i_p: int
    i_c: int
    tag: Literal["id", "ood"]
    scenario: str
    topic: str
    key_characters: tuple[CoserMotive, ...]
    dialogues: tuple[CoserLine, ...]
    speaking_characters_w_env: tuple[str, ...]
    major_characters: tuple[str, ...]
    plot: CoserPlot
    character_profiles: dict[str, str]


class CoserFlaw(Upstream):
    """One flaw of a judgement. Upstream counts a severity only where it is a whole number, and a missing one as 1.
    Judges leave fields out."""

    instance: str = ""
    type: str = ""
    severity: int | float | str | None = None


class CoserCritique(Upstream):
    """One dimension of a judgement."""

    flaws: tuple[CoserFlaw, ...]
    score: float | None = None


class CoserMessage(Upstream):
    """One message of a simulation."""

    role: str
    """The speaker's name, `Environment`, or `NSP` for the next-speaker model."""
    content: str


class CoserCase(Upstream):
    """One recorded case."""

    simulation: tuple[CoserMessage, ...]
    critique: dict[str, CoserCritique | float] = Field(min_length=1)
    """By dimension; beside them `bleu` and `rouge_l`, which are numbers."""


class CoserJudgement(Upstream):
    """A recorded judgement file."""

    scores: dict[str, float]
    cases: dict[str, CoserCase]
