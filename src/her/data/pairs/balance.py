"""Balance: which labelled pairs a judge is trained on, in what order, and in which split.

HER found that a judge trained on whatever came learns to let one side win every principle: its verdicts were mixed in
6% of cases, against 70% after training on half mixed pairs and a quarter one-sided each way (HER §4.7, 4.8). Here each
split is cut to these shares; which of the two wins is evened out by swapping, so that nothing is thrown away for its
order. A conversation is in one split only.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from her.data.splits import Splitter
from her.errors import InputError
from her.schema import Preference, PrincipleFinding, Record, Split
from her.store import sha256_text

Shape = Literal["mixed", "one_sided"]
Left = Literal["duplicate_id", "equal_sides", "tie", "no_findings"]


class Balance(Record):
    """How pairs are dealt."""

    seed: int
    valid: float
    test: float
    """Shares of the conversations."""
    shapes: bool
    """Are mixed and one-sided pairs evened out? That takes findings; without, orders and splits alone are."""


class Balanced(Record):
    """What was kept, by split and shape, and what was not, by reason."""

    kept: dict[Split, dict[str, int]]
    first_wins: dict[Split, int]
    """Kept pairs whose first side is the better one."""
    left: dict[str, int]


Findings = Mapping[str, Sequence[PrincipleFinding]]
"""By pair id: what each principle found, in the order of the pair."""


def balance(
    pairs: Sequence[Preference], findings: Findings, rule: Balance
) -> tuple[dict[Split, list[Preference]], Balanced]:
    """The pairs of each split in a seeded order, and the account. Raises InputError where nothing is left."""
    left: Counter[str] = Counter()
    splits: dict[Split, dict[Shape, list[Preference]]] = {}
    splitter = Splitter(seed=rule.seed, valid=rule.valid, test=rule.test, by="conversation")
    seen: set[str] = set()
    for pair in pairs:
        shape = _shape(pair, findings, rule=rule, seen=seen)
        seen.add(pair.comparison.id)
        if shape != "mixed" and shape != "one_sided":
            left[shape] += 1
            continue
        split = splitter.split(pair.comparison.scene, pair.comparison.scene.id)
        splits.setdefault(split, {"mixed": [], "one_sided": []})[shape].append(pair)
    made: dict[Split, list[Preference]] = {}
    kept: dict[Split, dict[str, int]] = {}
    for split, shapes in splits.items():
        most = min(len(v) for v in shapes.values()) // 2 * 2 if rule.shapes else None
        chosen: list[Preference] = []
        for shape, found in shapes.items():
            ordered = sorted(found, key=lambda p: _draw(p, rule.seed))
            taken = ordered[:most]
            if len(ordered) > len(taken):
                left[f"surplus_{shape}"] += len(ordered) - len(taken)
            if taken:
                kept.setdefault(split, {})[shape if rule.shapes else "any"] = len(taken)
            chosen += [_facing(p, first=i % 2 == 0) for i, p in enumerate(taken)]
        if chosen:
            made[split] = sorted(chosen, key=lambda p: _draw(p, rule.seed))
    account = Balanced(
        kept=kept,
        first_wins={split: sum(p.winner == "cand_1" for p in found) for split, found in made.items()},
        left=dict(sorted(left.items())),
    )
    if not made:
        reasons = ", ".join(f"{n} {reason}" for reason, n in account.left.items()) or "no pairs"
        raise InputError(f"no pair is left to train on ({reasons}); label more, or leave the shapes as they come")
    return made, account


def shape_of(findings: Sequence[PrincipleFinding]) -> Shape | None:
    """mixed: each side wins a principle. one_sided: one side alone does. None: no principle was decided."""
    sides = {f.winner for f in findings} - {"tie"}
    return "mixed" if len(sides) == 2 else "one_sided" if sides else None


def _shape(pair: Preference, findings: Findings, *, rule: Balance, seen: set[str]) -> Shape | Left:
    """The pair's shape, or why it is left out."""
    ident = pair.comparison.id
    if ident in seen:
        return "duplicate_id"
    if pair.comparison.cand_1.parts == pair.comparison.cand_2.parts:
        return "equal_sides"
    if pair.winner == "tie":
        return "tie"
    if not rule.shapes:
        return "mixed"
    return shape_of(findings.get(ident, ())) or "no_findings"


def _facing(pair: Preference, *, first: bool) -> Preference:
    """The pair with its better side where it is wanted."""
    return pair if (pair.winner == "cand_1") == first else pair.swap()


def _draw(pair: Preference, seed: int) -> str:
    return sha256_text(f"her-pairs-1\0{seed}\0{pair.comparison.id}")
