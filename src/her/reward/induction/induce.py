"""Induce: labelled pairs become a pack of the few principles that span what was proposed.

Proposals come from `propose`, places from `space`, the choice from `coding_rate`; this file joins them and accounts for
every proposal: it is in the pack, or among the rejects with its step and reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from her.errors import VerdictError
from her.llm.embedding import Embedder
from her.llm.model import ChatModel
from her.reward.induction.coding_rate import choose, nearest, new_vector_gain
from her.reward.induction.propose import Candidate, ProposeConfig, Proposed, Reject, propose
from her.reward.induction.space import place
from her.reward.pack import Pack
from her.schema import DIMENSIONS, Preference, Record
from her.stage import Progress


class SelectConfig(Record):
    """How few principles, and how different."""

    most: int = Field(default=24, gt=0)
    """HER's expert list has 51; from 70 pairs half of that is plenty, and every judge reads all of it."""
    distortion: float = Field(default=0.1, gt=0)
    """How far two unit vectors may lie apart and still be one principle; 0.1 is a cosine of .995."""
    least_share: float = Field(default=0.5, gt=0, le=1)
    """Stop where the next adds less than this share of what an unrelated one would. At this distortion one half is
    a cosine of about .96 to what is chosen already."""


class Chosen(Record):
    """One entry of the pack, with why it was taken."""

    name: str
    pair: str
    gain_nats: float
    share: float
    """Of what an unrelated principle would have added; the first has 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Induced:
    """A pack and the account of how it came to be."""

    pack: Pack
    proposed: Proposed
    chosen: tuple[Chosen, ...]
    rejects: tuple[Reject, ...]
    """Of every step."""


class NoPrincipleError(VerdictError):
    """No proposal held; why is told of each."""

    def __init__(self, pairs: int, *, rejects: Sequence[Reject]) -> None:
        why = ", ".join(f"{n} {reason}" for reason, n in count(rejects).items())
        super().__init__(f"no principle came of {pairs} pairs ({why}); give more pairs or a stronger teacher")
        self.rejects = tuple(rejects)


def spread(pairs: Sequence[Preference], most: int, *, seed: int) -> list[Preference]:
    """At most so many pairs, as many of each scene as may be, in a seeded order."""
    rng = np.random.default_rng(seed)
    scenes: dict[str, list[Preference]] = {}
    for i in rng.permutation(len(pairs)):
        scenes.setdefault(pairs[i].comparison.scene.id, []).append(pairs[i])
    order = [pair for row in range(len(pairs)) for found in scenes.values() for pair in found[row : row + 1]]
    return order[:most]


async def induce(
    teacher: ChatModel,
    pairs: Sequence[Preference],
    *,
    embedder: Embedder,
    asking: ProposeConfig,
    selecting: SelectConfig,
    name: str,
    told: Progress,
) -> Induced:
    """A pack out of labelled pairs. Raises NoPrincipleError where no proposal held."""
    proposed = await propose(teacher, [p for p in pairs if p.winner != "tie"], asking, told)
    rejects = list(proposed.rejects)
    rejects += [_reject(p.comparison.id, "propose", "labelled_tie", "no rule made a difference") for p in pairs
                if p.winner == "tie"]  # fmt: skip
    named: dict[str, Candidate] = {}
    for candidate in proposed.candidates:
        key = candidate.principle.name.casefold()
        if key in named:
            # Verdicts refer to a rule by its name, so one of two must go; the first is by the order of the pairs.
            rejects.append(_reject(candidate.pair, "select", "same_name", candidate.principle.name))
        else:
            named[key] = candidate
    pool = list(named.values())
    placed = await place(embedder, [c.principle for c in pool])
    rejects += [_reject(pool[i].pair, "embed", reason, pool[i].principle.name) for i, reason in placed.unplaced]
    picks = choose(
        placed.vectors_ND,
        most=selecting.most,
        distortion=selecting.distortion,
        least_share=selecting.least_share,
        seed=asking.seed,
    )
    taken = [p.index for p in picks]
    for row, i in enumerate(placed.indices):
        if row not in taken:
            near = pool[placed.indices[nearest(placed.vectors_ND, taken, row)]].principle.name
            reason = "over_most" if len(taken) == selecting.most else "adds_little"
            rejects.append(_reject(pool[i].pair, "select", reason, f"{pool[i].principle.name}, nearest to {near}"))
    if not picks:
        raise NoPrincipleError(len(pairs), rejects=rejects)
    found = [pool[placed.indices[p.index]] for p in picks]
    ordered = sorted(found, key=lambda c: (DIMENSIONS.index(c.principle.dimension), c.principle.name))
    most_nats = new_vector_gain(selecting.distortion)
    return Induced(
        pack=Pack(name=name, version="1", principles=tuple(c.principle for c in ordered)),
        proposed=proposed,
        chosen=tuple(
            Chosen(name=c.principle.name, pair=c.pair, gain_nats=p.gain_nats, share=p.gain_nats / most_nats)
            for c, p in zip(found, picks, strict=True)
        ),
        rejects=tuple(rejects),
    )


def count(rejects: Sequence[Reject]) -> dict[str, int]:
    """Rejects by step and reason."""
    counts: dict[str, int] = {}
    for reject in rejects:
        key = f"{reject.step}.{reject.reason}"
        counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))


def _reject(pair: str, step: str, reason: str, detail: str) -> Reject:
    return Reject.model_validate({"pair": pair, "number": 0, "step": step, "reason": reason, "detail": detail[:200]})
