"""An exam in a run folder: stages `play`, `judge` and `score`, each with its manifest; calls go through the ledger.

Kill it and start it again: what was paid is in the ledger. Other judges are another `judge` stage over the same plays.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from her.cli.exams.likelihood import LINES, STAGE, read_likelihood, weigh
from her.cli.loop.board import Board
from her.errors import ConfigError, InputError
from her.evals.benchmarks import Benchmark, Cast, Exam, Settings, benchmark
from her.evals.benchmarks.cast import PARTS
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.hub import fetch
from her.evals.benchmarks.run import (
    JUDGED,
    PLAYS,
    SCORES,
    SUMMARY,
    Plan,
    Played,
    read_judged,
    read_played,
    write_played,
)
from her.evals.benchmarks.sitting import score_item
from her.evals.benchmarks.summary import Summary, summarise
from her.evals.benchmarks.trust.contamination import mark_contaminated
from her.evals.benchmarks.trust.likelihood import NAME, with_likelihood
from her.evals.benchmarks.trust.panel import check_panel
from her.evals.inspect import need_engine
from her.llm import Ledger, fingerprint, open_models
from her.llm.budget import Budget
from her.schema import Record
from her.stage import Outcome, Progress, RunFolder, stage_key
from her.store import read_json, read_text, sha256_text, write_json, write_jsonl

if TYPE_CHECKING:
    from her.llm import ChatModel

F = TypeVar("F")
ROOMS = ("schema", "renderers", "simulation", "llm", "evals/benchmarks", "evals/inspect")
ITSELF = "(the examined model)"
"""A part that no other model was named for."""
RELEASED = "(released plays)"
"""In place of a model, where judges are calibrated."""


class Sitting(Record):
    """What `her eval BENCH` was asked for."""

    benchmark: str
    settings: Settings
    model: str
    parts: dict[str, str]
    """Part to model; a part that is missing is played by the examined model itself."""
    judges: tuple[str, ...]
    data: str | None
    """A path, or `hub`; None is our own mini-set."""
    trained_on: str | None
    connections: int
    budget_usd: float | None
    likelihood: bool = False
    """Is the control `reference likelihood` measured?"""


class Judging(Record):
    """What the stage `judge` depends on, beside the plays."""

    benchmark: str
    settings: Settings
    judges: tuple[str, ...]


class Scoring(Record):
    """What the stage `score` depends on, beside the records."""

    settings: Settings
    trained_on: str | None
    """Hash of the list of titles."""
    warnings: tuple[str, ...]
    unavailable: dict[str, str]
    """Controls that could not be measured, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where an exam is held."""

    run: RunFolder
    ledger: Ledger
    board: Board
    connections: int
    budget_usd: float | None

    def do(
        self,
        stage: str,
        what: str,
        work: Callable[[Path, Progress], Outcome],
        *,
        inputs: dict[str, Path],
        settings: Record,
        models: dict[str, str],
    ) -> None:
        """A stage, unless it is done."""
        key = stage_key(stage, inputs=inputs, settings=settings, rooms=ROOMS, models=models)
        with self.board.stage(stage, what) as progress:
            done = self.run.run(key, lambda folder: work(folder, progress))
        self.board.finished(done)

    def ask(self, names: Sequence[str], stage: str, use: "Callable[[list[ChatModel]], Awaitable[F]]") -> F:
        """What `use` makes of the named models, which stand behind the run's ledger and are closed afterwards."""
        budget = None if self.budget_usd is None else Budget(self.budget_usd)

        async def used() -> F:
            models = open_models(names, ledger=self.ledger, stage=stage, reproducible=True, budget=budget)
            try:
                return await use(models)
            finally:
                for model in models:
                    await model.close()

        return asyncio.run(used())


def sit(asked: Sitting, root: Path, board: Board) -> Summary:
    """Hold an exam and score it."""
    bench = benchmark(asked.benchmark)
    settings = bench.card.settle(asked.settings)
    parts: dict[str, str] = {p: asked.parts.get(p, ITSELF) for p in PARTS if p in bench.card.parts}
    if strange := sorted(asked.parts.keys() - parts.keys()):
        raise ConfigError(f"{asked.benchmark} has no part {strange[0]!r}; its parts: {', '.join(parts) or 'none'}")
    check_judges(bench, asked.judges)
    need_engine()
    source = data_path(bench, asked.data)
    exam = bench.load(source, settings)
    whole = bench.card.whole_clusters
    exam = exam.limited(settings.limit, seed=settings.seed, whole_clusters=whole)
    board.say(f"{exam.data.name}: {len(exam.items)} items, licence {exam.data.licence}, sha256 {exam.data.sha256}")
    if exam.refused:
        board.say(f"{len(exam.refused)} records refused: {exam.refused[0].reason}")
    plan = Plan(
        benchmark=asked.benchmark,
        settings=settings.model_copy(update={"thoughts": "hidden"}),  # what judges are shown changes no play
        model=asked.model,
        parts=parts,
        data=exam.data,
        refused=exam.refused,
    )
    with RunFolder(root) as run, Ledger(root / "ledger.sqlite") as ledger:
        desk = Desk(run=run, ledger=ledger, board=board, connections=asked.connections, budget_usd=asked.budget_usd)
        _play(desk, bench, exam, plan, source)
        return judge_and_score(desk, asked.judges, settings, trained_on=asked.trained_on, likelihood=asked.likelihood)


