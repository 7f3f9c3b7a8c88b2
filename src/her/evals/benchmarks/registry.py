"""The registry: every benchmark by name. A new one is one line here; its module is loaded when it is asked for."""

from importlib import import_module
from typing import Any

from her.errors import InputError
from her.evals.benchmarks.benchmark import Benchmark

_WHERE = {
    "coser": "her.evals.benchmarks.coser:COSER",
    "dynsess": "her.evals.benchmarks.dynsess:DYNSESS",
    "fantom": "her.evals.benchmarks.fantom:FANTOM",
    "hitom": "her.evals.benchmarks.hitom:HITOM",
    "lifechoice": "her.evals.benchmarks.lifechoice:LIFECHOICE",
    "minimax": "her.evals.benchmarks.minimax:MINIMAX",
    "twinvoice": "her.evals.benchmarks.twinvoice:TWINVOICE",
    "twinvoice_gen": "her.evals.benchmarks.twinvoice_gen:TWINVOICE_GEN",
    "userllm": "her.evals.benchmarks.userllm:USERLLM",
}


def names() -> tuple[str, ...]:
    """All names, in alphabetical order."""
    return tuple(sorted(_WHERE))


def benchmark(name: str) -> Benchmark[Any]:
    """The benchmark called `name`."""
    if name not in _WHERE:
        raise InputError(f"no benchmark is called {name!r}; there are: {', '.join(names())}")
    module, _, attribute = _WHERE[name].partition(":")
    found: Benchmark[Any] = getattr(import_module(module), attribute)
    return found
