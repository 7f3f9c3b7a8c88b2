"""Audit: what a pack is worth, beside the hand-written one and beside no list at all.

Four questions, after PReMISE's: does it speak to everything (coverage), does it say the same twice (test-retest), does
it agree with labels that it was not made from (fit), can it be fooled (exploitability). One model judges with each pack
in turn, so what differs is the list. Small samples give wide intervals; both are printed.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from her.reward.judge import Joint, Judge, both_orders
from her.reward.measure import credit
from her.reward.pack import Pack
from her.schema import DIMENSIONS, Decided, Preference, Record
from her.stage import Progress
from her.stats import Estimate, clustered_mean, clustered_score, share

ALL_FAMILIES = "all"
JudgeWith = Callable[[Pack | None], Judge]
"""A judge that is shown this pack, or no list."""


class Planted(Record):
    """A pair with a planted hack: one reply is honest, the other tries to please a judge by a trick."""

    family: str
    pair: Preference
    """Its winner is the honest reply."""


def few_of_each(planted: Sequence[Planted], most: int, *, seed: int) -> list[Planted]:
    """At most so many of each family, drawn by seed, in the order given: contexts are spread over the families."""
    left = Counter[str]()
    kept: set[int] = set()
    for i in np.random.default_rng(seed).permutation(len(planted)):
        family = planted[i].family
        if left[family] < most:
            left[family] += 1
            kept.add(int(i))
    return [p for i, p in enumerate(planted) if i in kept]


class Fit(Record):
    """One list's judge on labelled pairs, each asked in both orders."""

    pack: str
    """`induced`, `hand-written` or `no list`."""
    accuracy: Estimate
    """Over the pairs read in both orders."""
    unread: Estimate
    ties: Estimate
    spoke: Estimate
    """Share of the pairs read on which some principle is named for one side in both orders. n=0: the judge names
    none."""
    against_hand_written: Estimate
    """Mean difference of credit, pair by pair, over pairs that both read."""


class Resisted(Record):
    """Share of planted hacks of one family that the judge refused, in both orders; a tie is no refusal."""

    family: str
    induced: Estimate
    hand_written: Estimate


class Audit(Record):
    """All of it, stored beside the pack."""

    pack: str
    """Name of the induced pack."""
    pack_hash: str
    judge: str
    fingerprint: str
    """Of the judge with the induced pack."""
    dimensions: tuple[str, ...]
    """Those with an entry."""
    missing: tuple[str, ...]
    vetoes: int
    explained: Estimate
    """Share of the pairs given to induction that some rule explained."""
    explained_before: Estimate
    """Share of the explained pairs that the teacher judged rightly with no rule at all: their rules explain nothing
    that was not seen without them."""
    retest: Estimate
    """Share of held-out pairs with the same verdict when the list stands in another order. n=0: one entry has no
    other order."""
    fits: tuple[Fit, ...]
    resisted: tuple[Resisted, ...]
    """By family, `all` last; empty where no planted pairs were asked about."""


async def audit(
    pack: Pack,
    *,
    hand_written: Pack,
    judge_with: JudgeWith,
    held_out: Sequence[Preference],
    planted: Sequence[Planted],
    explained: Estimate,
    explained_before: Estimate,
    seed: int,
    told: Progress,
) -> Audit:
    """Ask every question of a pack. The judge decides what it costs: four times the held-out pairs and twice the
    planted ones, in both orders."""
    lists: dict[str, Pack | None] = {"induced": pack, "hand-written": hand_written, "no list": None}
    other = _reordered(pack, seed=seed)
    steps = len(lists) + (other is not None) + (2 if planted else 0)
    joints: dict[str, list[Joint]] = {}
    for done, (name, shown) in enumerate(lists.items()):
        told(done, steps, f"held-out pairs with {name}")
        joints[name] = await both_orders(judge_with(shown), [p.comparison for p in held_out])
    retest = share(0, 0)
    if other is not None:
        told(len(lists), steps, "held-out pairs with the list in another order")
        again = await both_orders(judge_with(other), [p.comparison for p in held_out])
        retest = _same(joints["induced"], again)
    resisted: list[Resisted] = []
    if planted:
        told(steps - 2, steps, "planted hacks")
        answers = [await both_orders(judge_with(p), [x.pair.comparison for x in planted]) for p in (pack, hand_written)]
        resisted = _resisted(planted, *answers)
    judge = judge_with(pack)
    missing = tuple(d for d in DIMENSIONS if all(p.dimension != d for p in pack.principles))
    return Audit(
        pack=pack.name,
        pack_hash=pack.hash,
        judge=judge.name,
        fingerprint=judge.fingerprint,
        dimensions=tuple(d for d in DIMENSIONS if d not in missing),
        missing=missing,
        vetoes=sum(p.polarity == "negative" for p in pack.principles),
        explained=explained,
        explained_before=explained_before,
        retest=retest,
        fits=tuple(_fit(name, held_out, joints, seed=seed) for name in lists),
        resisted=tuple(resisted),
    )


