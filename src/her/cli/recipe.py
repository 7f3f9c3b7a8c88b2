"""Recipe: the settings of one run, composed of the settings that each room defines for itself.

A recipe is sparse TOML: what it leaves out is the default written beside the stage that uses it. Importing this loads
no heavy library.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from her.config import load_toml
from her.data import Splitter
from her.evals.exam import ExamConfig
from her.reward import Brief, GateConfig, GroupConfig
from her.reward.brief import SMALL, Mode
from her.reward.novelty import NoveltyConfig
from her.schema import HistoryPolicy, Record
from her.synthesis.gain.case import GainConfig
from her.synthesis.result import SynthConfig
from her.train.policy import PolicyConfig
from her.train.sft import SFTConfig

EMBEDDED = "local:smollm2-135m"


class RunSettings(Record):
    """What concerns every stage."""

    name: str = Field(default="quickstart", pattern=r"^[A-Za-z0-9._-]+$")
    """The run is `runs/NAME`."""
    seed: int = 7
    history_policy: HistoryPolicy = "drop_own_system"
    system_thinking: bool = True
    """Does the policy write system thinking before each turn? False is the paper's ablation."""


class ModelSettings(Record):
    """Who does what. Any name that `her models` knows."""

    teacher: str = EMBEDDED
    judge: str = EMBEDDED
    """What judges start from. An `openai:` judge is asked as it is and not trained."""
    policy: str = EMBEDDED
    """What is trained: `local:` or `hf:`."""

    @field_validator("policy")
    @classmethod
    def _trainable(cls, name: str) -> str:
        if not name.startswith(("local:", "hf:")):
            raise ValueError(f"{name!r} cannot be trained here; a policy is local:NAME or hf:ID_OR_PATH")
        return name

    def roles(self) -> tuple[tuple[str, str], ...]:
        return (("teacher", self.teacher), ("judge", self.judge), ("policy", self.policy))


class GainSettings(GainConfig):
    """Is a thought weighed by the words that follow it? Its seed and history policy are the run's."""

    measure: bool = False
    """`her synth` measures; a whole run does so where its recipe asks for it."""
    scorer: str = EMBEDDED
    """`local:`, `hf:` or `run:`."""


class JudgeSettings(Record):
    """How judges are trained, measured and chosen."""

    sft: SFTConfig = SFTConfig()
    most_pairs: int | None = Field(default=None, gt=0)
    """At most so many labelled pairs in all, spread over the scenes; None: all of them."""
    train_pairs: int = Field(default=30, gt=0)
    """Most labelled pairs that the generative judge is fine-tuned on, each in both orders."""
    brief: Brief = SMALL
    """What a judge is shown; the same in training and in use."""
    choose: float = Field(default=0.3, gt=0, lt=0.9)
    """Share of the pairs that are not for the test by which the rewarding judge is chosen."""
    test: float = Field(default=0.3, gt=0, lt=1)
    """Share of the pairs that are looked at once, for the report; only where none is of a held-out scene."""
    mode: Mode | None = None
    """Where the principles of an `openai:` judge come from. None: the pack where one is named, else its own, written
    independent of the replies. A judge that is trained in a run is asked for one label and writes none."""
    pack: str | None = None
    """A principle pack in TOML; None: the shipped one."""

    @model_validator(mode="after")
    def _pack_is_used(self) -> "JudgeSettings":
        if self.pack is not None and self.mode in ("coupled", "independent"):
            raise ValueError(f"mode {self.mode!r} goes by no pack; leave one of them out")
        return self

    @property
    def own(self) -> Brief:
        """What an `openai:` judge is shown."""
        return Brief(mode=self.mode or ("independent" if self.pack is None else "pack"))


class Recipe(Record):
    """One run."""

    run: RunSettings = RunSettings()
    models: ModelSettings = ModelSettings()
    source: str = "shipped"
    """A text, or a curated JSON; `shipped` is our own story with its gold annotations."""
    synth: SynthConfig = SynthConfig()
    gain: GainSettings = GainSettings()
    splits: Splitter = Splitter(seed=7, valid=0.15, test=0.2)
    sft: SFTConfig = SFTConfig()
    judge: JudgeSettings = JudgeSettings()
    gates: GateConfig = GateConfig(system_thinking=True)
    group: GroupConfig = GroupConfig()
    novelty: NoveltyConfig = NoveltyConfig()
    policy: PolicyConfig = PolicyConfig()
    rl_prompts: int = Field(default=32, gt=0)
    """Training prompts that the policy meets in reinforcement learning, drawn by seed."""
    exam: ExamConfig = ExamConfig()
    exam_prompts: int = Field(default=24, gt=0)
    """Most held-out prompts of the exam, spread over its scenes."""
    exam_scenes: int = Field(default=2, ge=0)
    """Held-out scenes that each policy plays by itself."""
    pairs: Literal["shipped"] | str = "shipped"
    """Labelled pairs: ours, or a JSONL file of preferences."""


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file."""
    return load_toml(path, Recipe)
