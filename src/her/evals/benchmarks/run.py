"""ExamRun: what a run folder of an exam holds, read back: for scoring again, comparing, gating and reporting.

Owns the file names. Knows no model and no engine.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from her.errors import StoreError
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.item import DataUsed, Exam, Item, Refused
from her.evals.benchmarks.mark import ItemScore
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.registry import benchmark
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.summary import Summary
from her.schema import Record
from her.stage import check_run
from her.store import read_json, read_jsonl, write_json, write_jsonl

R = TypeVar("R", bound=Record)

PLAN, ITEMS, PLAYS = "plan.json", "items.jsonl", "plays.jsonl"
"""In the stage `play`."""
JUDGED = "judged.jsonl"
"""In the stage `judge`, which a benchmark scored by code does not have."""
SCORES, SUMMARY = "scores.jsonl", "summary.json"
"""In the stage `score`."""


class Plan(Record):
    """Who plays what."""

    benchmark: str
    settings: Settings
    """Settled."""
    model: str
    """The examined model, as the user named it."""
    parts: dict[str, str]
    """Part to model, of those who play along."""
    data: DataUsed
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The first half of a run: the exam and its plays."""

    benchmark: Benchmark[Any]
    plan: Plan
    exam: Exam[Any]
    plays: tuple[Play, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamRun:
    """A scored run."""

    root: Path
    benchmark: Benchmark[Any]
    plan: Plan
    items: tuple[Item, ...]
    plays: tuple[Play, ...]
    judged: tuple[Judged, ...]
    scores: tuple[ItemScore, ...]
    summary: Summary

    def label(self) -> str:
        """What it is called beside others."""
        return f"{self.plan.benchmark} · {self.plan.model}"


def write_played(folder: Path, plan: Plan, exam: Exam[Any], plays: tuple[Play, ...]) -> None:
    """The files of the stage `play`."""
    write_jsonl(folder / ITEMS, exam.items)
    write_jsonl(folder / PLAYS, plays)
    write_json(folder / PLAN, plan.model_dump(mode="json"))


def read_played(root: Path) -> Played:
    """The stage `play` of a run."""
    check_run(root)
    plan = _read(root / "play" / PLAN, Plan, root)
    bench = benchmark(plan.benchmark)
    items = tuple(read_jsonl(root / "play" / ITEMS, bench.item))
    return Played(
        benchmark=bench,
        plan=plan,
        exam=Exam(items=items, refused=plan.refused, data=plan.data),
        plays=tuple(read_jsonl(root / "play" / PLAYS, Play)),
    )


def read_judged(root: Path) -> tuple[Judged, ...]:
    """The stage `judge` of a run; empty where code scores."""
    path = root / "judge" / JUDGED
    return tuple(read_jsonl(path, Judged)) if path.exists() else ()


def read_run(root: Path) -> ExamRun:
    """A whole run. A StoreError says what is missing."""
    check_run(root)
    summary = _read(root / "score" / SUMMARY, Summary, root)
    plan = _read(root / "play" / PLAN, Plan, root)
    bench = benchmark(plan.benchmark)
    return ExamRun(
        root=root,
        benchmark=bench,
        plan=plan,
        items=tuple(read_jsonl(root / "play" / ITEMS, bench.item)),
        plays=tuple(read_jsonl(root / "play" / PLAYS, Play)),
        judged=read_judged(root),
        scores=tuple(read_jsonl(root / "score" / SCORES, ItemScore)),
        summary=summary,
    )


def _read(path: Path, kind: type[R], root: Path) -> R:
    if not path.is_file():
        raise StoreError(f"{root} is not a finished exam ({path.name} is missing); run `her eval` with --out {root}")
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as e:
        raise StoreError(f"{path} is damaged or of another version; run the same again with another --out") from e
