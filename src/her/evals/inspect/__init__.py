"""The thin adapter to Inspect AI: the only place that imports it, and nothing here scores or prompts.

Our `ChatModel`s are served to Inspect by `provider.py`, Inspect's models to our benchmarks by `asking.py`; `tasks.py`
makes a benchmark an Inspect task, `engine.py` runs one in this process."""

from importlib.util import find_spec

from her.errors import ConfigError

__all__ = ["need_engine"]


def need_engine() -> None:
    """Say what to install where Inspect AI is missing."""
    if find_spec("inspect_ai") is None:
        raise ConfigError(
            "playing an exam needs Inspect AI, which is not installed; install it with: pip install 'her[evals]' "
            "(finished runs are scored, compared and reported without it)"
        )
