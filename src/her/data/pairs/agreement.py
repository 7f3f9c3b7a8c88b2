"""Agreement: how often two labellings of the same pairs say the same, and how much of that is more than chance."""

from collections import Counter
from collections.abc import Iterable, Mapping

from her.errors import InputError
from her.schema import Preference, Record, Winner
from her.stats import Estimate, share


class Agreement(Record):
    """Two labellings of the pairs that both have."""

    n: int
    raw: Estimate
    """Share labelled the same; Wilson's interval."""
    kappa: float | None
    """Cohen's kappa (1960): 1 full agreement, 0 what chance would give. None where chance alone agrees fully."""
    differ: tuple[str, ...]
    """Ids labelled differently."""
    only_one: int
    """Pairs that one labelling lacks; they are not in the other figures."""


def agreement(first: Mapping[str, Winner], second: Mapping[str, Winner]) -> Agreement:
    """Compare labels by pair id. Raises InputError where no pair has both."""
    both = sorted(set(first) & set(second))
    if not both:
        raise InputError("the two labellings have no pair in common; give two labellings of the same file")
    same = sum(first[i] == second[i] for i in both)
    one, two = Counter(first[i] for i in both), Counter(second[i] for i in both)
    chance = sum(one[w] * two[w] for w in one) / len(both) ** 2
    return Agreement(
        n=len(both),
        raw=share(same, len(both)),
        kappa=None if chance == 1 else (same / len(both) - chance) / (1 - chance),
        differ=tuple(i for i in both if first[i] != second[i]),
        only_one=len(set(first) ^ set(second)),
    )


def labels(first: Iterable[Preference], second: Iterable[Preference]) -> tuple[dict[str, Winner], dict[str, Winner]]:
    """Two files' labels by pair id, both about the first file's order: a pair may stand the other way round in the
    second. Raises InputError where an id stands for different replies."""
    ours = {p.comparison.id: p for p in first}
    theirs: dict[str, Winner] = {}
    for pair in second:
        known = ours.get(pair.comparison.id)
        if known is None or pair.comparison.cand_1.parts == known.comparison.cand_1.parts:
            theirs[pair.comparison.id] = pair.winner
        elif pair.comparison.cand_1.parts == known.comparison.cand_2.parts:
            theirs[pair.comparison.id] = pair.swap().winner
        else:
            raise InputError(
                f"{pair.comparison.id!r} stands for other replies in the second file; label the same pairs"
            )
    return {i: p.winner for i, p in ours.items()}, theirs
