"""Runs for the page about exams: a judged benchmark with four dimensions, hidden layers, faults and hostile text."""

import asyncio
import re
from pathlib import Path
from typing import ClassVar

from exam_cases import Answering, settled
from toy_benchmark import Toy, ToyItem, request

from her.evals.benchmarks import Benchmark, Card, Cast, Exam, Judged, Line, Mark, Play, Scored, Settings, summarise
from her.evals.benchmarks.asked import Asked, Response, ask_judge, ask_once
from her.evals.benchmarks.item import DataUsed
from her.evals.benchmarks.mark import Finding, Unscored
from her.evals.benchmarks.run import ExamRun, Plan
from her.evals.benchmarks.sitting import judge_item, score_item
from her.llm import ChatModel, ScriptedModel
from her.renderers.tags import read_lenient

HOSTILE = "</pre></details><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
THOUGHT, PLAN = "I counted eight and shall say nine.", "She should lie about the count."
SAYS = f"<system_thinking>{PLAN}</system_thinking>Mara: <role_thinking>{THOUGHT}</role_thinking>Nine, always. {HOSTILE}"
DIMENSIONS = ("overall", "story", "likeness", "character", "prose")


class Stage(Toy):
    """Two lines a play; a judge gives five numbers, and says what is wrong with the second line."""

    card: ClassVar[Card] = Toy.card.model_copy(update={"name": "stage", "title": "Stage <b>", "headline": "overall"})

    def load(self, data: Path, settings: Settings) -> Exam[ToyItem]:
        items = tuple(
            ToyItem(
                id=f"scene-{n}",
                cluster=f"book-{n % 4}",
                title=f"Book {n % 4}",
                facets={"setting": "indoors" if n % 2 else "outdoors & <i>wet</i>"},
                cue=f"{n} lanterns are lit. {HOSTILE}",
            )
            for n in range(8)
        )
        return Exam(items=items, refused=(), data=DataUsed(name="toy", sha256="0" * 64, licence="CC0-1.0", origin="-"))

    async def play(self, item: ToyItem, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        said = await ask_once(cast.player, request(item.cue, seed=settings.seed_of(item.id, 0)), key="l", role="player")
        assert isinstance(said.returned, Response)
        turn = read_lenient(said.returned.text, speaker="Mara", turn_id="t1").turn
        lines = (
            Line(speaker="Ferryman", by="given", visible="How many lanterns tonight?", turn=None),
            Line(speaker="Mara", by="player", visible=turn.speech(), turn=turn),
        )
        return Play(item_id=item.id, repeat=repeat, asked=(said,), lines=lines, counts={"unread_turns": 0})

    async def judge(self, item: ToyItem, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        shown = " ".join(line.shown(settings.thoughts) for line in play.lines)
        asked = request(f"{item.cue} / {shown}", seed=settings.seed_of(item.id, play.repeat))
        return (await ask_judge(judge, asked, key="verdict", readable=lambda r: _numbers(r) is not None, tries=2),)

    def marks(self, item: ToyItem, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        assert judged is not None
        returned = judged.reply("verdict").returned
        numbers = _numbers(returned) if isinstance(returned, Response) else None
        if numbers is None:
            return tuple(Unscored(metric=d, reason="unread", judge=judged.judge) for d in DIMENSIONS)
        values = (sum(numbers) / 4, *numbers)
        return tuple(Scored(metric=d, value=v, judge=judged.judge) for d, v in zip(DIMENSIONS, values, strict=True))

    def findings(self, item: ToyItem, play: Play, judged: Judged, settings: Settings) -> tuple[Finding, ...]:
        at = 1 if item.id.endswith(("1", "2")) else None
        found = {"metric": "character", "judge": judged.judge, "line": at, "text": f"She gives it away. {HOSTILE}"}
        return (Finding.model_validate({**found, "kind": "tells a secret", "severity": 3.0}),)


def _numbers(returned: Response) -> tuple[float, ...] | None:
    found = re.fullmatch(r"([1-5]) ([1-5]) ([1-5]) ([1-5])", returned.text)
    return None if found is None else tuple(float(d) for d in found.groups())


STAGE = Stage()


def judge(name: str, mild: int) -> ChatModel:
    """A judge with a taste; of the scenes with five lanterns it will not speak."""

    def answer(asked: object) -> str:
        lit = int(getattr(asked, "messages")[0].content[0])  # noqa: B009 -- any request
        return HOSTILE if lit == 5 else " ".join(str(min(5, 1 + (lit + d + mild) % 4)) for d in range(4))

    model = Answering(answer)
    model.name = name
    return model


def held_in_memory(
    model: str = "scripted:model",
    *,
    bench: Benchmark[ToyItem] = STAGE,
    judges: tuple[ChatModel, ...] = (),
    **changes: object,
) -> ExamRun:
    """A run as `read_run` would read it."""
    settings = settled(bench, **changes)
    exam = bench.load(Path("-"), settings)
    player = ScriptedModel([SAYS], name=model)
    judges = judges or (judge("scripted:hard", 0), judge("scripted:mild", 1))

    async def play() -> tuple[tuple[Play, ...], tuple[Judged, ...]]:
        cast = Cast(player=player, user=ScriptedModel(["Go on."]))
        plays = [await bench.play(i, cast, settings, repeat=r) for i in exam.items for r in range(settings.repeats)]
        items = {i.id: i for i in exam.items}
        return tuple(plays), tuple(
            [j for p in plays for j in await judge_item(bench, items[p.item_id], p, judges, settings)]
        )

    plays, judged = asyncio.run(play())
    items = {i.id: i for i in exam.items}
    scores = tuple(
        score_item(
            bench, items[p.item_id], p, [j for j in judged if (j.item_id, j.repeat) == (p.item_id, p.repeat)], settings
        )
        for p in plays
    )
    names = [j.name for j in judges]
    summary = summarise(
        bench, scores, settings, model=model, judges=names, data=exam.data, refused=(), warnings=[f"beware {HOSTILE}"]
    )
    plan = Plan(benchmark=bench.card.name, settings=settings, model=model, parts={}, data=exam.data, refused=())
    return ExamRun(
        root=Path("runs") / model.partition(":")[2],
        benchmark=bench,
        plan=plan,
        items=exam.items,
        plays=plays,
        judged=judged,
        scores=scores,
        summary=summary,
    )
