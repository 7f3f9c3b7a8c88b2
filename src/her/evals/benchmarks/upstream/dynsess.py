"""DynSess-Eval's record (Zhang et al. 2026, arXiv 2605.29256; github.com/tangbupt/DynSess, MIT; Chinese)."""

from typing import Annotated, Literal

from pydantic import Field

from her.evals.benchmarks.data import Upstream


class DynSessLine(Upstream):
    """One message of the prefix."""

    role: Literal["user", "assistant"]
    content: str


class DynSessRecord(Upstream):
    """A persona and the session so far, which the examined model goes on with."""

    persona_info: str
    user_system_prompt: str
    """Who the simulated user is."""
    dialogue: Annotated[tuple[DynSessLine, ...], Field(max_length=100)]
