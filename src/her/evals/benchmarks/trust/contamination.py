"""Contamination: items whose book was trained on are marked and scored apart. Pure.

When two titles are one book is not decided here: the caller hands in the rule that training data are filtered by.
"""

from collections.abc import Callable, Sequence

from her.evals.benchmarks.mark import ItemScore

FACET = "book"


def mark_contaminated(scores: Sequence[ItemScore], trained_on: Callable[[str], bool]) -> tuple[ItemScore, ...]:
    """Scores with the facet `book`: `trained on`, `not trained on`, or `unknown` where an item has no title."""
    return tuple(s.model_copy(update={"facets": {**s.facets, FACET: _state(s.title, trained_on)}}) for s in scores)


def _state(title: str | None, trained_on: Callable[[str], bool]) -> str:
    if title is None:
        return "unknown"
    return "trained on" if trained_on(title) else "not trained on"