def calibrate(asked: Sitting, released: Path, root: Path, board: Board) -> Summary:
    """Judge the plays that a benchmark's authors released, and score the judges by what is published of them."""
    bench = benchmark(asked.benchmark)
    settings = bench.card.settle(asked.settings)
    check_judges(bench, asked.judges)
    need_engine()
    exam, plays = bench.released(released, settings)
    exam = exam.limited(settings.limit, seed=settings.seed, whole_clusters=bench.card.whole_clusters)
    kept = {i.id for i in exam.items}
    plan = Plan(
        benchmark=asked.benchmark,
        settings=settings.model_copy(update={"thoughts": "hidden"}),
        model=RELEASED,
        parts={},
        data=exam.data,
        refused=exam.refused,
    )

    def work(folder: Path, progress: Progress) -> Outcome:
        write_played(folder, plan, exam, tuple(p for p in plays if p.item_id in kept))
        return Outcome(outputs=("plan.json", "items.jsonl", "plays.jsonl"), kept=len(kept))

    with RunFolder(root) as run, Ledger(root / "ledger.sqlite") as ledger:
        desk = Desk(run=run, ledger=ledger, board=board, connections=asked.connections, budget_usd=asked.budget_usd)
        desk.do("play", "released plays are read", work, inputs={"data": released}, settings=plan, models={})
        return judge_and_score(desk, asked.judges, settings, trained_on=asked.trained_on)


def judge_and_score(
    desk: Desk, judges: Sequence[str], settings: Settings, *, trained_on: str | None, likelihood: bool = False
) -> Summary:
    """The second half: the plays of a run folder are judged, where judges are needed, and scored."""
    played = read_played(desk.run.root)
    if played.benchmark.card.judged:
        _judge(desk, played, judges, settings)
    unavailable: Mapping[str, str] = {}
    if likelihood:
        unavailable = weigh(desk, played, settings)
    elif not read_likelihood(desk.run.root) and any(
        played.benchmark.references(i, settings) for i in played.exam.items
    ):
        unavailable = {NAME: "not asked for; --likelihood measures it"}
    return _score(desk, played, settings, judges=judges, trained_on=trained_on, unavailable=unavailable)


def check_judges(bench: Benchmark[Any], judges: Sequence[str]) -> None:
    """Refuse a judge where none is needed, and none where one is."""
    if bench.card.judged and not judges:
        raise ConfigError(f"{bench.card.name} is scored by a judge; name one or more with --judge")
    if judges and not bench.card.judged:
        raise ConfigError(f"{bench.card.name} is scored by code; leave --judge out")


def data_path(bench: Benchmark[Any], data: str | None) -> Path:
    """The file or folder to read: ours, the reader's, or fetched."""
    if data is None:
        return mini_set(bench.card)
    if data == "hub":
        return fetch(bench.card)
    path = Path(data)
    if not path.exists():
        raise InputError(f"no such file: {path}; give the benchmark's own file, `hub`, or leave --data out")
    return path


def _play(desk: Desk, bench: Benchmark[Any], exam: Exam[Any], plan: Plan, source: Path) -> None:
    names = {"player": plan.model, **{p: plan.model if n == ITSELF else n for p, n in plan.parts.items()}}

    def work(folder: Path, progress: Progress) -> Outcome:
        from her.evals.inspect.engine import hold

        found = desk.ask(
            list(names.values()),
            "play",
            lambda models: hold(
                bench,
                exam,
                plan.settings,
                cast=Cast(**dict(zip(names, models, strict=True))),
                log=folder / "log",
                connections=desk.connections,
                progress=lambda done, of: progress(done, of, "items"),
            ),
        )
        write_played(folder, plan, exam, found.plays)
        lost = sum(a.returned.kind == "lost" for p in found.plays for a in p.asked)
        return Outcome(
            outputs=("plan.json", "items.jsonl", "plays.jsonl"),
            kept=len(found.plays),
            rejected={"lost_replies": lost} if lost else {},
        )

    desk.do(
        "play",
        f"{plan.model} sits {bench.card.title}",
        work,
        inputs={"data": source},
        settings=plan,
        models={part: fingerprint(name) for part, name in names.items()},
    )


