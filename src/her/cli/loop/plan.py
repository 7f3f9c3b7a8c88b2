"""`her synth --plan`: what a synthesis would take, told before anything is spent."""

import asyncio
from collections.abc import Iterator

from her.cli.loop.board import Board
from her.errors import InputError
from her.llm import Usage
from her.llm.prices import Price, cost_usd, price
from her.schema import Book
from her.synthesis import Curated, Reject, Shelf, SynthConfig
from her.synthesis.rehearsal import Plan, StagePlan, rehearse


def tell(board: Board, source: Book | Curated | Shelf, *, teacher: str, settings: SynthConfig) -> None:
    """Print the plan. No model is opened."""
    known = price(teacher)
    plans = (
        list(_shelf(board, source, settings, known=known))
        if isinstance(source, Shelf)
        else [asyncio.run(rehearse(source, settings))]
    )
    for line in _table(plans, known=known, teacher=teacher, retries=settings.retries):
        board.say(line)


def _shelf(board: Board, shelf: Shelf, settings: SynthConfig, *, known: Price | None) -> Iterator[Plan]:
    """The plan of every book that can be used, with a line about each."""
    for book in shelf.books():
        if isinstance(book, Reject):
            board.say(f"{book.item_id}: cannot be used: {book.detail}")
            continue
        try:
            plan = asyncio.run(rehearse(book, settings))
        except InputError as e:
            board.say(f"{book.id}: cannot be used: {e}")
            continue
        board.say(f"{plan.title}: {plan.scenes} scenes, {plan.turns} turns, {_money(plan.stages, known)}")
        yield plan


def _table(plans: list[Plan], *, known: Price | None, teacher: str, retries: int) -> Iterator[str]:
    sums = [sum(getattr(p, name) for p in plans) for name in ("chapters", "chunks", "scenes", "turns")]
    yield "chapters {}  chunks {}  scenes {}  turns {}".format(*sums)
    stages: dict[str, StagePlan] = {}
    for one in (s for p in plans for s in p.stages):
        before = stages.get(one.stage)
        stages[one.stage] = one if before is None else _sum(before, one)
    yield f"{'stage':<18}{'calls':>8}{'tokens read':>14}{'tokens written':>16}  cost"
    for stage in stages.values():
        yield (
            f"{stage.stage:<18}{stage.calls:>8}{stage.prompt_tokens:>14}{stage.completion_tokens:>16}  "
            f"{_money([stage], known)}"
        )
    calls, read, written = (
        sum(getattr(s, name) for s in stages.values()) for name in ("calls", "prompt_tokens", "completion_tokens")
    )
    yield f"{'all':<18}{calls:>8}{read:>14}{written:>16}  {_money(list(stages.values()), known)}"
    if (sampled := sum(p.sampled for p in plans)) < sums[0]:
        yield f"Rehearsed on {sampled} chapters, in even steps, and scaled by what is said in all of them."
    yield (
        "An estimate: every request was made and none sent; tokens are counted from characters, answers are taken to "
        f"be of usual length, and refused answers, asked for again up to {retries} times, are not counted."
    )
    if known is not None and known.as_of:
        yield f"Prices of {teacher} as of {known.as_of}."


def _sum(a: StagePlan, b: StagePlan) -> StagePlan:
    return StagePlan(
        stage=a.stage,
        calls=a.calls + b.calls,
        prompt_tokens=a.prompt_tokens + b.prompt_tokens,
        completion_tokens=a.completion_tokens + b.completion_tokens,
    )


def _money(stages: list[StagePlan] | tuple[StagePlan, ...], known: Price | None) -> str:
    if known is None:
        return "price not known"
    usage = Usage(
        prompt_tokens=sum(s.prompt_tokens for s in stages), completion_tokens=sum(s.completion_tokens for s in stages)
    )
    return f"${cost_usd(known, usage):.2f}"
