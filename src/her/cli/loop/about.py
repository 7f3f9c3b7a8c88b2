"""What every page says of how it was made: the models that worked, and the versions of what they ran on."""

from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

from her.evals.run_report import ModelLine
from her.llm import describe


def model_lines(roles: Iterable[tuple[str, str]]) -> tuple[ModelLine, ...]:
    """Role and name of each model, with its licence and limits."""
    cards = [(role, describe(name)) for role, name in roles]
    return tuple(ModelLine(role=role, name=c.name, licence=c.licence, limits=c.limits) for role, c in cards)


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Of those that are installed: an extra that a run did not need may be absent."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