def _judge(desk: Desk, played: Played, judges: Sequence[str], settings: Settings) -> None:
    bench, root = played.benchmark, desk.run.root

    def work(folder: Path, progress: Progress) -> Outcome:
        from her.evals.inspect.engine import hold

        found = desk.ask(
            judges,
            "judge",
            lambda models: hold(
                bench,
                played.exam,
                settings,
                cast=Cast(player=models[0]),
                judges=models,
                plays={(p.item_id, p.repeat): p for p in played.plays},
                log=folder / "log",
                connections=desk.connections,
                progress=lambda done, of: progress(done, of, "plays"),
            ),
        )
        write_jsonl(folder / JUDGED, found.judged)
        lost = sum(a.returned.kind == "lost" for j in found.judged for a in j.asked)
        return Outcome(outputs=(JUDGED,), kept=len(found.judged), rejected={"lost_replies": lost} if lost else {})

    desk.do(
        "judge",
        f"{', '.join(judges)} judge",
        work,
        inputs={"plays": root / "play" / PLAYS},
        settings=Judging(benchmark=bench.card.name, settings=settings, judges=tuple(judges)),
        models={f"judge {n}": fingerprint(name) for n, name in enumerate(judges, start=1)},
    )


def _score(
    desk: Desk,
    played: Played,
    settings: Settings,
    *,
    judges: Sequence[str],
    trained_on: str | None,
    unavailable: Mapping[str, str],
) -> Summary:
    bench, root = played.benchmark, desk.run.root
    warnings = check_panel(judges, player=played.plan.model)
    judged = read_judged(root) if bench.card.judged else ()
    titles = None if trained_on is None else titles_of(Path(trained_on))
    weighed = read_likelihood(root)

    def work(folder: Path, progress: Progress) -> Outcome:
        of_play = defaultdict(list)
        for j in judged:
            of_play[j.item_id, j.repeat].append(j)
        scores = tuple(
            score_item(bench, item, play, of_play[play.item_id, play.repeat], settings) for item, play in _pairs(played)
        )
        scores = with_likelihood(scores, weighed)
        if titles is not None:
            from her.data.titles import Titles

            known = Titles(titles)
            scores = mark_contaminated(scores, lambda title: known.match(title) is not None)
        summary = summarise(
            bench,
            scores,
            settings,
            model=played.plan.model,
            judges=judges,
            data=played.plan.data,
            refused=played.plan.refused,
            warnings=warnings,
            unavailable=unavailable,
        )
        write_jsonl(folder / SCORES, scores)
        write_json(folder / SUMMARY, summary.model_dump(mode="json"))
        rejected = {f"unscored: {reason}": n for reason, n in summary.reasons.items()}
        return Outcome(outputs=(SCORES, SUMMARY), kept=summary.marks - summary.unscored, rejected=rejected)

    inputs = {"items": root / "play" / "items.jsonl", "plays": root / "play" / PLAYS}
    if bench.card.judged:
        inputs["judged"] = root / "judge" / JUDGED
    if weighed:
        inputs["likelihood"] = root / STAGE / LINES
    desk.do(
        "score",
        "marks and figures",
        work,
        inputs=inputs,
        settings=Scoring(
            settings=settings,
            trained_on=None if titles is None else sha256_text("\n".join(titles)),
            warnings=warnings,
            unavailable=dict(unavailable),
        ),
        models={},
    )
    return Summary.model_validate(read_json(root / "score" / SUMMARY))


def _pairs(played: Played) -> list[tuple[Any, Any]]:
    items = {i.id: i for i in played.exam.items}
    return [(items[p.item_id], p) for p in played.plays]


def titles_of(path: Path) -> tuple[str, ...]:
    """The titles that a training manifest lists: one a line, or `title` or `book` of JSON Lines."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            found.append(line.strip())
            continue
        try:
            record = json.loads(line)
        except ValueError as e:
            raise InputError(f"{path}:{number} is not JSON: {e}; give one title a line, or JSON Lines") from e
        title = record.get("title") or record.get("book")
        if not isinstance(title, str):
            raise InputError(f"{path}:{number} has neither 'title' nor 'book'; a training manifest names its books")
        found.append(title)
    return tuple(dict.fromkeys(found))
