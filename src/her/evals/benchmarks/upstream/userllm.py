"""UserLLM's row (Naous et al. 2025, arXiv 2510.06552, as SOUL asks it: sunweiwei/sim-eval-data, userllm_val)."""

from typing import Literal

from pydantic import model_validator

from her.evals.benchmarks.data import Upstream


class UserLLMRow(Upstream):
    """One turn that the examined model has to write as the user."""

    id: str
    source: Literal["commonsense_qa", "natural_questions", "prism"]
    intent: str
    conversation_history: str
    """`<user>: .. <assistant>: ..` by lines; empty before the first turn."""
    turn: int
    is_last_turn: bool
    related_metrics: tuple[str, ...]
    choices: tuple[str, ...] | None = None
    """CommonsenseQA alone."""
    question: str | None = None
    """Natural Questions alone, as the next."""
    assistant_suggestion_turn: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "UserLLMRow":
        needed = {"commonsense_qa": ("choices",), "natural_questions": ("question", "assistant_suggestion_turn")}
        if missing := [f for f in needed.get(self.source, ()) if getattr(self, f) is None]:
            raise ValueError(f"a row of {self.source} has {missing[0]!r}")
        return self
