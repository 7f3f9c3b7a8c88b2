"""Win rate: two policies' replies to the same prompts, compared by a judge in both orders.

Owns the pairing, the two orders and the arithmetic. The judge is any async callable: this room does not know the
reward's judges, and the caller answers for its being another one than the reward's. What the judge's words could not
say stays out of the rate and is counted.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

from her.errors import VerdictError
from her.evals.metrics import Reply
from her.schema import Comparison, Decided, Record, RLPrompt, Turn, Verdict, Viewer
from her.stats import Estimate, clustered_score

Judge = Callable[[list[Comparison]], Awaitable[list[Verdict]]]
"""One verdict per comparison, in the order given."""
Outcome = Literal["win", "loss", "tie", "unread", "no_contest"]
_SCORES: dict[Outcome, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}
_SHOWN = Viewer.judge(role_thinking=True)


class Game(Record):
    """One pair of replies and what came of it, from the first policy's side."""

    id: str
    prompt_id: str
    cluster: str
    sample_index: int
    outcome: Outcome
    """`unread`: a verdict could not be read. `no_contest`: neither reply could be read."""
    reason: Literal["judged", "orders_disagree", "forfeit", "identical", "unread"]
    """`forfeit`: a reply with nothing readable lost to one that could be read, unjudged. `identical`: the replies are
    the same, a tie that no judge need be asked about. `orders_disagree`: swapped, the verdict changed, hence a tie."""


class WinRate(Record):
    """How often `policy` beats `against`."""

    policy: str
    against: str
    rate: Estimate
    """Wins plus half the ties over wins, losses and ties; interval from resampling scenes."""
    pairs: int
    wins: int
    losses: int
    ties: int
    unread: int
    no_contest: int
    inconsistent: int
    """Ties because the two orders disagreed."""
    identical: int
    """Ties because the replies were the same."""
    forfeits: int
    """Losses of `policy` because its reply could not be read."""
    forfeits_against: int
    """Wins of `policy` because the other reply could not be read."""
    games: tuple[Game, ...]


async def win_rate(
    policy: Sequence[Reply], against: Sequence[Reply], prompts: Sequence[RLPrompt], judge: Judge, *, seed: int
) -> WinRate:
    """Pair replies by prompt and sample, judge each pair in both orders, and count."""
    others = {(r.prompt_id, r.sample_index): r for r in against}
    by_id = {p.id: p for p in prompts}
    pairs = [(r, others[r.prompt_id, r.sample_index]) for r in policy if (r.prompt_id, r.sample_index) in others]
    asked: dict[str, Comparison] = {}
    for first, second in pairs:
        one, two = first.spoken.turn, second.spoken.turn
        if one is not None and two is not None and not _same(one, two):
            asked[_id(first, second)] = _comparison(by_id[first.prompt_id], first, second, one, two)
    verdicts = await _both_orders(judge, asked)
    games = tuple(_game(first, second, verdicts) for first, second in pairs)
    scored = [(_SCORES[g.outcome], g.cluster) for g in games if g.outcome in _SCORES]

    def count(outcome: Outcome, reason: str | None = None) -> int:
        return sum(g.outcome == outcome and reason in (None, g.reason) for g in games)

    return WinRate(
        policy=policy[0].policy if policy else "",
        against=against[0].policy if against else "",
        rate=clustered_score([s for s, _ in scored], [c for _, c in scored], seed=seed),
        pairs=len(games),
        wins=count("win"),
        losses=count("loss"),
        ties=count("tie"),
        unread=count("unread"),
        no_contest=count("no_contest"),
        inconsistent=count("tie", "orders_disagree"),
        identical=count("tie", "identical"),
        forfeits=count("loss", "forfeit"),
        forfeits_against=count("win", "forfeit"),
        games=games,
    )


async def _both_orders(judge: Judge, asked: Mapping[str, Comparison]) -> dict[str, tuple[Verdict, Verdict]]:
    """Both verdicts on each comparison, the second turned back into the first's terms."""
    if not asked:
        return {}
    comparisons = list(asked.values())
    verdicts = await judge([*comparisons, *(c.swap() for c in comparisons)])
    if len(verdicts) != 2 * len(comparisons):
        raise VerdictError(
            f"the examining judge gave {len(verdicts)} verdicts on {2 * len(comparisons)} comparisons; "
            "it must give one on each, in order"
        )
    forward, backward = verdicts[: len(comparisons)], verdicts[len(comparisons) :]
    return {key: (a, b.swap()) for key, a, b in zip(asked, forward, backward, strict=True)}


def _game(first: Reply, second: Reply, verdicts: Mapping[str, tuple[Verdict, Verdict]]) -> Game:
    outcome, reason = _outcome(first.spoken.turn, second.spoken.turn, verdicts.get(_id(first, second)))
    return Game(
        id=_id(first, second),
        prompt_id=first.prompt_id,
        cluster=first.cluster,
        sample_index=first.sample_index,
        outcome=outcome,
        reason=reason,
    )


def _outcome(
    one: Turn | None, two: Turn | None, both: tuple[Verdict, Verdict] | None
) -> tuple[Outcome, Literal["judged", "orders_disagree", "forfeit", "identical", "unread"]]:
    if one is None or two is None:
        if one is None and two is None:
            return "no_contest", "unread"
        return ("loss", "forfeit") if one is None else ("win", "forfeit")
    if both is None:
        return "tie", "identical"
    a, b = both
    if not isinstance(a, Decided) or not isinstance(b, Decided):
        return "unread", "unread"
    if a.winner != b.winner:
        return "tie", "orders_disagree"
    outcomes: dict[str, Outcome] = {"cand_1": "win", "cand_2": "loss", "tie": "tie"}
    return outcomes[a.winner], "judged"


def _comparison(prompt: RLPrompt, first: Reply, second: Reply, one: Turn, two: Turn) -> Comparison:
    # System thinking is cut here already: an examiner that is handed it could be swayed by a promise.
    return Comparison(
        id=_id(first, second),
        scene=prompt.scene,
        history=prompt.history,
        character=prompt.character,
        cand_1=one.seen_by(_SHOWN),
        cand_2=two.seen_by(_SHOWN),
    )


def _same(one: Turn, two: Turn) -> bool:
    return one.parts == two.parts


def _id(first: Reply, second: Reply) -> str:
    return f"{first.prompt_id}:{first.policy}-{second.policy}:{first.sample_index}"
