"""Sitting: one item through all its steps. The engine, the tests and a reward may call these; none of them is needed.

Owns the order play, judge, score of one item, and the check that a benchmark keeps its own promises.
"""

from collections.abc import Sequence

from her.errors import InputError
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.item import AnyItem, Exam
from her.evals.benchmarks.mark import ItemScore
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.panel import panel
from her.llm.model import ChatModel


async def judge_item(
    benchmark: Benchmark[AnyItem], item: AnyItem, play: Play, judges: Sequence[ChatModel], settings: Settings
) -> tuple[Judged, ...]:
    """What every judge says of one play, in the order of the judges."""
    return tuple(
        [
            Judged(
                item_id=item.id,
                repeat=play.repeat,
                judge=judge.name,
                asked=await benchmark.judge(item, play, judge, settings),
            )
            for judge in judges
        ]
    )


def score_item(
    benchmark: Benchmark[AnyItem], item: AnyItem, play: Play, judged: Sequence[Judged], settings: Settings
) -> ItemScore:
    """The marks of one play. Pure."""
    if benchmark.card.judged and not judged:
        raise InputError(f"{benchmark.card.name} is scored by judges and {item.id} has none; name one with --judge")
    by_judge = [benchmark.marks(item, play, j, settings) for j in judged] if benchmark.card.judged else []
    answer, gold = benchmark.answers(item, play, settings)
    return ItemScore(
        item_id=item.id,
        cluster=item.cluster,
        repeat=play.repeat,
        title=item.title,
        facets=item.facets,
        marks=panel(by_judge) if by_judge else benchmark.marks(item, play, None, settings),
        controls=benchmark.controls(item, play, settings),
        findings=tuple(f for j in judged for f in benchmark.findings(item, play, j, settings)),
        answer=answer,
        gold=gold,
    )


async def sit(
    benchmark: Benchmark[AnyItem], exam: Exam[AnyItem], cast: Cast, settings: Settings, judges: Sequence[ChatModel] = ()
) -> tuple[ItemScore, ...]:
    """All items, one after the other: for tests and small things. Runs use the engine, which does them side by side."""
    scores = []
    for item in exam.items:
        for repeat in range(settings.repeats):
            play = await benchmark.play(item, cast, settings, repeat=repeat)
            judged = await judge_item(benchmark, item, play, judges, settings) if benchmark.card.judged else ()
            scores.append(score_item(benchmark, item, play, judged, settings))
    return tuple(scores)
