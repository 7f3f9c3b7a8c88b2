"""RunReport: what a run has to say for itself, in one record.

Owns the shape of `report.json`. It computes nothing: whoever ran a stage fills its section in, and a section that is
None belongs to a stage that did not run, which the page says.
"""

from pydantic import Field

from her.evals.exam import ExamResult
from her.schema import Dialogue, Record
from her.stats import Estimate


class StageRow(Record):
    """One stage of the run."""

    name: str
    kept: int
    rejected: dict[str, int] = Field(default_factory=dict)
    """Rejected records by reason."""
    calls: int = 0
    """Model calls that were paid for; answers from the ledger are not."""
    tokens: int = 0
    """Tokens read and written in those calls, or trained on."""
    seconds: float
    resumed: bool = False
    """Was the stage taken over from an earlier run?"""
    note: str | None = None


class LossPoint(Record):
    """Training loss at a step, in nats per target token."""

    step: int
    loss: float


class SFTSection(Record):
    """Supervised fine-tuning."""

    base: str
    samples_train: int
    samples_valid: int
    tokens: int
    """Target tokens trained on, repeats counted."""
    loss: tuple[LossPoint, ...]
    heldout_before: Estimate | None
    """Loss per target token on held-out samples before the first step; None where it was not measured."""
    heldout_after: Estimate | None
    well_formed_before: Estimate | None = None
    """Share of held-out replies that the strict reader takes; None where it was not measured."""
    well_formed_after: Estimate | None = None
    note: str | None = None


class JudgeRow(Record):
    """One judge on hand-labelled pairs, each asked in both orders."""

    name: str
    choose: Estimate | None
    """Accuracy on the pairs by which the rewarding judge was chosen; None where it was not measured there."""
    test: Estimate | None
    """Accuracy on pairs that nothing was chosen or trained on."""
    swap_consistency: Estimate | None
    """Share of pairs on which both orders agree; None where the order cannot matter."""
    ties: int
    unread: int
    """Pairs whose verdict could not be read in at least one order."""
    rewards: bool = False
    """Does this judge give the training reward?"""
    examines: bool = False
    """Does this judge decide the exam's games?"""
    note: str | None = None


class JudgeSection(Record):
    """The judges that were measured, side by side."""

    rows: tuple[JudgeRow, ...]
    trained_on: int = 0
    """Labelled pairs the trained judge learnt from."""
    note: str | None = None


class PolicyStep(Record):
    """One step of reinforcement learning. None: nothing could be measured at this step."""

    step: int
    reward: float | None
    """Mean reward of the replies that have one, gated replies included."""
    rewarded: int
    gated: int
    """Of these, replies that lost at a gate, before any game."""
    unread: int
    """Replies without a reward, because a verdict or the reply could not be read."""
    entropy_bits: float | None
    """Entropy of the layouts (orders of thought, action, speech) in the step's replies."""
    top_layout_share: float | None
    """Share of the commonest layout; near 1 the policy has collapsed onto one pattern."""
    tokens: float | None
    """Mean tokens written per reply."""
    opening_share: float | None
    """Share of the commonest first three words that others hear."""
    self_bleu: float | None
    """How much the replies to one prompt repeat one another."""
    agreed: int
    """Pairs of replies that a judge outside the training puts in the reward's order."""
    compared: int
    """Pairs that could be compared so."""
    alarms: tuple[str, ...]
    """What the guard found alarming."""


class PolicySection(Record):
    """Reinforcement learning."""

    start: str
    """What training started from."""
    judge: str
    """The judge that gave the reward."""
    prompts: int
    group: int
    """Replies per prompt."""
    steps: tuple[PolicyStep, ...]
    witness: str
    """The judge outside the training."""
    rollback: str | None
    """Why and to which step the policy was taken back; None: it was not."""
    note: str | None = None


class SampleDialogue(Record):
    """A dialogue to be read, both layers folded."""

    title: str
    dialogue: Dialogue
    opening: int = 0
    """How many of its first turns were given, not played."""


class ModelLine(Record):
    """A model that took part."""

    role: str
    """What it did: teacher, judge, policy."""
    name: str
    licence: str
    limits: str


class About(Record):
    """What is needed to repeat the run and to talk to its result."""

    run: str
    """Name of the run."""
    models: tuple[ModelLine, ...] = ()
    seed: int
    recipe: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    """Package to version."""
    machine: str | None = None
    seconds: float
    """Wall time of this invocation, resumed stages included as they cost now."""
    chat_command: str | None = None
    """The command that talks to the trained policy."""


class RunReport(Record):
    """A whole run. `None` is a stage that did not run."""

    about: About
    stages: tuple[StageRow, ...]
    sft: SFTSection | None = None
    judge: JudgeSection | None = None
    policy: PolicySection | None = None
    eval: ExamResult | None = None
    samples: tuple[SampleDialogue, ...] = ()
