"""Every benchmark as an Inspect task: `inspect eval her/hitom --model mockllm/model`.

Owns no protocol and no number: the samples are our items, the solver is the benchmark's `play`, the scorer its `marks`.
This module is the entry point that Inspect loads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput, get_model, model_roles
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from her.errors import HerError, InputError
from her.evals.benchmarks import Benchmark, Cast, Exam, Judged, Play, Scored, Settings, benchmark, names
from her.evals.benchmarks.cast import PARTS
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.sitting import judge_item, score_item
from her.evals.inspect.asking import InspectModel
from her.evals.inspect.provider import her
from her.llm import ChatModel
from her.store import canonical

__all__ = ["her", "play_solver", "score_scorer", "task_of"]

PLAY, JUDGED, SCORE = "her_play", "her_judged", "her_score"
"""Keys of a sample's store under which our records lie, as JSON."""
JUDGE = "judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Someone who wants to hear of every finished sample, and of an error of ours in its own form."""

    done: Callable[[], None]
    failed: Callable[[HerError], None]


def task_of(
    bench: Benchmark[Any],
    exam: Exam[Any],
    settings: Settings,
    *,
    plays: Mapping[tuple[str, int], Play] | None = None,
    scored: bool = True,
    watch: Watch | None = None,
) -> Task:
    """A task over an exam. `plays`: judge these rather than play."""
    samples = [
        Sample(
            id=item.id,
            input=f"{bench.card.title}: {item.id}",
            metadata={"cluster": item.cluster, **item.facets},
        )
        for item in exam.items
    ]
    return Task(
        name=bench.card.name,
        dataset=MemoryDataset(samples, name=exam.data.name),
        solver=play_solver(bench, exam, settings, plays=plays, watch=watch, last=not scored),
        scorer=score_scorer(bench, exam, settings, watch=watch) if scored else None,
        epochs=settings.repeats,
        metadata={"settings": canonical(settings.model_dump(mode="json")), "data": exam.data.model_dump(mode="json")},
    )


@solver
def play_solver(
    bench: Benchmark[Any],
    exam: Exam[Any],
    settings: Settings,
    plays: Mapping[tuple[str, int], Play] | None = None,
    watch: Watch | None = None,
    last: bool = False,
) -> Solver:
    """Plays an item with the models of the run's roles, or takes the play that is given."""
    items = {i.id: i for i in exam.items}

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        item, repeat = items[str(state.sample_id)], state.epoch - 1
        with _watched(watch, last=last):
            given = None if plays is None else plays[item.id, repeat]
            play = given or await bench.play(item, _cast(bench), settings, repeat=repeat)
        state.store.set(PLAY, play.model_dump_json())
        _show(state, play)
        return state

    return solve


@scorer(metrics=[mean(), stderr(cluster="cluster")])
def score_scorer(bench: Benchmark[Any], exam: Exam[Any], settings: Settings, watch: Watch | None = None) -> Scorer:
    """The headline's mark, ours in the metadata. What could not be scored is unscored for Inspect too."""
    items = {i.id: i for i in exam.items}

    async def score(state: TaskState, target: Target) -> Score:
        item = items[str(state.sample_id)]
        play = Play.model_validate_json(state.store.get(PLAY))
        judged: tuple[Judged, ...] = ()
        with _watched(watch, last=True):
            if bench.card.judged:
                judged = await judge_item(bench, item, play, _judges(bench), settings)
            found = score_item(bench, item, play, judged, settings)
        state.store.set(JUDGED, [j.model_dump_json() for j in judged])
        state.store.set(SCORE, found.model_dump_json())
        mark = next((m for m in found.marks if m.metric == bench.card.headline and m.judge is None), None)
        marks = [m.model_dump(mode="json") for m in found.marks]
        if isinstance(mark, Scored):
            return Score(value=mark.value, answer=found.answer, metadata={"marks": marks})
        reason = "this benchmark has no such mark by item" if mark is None else mark.reason
        return Score.unscored(reason=reason, answer=found.answer, metadata={"marks": marks})

    return score


@contextmanager
def _watched(watch: Watch | None, *, last: bool) -> Iterator[None]:
    """Tell of a sample whose last step is done, or of the error of ours that ended it: Inspect keeps only its text."""
    try:
        yield
    except HerError as e:
        if watch is not None:
            watch.failed(e)
        raise
    if watch is not None and last:
        watch.done()


def _cast(bench: Benchmark[Any]) -> Cast:
    """The models of the run: roles by name, the examined model where a part has no role of its own."""
    parts = {p: InspectModel(get_model(role=p)) for p in PARTS if p in bench.card.parts}
    return Cast(player=InspectModel(get_model()), **parts)


def _judges(bench: Benchmark[Any]) -> Sequence[ChatModel]:
    roles = model_roles().get(JUDGE)
    if roles is None:
        raise InputError(f"{bench.card.name} is scored by a judge; name one: --model-role {JUDGE}=PROVIDER/MODEL")
    return [InspectModel(get_model(m)) for m in (roles if isinstance(roles, list) else [roles])]


def _show(state: TaskState, play: Play) -> None:
    """What Inspect's viewer shows as the conversation: visible text alone."""
    for line in play.lines:
        text = f"{line.speaker}: {line.visible}"
        state.messages.append(
            ChatMessageAssistant(content=text) if line.by == "player" else ChatMessageUser(content=text)
        )
    last = play.asked[-1].returned if play.asked else None
    if last is not None and last.kind == "response" and not play.lines:
        state.output = ModelOutput.from_content(model=str(state.model), content=last.text)


def _register(name: str) -> None:
    def make(data: str | None = None, profile: str = "fixed", limit: int | None = None, **options: str) -> Task:
        bench = benchmark(name)
        given = {k: str(v) for k, v in options.items()}
        settings = bench.card.settle(Settings(profile=profile, options=given, limit=limit))
        exam = bench.load(mini_set(bench.card) if data is None else Path(data), settings)
        whole = bench.card.whole_clusters
        return task_of(bench, exam.limited(limit, seed=settings.seed, whole_clusters=whole), settings)

    make.__name__ = name
    make.__doc__ = f"The benchmark {name}; `her eval describe {name}` says what its options are."
    task(make)


for _name in names():
    _register(_name)
