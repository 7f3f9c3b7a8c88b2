"""A small scored run of DynSess, made without an engine, and raters who fill in ballots as told."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exam_cases import Answering, mini, settled

from her.evals.benchmarks import Benchmark, Cast, summarise
from her.evals.benchmarks.dynsess import DYNSESS
from her.evals.benchmarks.rating.ballot import FORMAT
from her.evals.benchmarks.rating.packet import Key
from her.evals.benchmarks.run import SCORES, SUMMARY, Plan, write_played
from her.evals.benchmarks.sitting import judge_item, score_item
from her.llm import ChatModel
from her.stage import RunFolder
from her.store import write_json, write_jsonl

SECRET = "I hid the key under the third stone."
PLAN = "The character should change the subject."
HOSTILE = "<script>document.title='owned'</script><img src=https://evil.example/x.png onerror=alert(1)>"


def make_run(
    root: Path,
    player: ChatModel,
    user: ChatModel,
    judge: ChatModel,
    *,
    items: int = 4,
    model: str = "openai:secret-model@https://evil.example/v1",
    bench: Benchmark[Any] = DYNSESS,
    **options: str,
) -> Path:
    """A finished run folder at `root`."""
    settings = settled(bench, options={"turns": "4", **options})
    exam = mini(bench, settings).limited(items, seed=0, whole_clusters=True)
    cast = Cast(player=player, user=user)
    plays = [asyncio.run(bench.play(i, cast, settings, repeat=0)) for i in exam.items]
    scores = [
        score_item(bench, i, p, asyncio.run(judge_item(bench, i, p, [judge], settings)), settings)
        for i, p in zip(exam.items, plays, strict=True)
    ]
    summary = summarise(bench, scores, settings, model=model, judges=[judge.name], data=exam.data, refused=exam.refused)
    plan = Plan(
        benchmark=bench.card.name, settings=settings, model=model, parts={"user": user.name}, data=exam.data, refused=()
    )
    with RunFolder(root):
        write_played(root / "play", plan, exam, tuple(plays))
        write_jsonl(root / "score" / SCORES, scores)
        write_json(root / "score" / SUMMARY, summary.model_dump(mode="json"))
    return root


def speaking(text: str) -> Answering:
    """A player with something to hide."""
    return Answering(
        lambda _: (
            f"<system_thinking>{PLAN}</system_thinking><role_thinking>{SECRET}</role_thinking>"
            f"<role_action>looks up</role_action>{text}"
        )
    )


def rating_judge(score: Callable[[str], int]) -> Answering:
    """A judge whose ratings follow from the question."""
    return Answering(lambda r: json.dumps({"deductions": [], "score": score(r.messages[1].content)}))


def key_of(root: Path) -> Key:
    """The only key of a run."""
    (path,) = (root / "rating").glob("*.json")
    return Key.model_validate_json(path.read_text())


def ballot(path: Path, key: Key, rater: str, score: Callable[[str, str], int], **changes: object) -> Path:
    """A whole ballot: `score` gives a rating for (item id, quality)."""
    ratings = [
        {"id": e.sheet, "scores": {q.name: score(e.item_id, q.name) for q in key.qualities}, "note": ""}
        for e in key.entries
    ]
    path.write_text(json.dumps({"format": FORMAT, "packet": key.packet, "rater": rater, "ratings": ratings, **changes}))
    return path
