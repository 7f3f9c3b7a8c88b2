"""The prompts of this room: text files beside it, filled in one pass. Their bytes are part of every run's manifest."""

from functools import cache
from importlib.resources import files

from her.renderers.template import fill


@cache
def _text(name: str) -> str:
    return files("her.evals.benchmarks").joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8").strip()


def wording(prompt: str, **values: str) -> str:
    """The prompt `prompts/PROMPT.txt` with its placeholders filled; a value is never searched for placeholders."""
    return fill(_text(prompt), **values)
