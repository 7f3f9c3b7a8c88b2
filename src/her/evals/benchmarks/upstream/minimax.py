"""MiniMax Role-Play Bench's records (MiniMaxAI/role-play-bench; the card's licence tags contradict each other)."""

import json
from typing import Literal

from pydantic import field_validator

from her.evals.benchmarks.data import Upstream


class MinimaxSeed(Upstream):
    """Two characters and the first two lines."""

    id: str
    ai_name: str
    ai_setting: str
    user_name: str
    user_setting: str
    ai_prologue: str
    initial_user_input: str


class MinimaxLine(Upstream):
    """One entry of a released dialogue."""

    role: Literal["ai", "user"]
    text: str
    round: int


class MinimaxDialogue(Upstream):
    """A released dialogue. `dialogue` is JSON inside a string, and is read twice."""

    seed_id: str
    model_name: str
    run_id: int | str
    dialogue: tuple[MinimaxLine, ...]
    num_turns: int

    @field_validator("dialogue", mode="before")
    @classmethod
    def _twice(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value


class MinimaxEvaluation(Upstream):
    """The released scores of a dialogue, 0 to 100."""

    seed_id: str
    model_name: str
    run_id: int | str
    basics: float
    logic: float
    knowledge: float
    diversity: float
    content_logic: float
    interaction: float
