"""Stage `likelihood` of an exam: how well the examined model expects the reference replies. Held on request: it reads
every reference with the model's own weights."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from her.errors import ModelError
from her.evals.benchmarks.run import Played
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.likelihood import NAME, LikelihoodLine, measure, missing
from her.llm import LedgerScorer, Scorer, fingerprint, open_scorer
from her.schema import Record
from her.stage import Outcome, Progress
from her.store import read_jsonl, write_jsonl

if TYPE_CHECKING:
    from her.cli.exams.sit import Desk

STAGE, LINES = "likelihood", "likelihood.jsonl"


class Weighing(Record):
    """What the stage depends on, beside the items."""

    benchmark: str
    settings: Settings
    model: str


def read_likelihood(root: Path) -> tuple[LikelihoodLine, ...]:
    """What was measured in a run; empty where nothing was."""
    path = root / STAGE / LINES
    return tuple(read_jsonl(path, LikelihoodLine)) if path.exists() else ()


def weigh(desk: "Desk", played: Played, settings: Settings) -> Mapping[str, str]:
    """Measure, unless it is done. What comes back is why there is no number: for some items, or for the model."""
    bench, model = played.benchmark, played.plan.model
    if not any(bench.references(item, settings) for item in played.exam.items):
        return {NAME: "this benchmark has no reference replies"}
    try:
        scorer: Scorer = open_scorer(model)
    except ModelError as e:
        return {NAME: str(e)}
    paid = LedgerScorer(scorer, desk.ledger, stage=STAGE)

    async def all_of(progress: Progress) -> list[LikelihoodLine]:
        lines = []
        for done, item in enumerate(played.exam.items, start=1):
            lines.append(await measure(item.id, bench.references(item, settings), paid))
            progress(done, len(played.exam.items), "items")
        return lines

    def work(folder: Path, progress: Progress) -> Outcome:
        lines = asyncio.run(all_of(progress))
        write_jsonl(folder / LINES, lines)
        lost = sum(line.found.kind == "unmeasured" for line in lines)
        return Outcome(outputs=(LINES,), kept=len(lines) - lost, rejected={"unmeasured": lost} if lost else {})

    desk.do(
        STAGE,
        f"{model} reads the references",
        work,
        inputs={"items": desk.run.root / "play" / "items.jsonl"},
        settings=Weighing(benchmark=bench.card.name, settings=settings, model=model),
        models={"player": fingerprint(model)},
    )
    why = missing(read_likelihood(desk.run.root))
    return {} if why is None else {NAME: why}