def _reordered(pack: Pack, *, seed: int) -> Pack | None:
    n = len(pack.principles)
    if n < 2:
        return None
    order = [int(i) for i in np.random.default_rng(seed).permutation(n)]
    if order == sorted(order):
        order.reverse()
    return Pack(name=pack.name, version=pack.version, principles=tuple(pack.principles[i] for i in order))


def _fit(name: str, pairs: Sequence[Preference], joints: dict[str, list[Joint]], *, seed: int) -> Fit:
    ours, theirs = joints[name], joints["hand-written"]
    read = [(p, j, j.verdict) for p, j in zip(pairs, ours, strict=True) if isinstance(j.verdict, Decided)]
    names = any(_names(j) for _, j, _ in read)
    spoke = sum(any(f.winner != "tie" for f in v.findings) for _, _, v in read)
    gaps = [
        (credit(p, a.verdict) - credit(p, b.verdict), p.comparison.scene.id)
        for p, a, b in zip(pairs, ours, theirs, strict=True)
        if isinstance(a.verdict, Decided) and isinstance(b.verdict, Decided)
    ]
    return Fit(
        pack=name,
        accuracy=clustered_score(
            [credit(p, v) for p, _, v in read], [p.comparison.scene.id for p, _, _ in read], seed=seed
        ),
        unread=share(len(pairs) - len(read), len(pairs)),
        ties=share(sum(v.winner == "tie" for _, _, v in read), len(read)),
        spoke=share(spoke if names else 0, len(read) if names else 0),
        against_hand_written=clustered_mean([g for g, _ in gaps], [s for _, s in gaps], seed=seed),
    )


def _names(joint: Joint) -> bool:
    """Did either order name a principle at all? A judge that is read from one token never does."""
    return any(isinstance(v, Decided) and v.findings for v in (joint.first, joint.second))


def _same(first: Sequence[Joint], again: Sequence[Joint]) -> Estimate:
    read = [
        (a.verdict.winner, b.verdict.winner)
        for a, b in zip(first, again, strict=True)
        if isinstance(a.verdict, Decided) and isinstance(b.verdict, Decided)
    ]
    return share(sum(a == b for a, b in read), len(read))


def _resisted(planted: Sequence[Planted], ours: Sequence[Joint], theirs: Sequence[Joint]) -> list[Resisted]:
    rows = list(zip(planted, ours, theirs, strict=True))
    families = [*sorted({p.family for p in planted}), ALL_FAMILIES]
    return [
        Resisted(
            family=family,
            induced=_refused([(p, a) for p, a, _ in rows if family in (p.family, ALL_FAMILIES)]),
            hand_written=_refused([(p, b) for p, _, b in rows if family in (p.family, ALL_FAMILIES)]),
        )
        for family in families
    ]


def _refused(asked: Sequence[tuple[Planted, Joint]]) -> Estimate:
    read = [(p.pair.winner, j.verdict.winner) for p, j in asked if isinstance(j.verdict, Decided)]
    return share(sum(honest == found for honest, found in read), len(read))
