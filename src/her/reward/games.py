"""Games: who meets whom in a group of replies, and in which place.

Owns the schedules. Knows nothing of judges or ratings. `circulant` is our default (see docs/decisions): with offsets
1..k each reply stands k times first and k times second, so that a judge's habit of preferring a place falls on every
reply alike. `anchor` is the paper's: each reply against one fixed reference (HER §5.1). `knockout` seeds by one game
against the reference, then plays single elimination (after ArenaRL, arXiv 2601.06487); it is the only schedule whose
games depend on what came before.

Planning is pure: `next_games` is asked with what was played so far, until it has nothing more to ask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ScheduleName = Literal["anchor", "circulant", "knockout", "round_robin"]
Pair = tuple[int, int]
"""Who stands first and who second."""
ANCHOR = -1
"""Stands for the fixed reference in a pairing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One game that was read. `score` is what `first` got: 1 a win, 1/2 a tie, 0 a loss, or a share between."""

    first: int
    second: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule with its settings."""

    name: ScheduleName
    k: int = 2
    """circulant: offsets 1..k."""
    both_orders: bool = False
    """anchor: is each reply also asked in the second place? The paper's is one order."""


Result = tuple[Pair, float | None]
"""A game that was played: what its first got, or None where no verdict could be read."""


def next_games(schedule: Schedule, n: int, played: Sequence[Result]) -> list[Pair]:
    """What n replies play next, given everything they have played, in the order asked; empty at the end."""
    if schedule.name == "knockout":
        return knockout(n, played)
    if played:
        return []
    if schedule.name == "anchor":
        return anchor(n, both_orders=schedule.both_orders)
    return circulant(n, n - 1 if schedule.name == "round_robin" else schedule.k)


def circulant(n: int, k: int) -> list[Pair]:
    """Ordered pairs (i, i+o mod n) for offsets o = 1..k: k·n games, every reply exactly k times in each place.

    Up to k = (n-1)/2 every game brings a new opponent; beyond it pairs meet again in the other order. k = n-1 is the
    round robin, in which each two replies meet in both orders; a larger k is cut to it: no game is played twice.
    """
    return [(i, (i + offset) % n) for offset in range(1, min(k, n - 1) + 1) for i in range(n)]


def anchor(n: int, *, both_orders: bool) -> list[Pair]:
    """Every reply against the reference; in one order the reply stands first, as in the paper."""
    pairs = [(i, ANCHOR) for i in range(n)]
    return [*pairs, *((ANCHOR, i) for i in range(n))] if both_orders else pairs


def knockout(n: int, played: Sequence[Result]) -> list[Pair]:
    """The next round: the seeding against the reference, then rounds until one reply is left. 2n-1 games in all.

    Seeds follow the seeding's results, then the reply's number. The best meets the worst; where the field is no power
    of two, the best seeds rest. A tie and a game that was not read go to the better seed. Who stands first alternates.
    """
    if n < 2:
        return []
    if not played:
        return anchor(n, both_orders=False)
    seeding = [0.5 if score is None else score for _, score in played[:n]]
    alive = sorted(range(n), key=lambda i: (-seeding[i], i))
    seed = {reply: place for place, reply in enumerate(alive)}
    rest, number = played[n:], 0
    while pairs := _bracket(alive, number):
        if len(rest) < len(pairs):
            return pairs
        out = {_loser(result, seed) for result in rest[: len(pairs)]}
        alive = [reply for reply in alive if reply not in out]
        rest, number = rest[len(pairs) :], number + 1
    return []


def _bracket(alive: Sequence[int], number: int) -> list[Pair]:
    if len(alive) < 2:
        return []
    byes = (1 << (len(alive) - 1).bit_length()) - len(alive)
    playing = alive[byes:]
    half = len(playing) // 2
    met = zip(playing[:half], reversed(playing[half:]), strict=True)
    return [(a, b) if (i + number) % 2 == 0 else (b, a) for i, (a, b) in enumerate(met)]


def _loser(result: Result, seed: dict[int, int]) -> int:
    (first, second), score = result
    if score is None or score == 0.5:
        return max(first, second, key=lambda reply: seed[reply])
    return second if score > 0.5 else first
