"""Parts: which labelled pairs a judge may learn from, be chosen by, and be examined on.

Pairs of one scene share its people, its facts and often its labeller's mood, so a scene is never in two parts.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from her.errors import VerdictError
from her.schema import Preference, Record

Part = Literal["train", "choose", "test"]


class Parts(Record):
    """train: fit on it. choose: pick among judges by it. test: looked at once, and reported."""

    train: tuple[Preference, ...]
    choose: tuple[Preference, ...]
    test: tuple[Preference, ...]


def parts(preferences: Sequence[Preference], *, seed: int, choose: float = 0.2, test: float = 0.3) -> Parts:
    """Deal whole scenes, in a seeded order, until `test` and then `choose` have their share of pairs; train has the
    rest."""
    if not (0 < choose < 1 and 0 < test < 1 and choose + test < 1):
        raise VerdictError(f"shares choose={choose} and test={test} leave no pairs to learn from")
    scenes = sorted({p.comparison.scene.id for p in preferences})
    if len(scenes) < 3:
        raise VerdictError(f"{len(scenes)} scenes; pairs from at least 3 are needed for three parts")
    count = {s: sum(p.comparison.scene.id == s for p in preferences) for s in scenes}
    order = [scenes[i] for i in np.random.default_rng(seed).permutation(len(scenes))]
    of: dict[str, Part] = {}
    for part, wanted, keep in (("test", test * len(preferences), 2), ("choose", choose * len(preferences), 1)):
        have = 0
        while len(order) > keep and have < wanted:
            # Overshooting by more than half a scene leaves too little to the others: stop short instead.
            if have and have + count[order[0]] / 2 > wanted:
                break
            scene = order.pop(0)
            of[scene] = "test" if part == "test" else "choose"
            have += count[scene]
    picked = {k: tuple(p for p in preferences if of.get(p.comparison.scene.id, "train") == k) for k in
              ("train", "choose", "test")}  # fmt: skip
    return Parts(train=picked["train"], choose=picked["choose"], test=picked["test"])
