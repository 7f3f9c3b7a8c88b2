"""FANToM's sets: whether every question about one piece of missed information was answered right, and weighted F1.

Owns ALL* and ALL, the ALL of answerability and of info-access, by set, part or conversation, and the F1 of yes-or-no
questions. One wrong answer decides a set; an unread one leaves it open, unless another is wrong.
"""

from collections import Counter
from collections.abc import Sequence

from her.evals.benchmarks.fantom_reading import DISTANCE
from her.evals.benchmarks.figure import Figure, mean_figure, statistic_figure
from her.evals.benchmarks.mark import ItemScore, Mark, Scored, Unscored

ALL_STAR, ALL = "ALL* (lexical)", "ALL"
_PARTS = (ALL_STAR, ALL, "answerability ALL", "info-access ALL")
_MEANS = ("belief choice", "belief distance", "answerability list", "info-access list")
_F1S = ("answerability yes/no", "info-access yes/no")
_SCALE = (0.0, 1.0)


def sets_of(scores: Sequence[ItemScore], *, access: str, aggregate: str) -> tuple[ItemScore, ...]:
    """One score for each set (part, conversation) and repeat, from its questions of one accessibility."""
    groups: dict[tuple[str, int], list[ItemScore]] = {}
    for score in scores:
        if score.facets.get("access") == access:
            groups.setdefault((group_of(score, aggregate), score.repeat), []).append(score)
    return tuple(
        ItemScore(
            item_id=f"{name}:{access}",
            cluster=members[0].cluster,
            repeat=repeat,
            title=None,
            facets={"access": access},
            marks=tuple(m for part in _PARTS if (m := _all(part, members)) is not None),
            controls=(),
            findings=(),
            answer=None,
            gold=None,
        )
        for (name, repeat), members in groups.items()
    )


def group_of(score: ItemScore, aggregate: str) -> str:
    """What a question is counted with. A set's id is `CONVERSATION-PART-SET`, and so the evaluation reads it."""
    pieces = score.item_id.partition(":")[0].split("-")
    return "-".join(pieces[: {"conversation": 1, "part": 2}.get(aggregate, len(pieces))])


def figures_of(scores: Sequence[ItemScore], *, access: str, aggregate: str, seed: int) -> tuple[Figure, ...]:
    """The published figures of one accessibility: sets, means of each kind of question, weighted F1."""
    group = f"access: {access}"
    inside = [s for s in scores if s.facets.get("access") == access]
    sets = sets_of(inside, access=access, aggregate=aggregate)
    found = [mean_figure(sets, part, seed=seed, scale=_SCALE, group=group) for part in _PARTS]
    for kind in _MEANS:
        asked = [_renamed(s, kind) for s in inside if s.facets["question"] == kind]
        metric = DISTANCE if kind == "belief distance" else kind
        found.append(
            mean_figure(asked, kind, seed=seed, scale=_SCALE, group=group).model_copy(update={"metric": metric})
        )
    for kind in _F1S:
        asked = [s for s in inside if s.facets["question"] == kind]
        unread = Counter(m.reason for s in asked for m in s.marks if isinstance(m, Unscored))
        read = [s for s in asked if isinstance(s.marks[0], Scored)]
        found.append(
            statistic_figure(read, f"{kind} F1", weighted_f1, seed=seed, group=group, unscored=unread, scale=_SCALE)
        )
    return tuple(f for f in found if f.estimate.n or f.unscored)


def weighted_f1(scores: Sequence[ItemScore]) -> float | None:
    """F1 of `yes` and of `no`, weighted by how often each is right; None without a question.

    A reply that a profile counts as wrong without reading it is an answer of neither kind.
    """
    pairs = [(s.answer, s.gold) for s in scores]
    total = 0.0
    for label in ("yes", "no"):
        hits = sum(answer == gold == label for answer, gold in pairs)
        said, asked = (sum(p[side] == label for p in pairs) for side in (0, 1))
        total += asked * (2 * hits / (said + asked) if said + asked else 0.0)
    return total / len(pairs) if pairs else None


def _all(part: str, members: Sequence[ItemScore]) -> Mark | None:
    """Were all questions of one of `_PARTS` right? None where the part has no question of its own."""
    kinds = {s.facets["question"] for s in members}
    if part == ALL_STAR and "belief distance" not in kinds:
        return None
    if part == ALL:
        members = [s for s in members if s.facets["question"] != "belief distance"]
    elif part != ALL_STAR:
        members = [s for s in members if s.facets["question"].startswith(part.removesuffix(" ALL"))]
    marks = [s.marks[0] for s in members]
    if not marks:
        return None
    if any(isinstance(m, Scored) and m.value == 0 for m in marks):
        return Scored(metric=part, value=0.0, judge=None)
    if unread := next((m for m in marks if isinstance(m, Unscored)), None):
        return Unscored(metric=part, reason=unread.reason, judge=None)
    return Scored(metric=part, value=1.0, judge=None)


def _renamed(score: ItemScore, metric: str) -> ItemScore:
    return score.model_copy(update={"marks": tuple(m.model_copy(update={"metric": metric}) for m in score.marks)})
