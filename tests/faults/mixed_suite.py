"""The mixed suite: many items through a pipeline whose upstream fails at every turn, and a comparison of the books.

Run by the tests in small and by `python -m bench.faults` at length.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fast_clock import FastClock
from faulty_upstream import FaultyUpstream, Mixed, Sound
from small_pipeline import Kept, Lost, export, exported, items, work

from her.llm import Ledger, LedgerModel
from her.llm.http import EndpointModel
from her.llm.retry import Patience

PATIENCE = Patience(attempts=6, answer_s=2, stall_s=2, slow_s=2, slow_bytes_s=200)
"""Seconds: a busy machine may take one to answer, and a sound answer that is not waited for is paid twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedResult:
    """What became of the items, and what the upstream says of it."""

    items: int
    kept: int
    dead: int
    unread: int
    wrong: int
    """Kept items whose text is not what a sound upstream says to them."""
    lost: int
    """Sound answers that the upstream gave and the ledger does not hold."""
    paid_twice: int
    attempts: int
    calls: int
    faults: dict[str, int]
    most_at_once: int
    seconds: float


def mixed(folder: Path, *, count: int, rate: float, seed: int, concurrency: int = 64) -> MixedResult:
    """Run `count` items at a fault rate, each outcome compared with that of a sound upstream."""
    reference = {o.id: o for o in _run(folder / "sound", FaultyUpstream(Sound()), count, concurrency)[0]}
    up = FaultyUpstream(Mixed(rate=rate, seed=seed))
    start = time.monotonic()
    outcomes, calls = _run(folder / "faulty", up, count, concurrency)
    reasons = Counter(o.reason for o in outcomes if isinstance(o, Lost))
    served = up.served.values()
    return MixedResult(
        items=len({o.id for o in outcomes}),
        kept=sum(isinstance(o, Kept) for o in outcomes),
        dead=reasons["dead_letter"],
        unread=reasons["unread"],
        wrong=sum(o != reference[o.id] for o in outcomes if isinstance(o, Kept)),
        lost=max(0, sum(s.whole > 0 for s in served) + _useless(up) - calls),
        paid_twice=up.paid_twice(),
        attempts=sum(s.attempts for s in served),
        calls=calls,
        faults=dict(sorted(Counter(f for s in served for f in s.faults).items())),
        most_at_once=up.most_at_once,
        seconds=time.monotonic() - start,
    )


def _useless(up: FaultyUpstream) -> int:
    """Replies that are whole, and stored, though nobody can use them."""
    replies = {"wrong_schema", "prose", "empty_text", "length", "content_filter"}
    return sum(s.whole == 0 and bool(s.faults) and s.faults[-1] in replies for s in up.served.values())


def _run(folder: Path, upstream: FaultyUpstream, count: int, concurrency: int) -> tuple[list[Kept | Lost], int]:
    async def run(url: str) -> tuple[list[Kept | Lost], int]:
        model = EndpointModel("m", url, patience=PATIENCE, clock=FastClock())
        with Ledger(folder / "ledger.sqlite") as ledger:
            behind = LedgerModel(model, ledger, stage="mixed")
            outcomes = await work(items(count), behind, concurrency=concurrency)
            calls = ledger.tally("mixed").calls
        await model.close()
        return outcomes, calls

    with upstream as up:
        outcomes, calls = asyncio.run(run(up.url))
    export(outcomes, folder)
    assert exported(folder)
    return outcomes, calls
