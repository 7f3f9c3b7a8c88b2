"""The engine: an exam played or judged by Inspect in this process, the records handed back in order.

Owns how Inspect is called: our models, no retry or cache of its own, a log beside our records. An error of ours ends
the run and rises as itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from her.errors import HerError, StoreError
from her.evals.benchmarks import Benchmark, Cast, Exam, ItemScore, Judged, Play, Settings
from her.evals.benchmarks.cast import PARTS
from her.llm import ChatModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What came of holding an exam: one record of each kind for every item and repeat, in the exam's order."""

    plays: tuple[Play, ...]
    judged: tuple[Judged, ...]
    scores: tuple[ItemScore, ...]


async def hold(
    bench: Benchmark[Any],
    exam: Exam[Any],
    settings: Settings,
    *,
    cast: Cast,
    judges: Sequence[ChatModel] = (),
    plays: Mapping[tuple[str, int], Play] | None = None,
    log: Path,
    connections: int,
    progress: Callable[[int, int], None] | None = None,
) -> Held:
    """Play every item, or judge the given `plays`. A judged benchmark without judges is played and left unscored.

    `connections` is how many items are at work at once. `log` is the folder of Inspect's log.
    """
    from inspect_ai import eval_async
    from inspect_ai.model import GenerateConfig, Model
    from inspect_ai.util._display import init_display_type

    from her.evals.inspect.provider import CONNECTIONS, open_api
    from her.evals.inspect.tasks import JUDGE, JUDGED, PLAY, SCORE, Watch, task_of

    init_display_type("none")  # progress is ours to show; `eval_async` takes no such argument
    errors: list[HerError] = []

    def served(model: ChatModel) -> Model:
        return Model(open_api(model), GenerateConfig())

    done, total = 0, len(exam.items) * settings.repeats

    def told() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    # Whoever plays along is not needed where the plays are there already.
    roles: dict[str, Any] = {p: served(cast.of(p)) for p in PARTS if p in bench.card.parts and plays is None}
    if judges:
        roles[JUDGE] = [served(j) for j in judges]
    watch = Watch(done=told, failed=errors.append)
    task = task_of(bench, exam, settings, plays=plays, scored=bool(judges) or not bench.card.judged, watch=watch)
    logs = await eval_async(
        task,
        model=served(cast.player),
        model_roles=roles,
        log_dir=str(log),
        log_format="eval",
        log_level="warning",
        log_realtime=False,  # the live view of a running exam costs an eighth of its time; progress is ours to show
        fail_on_error=True,
        max_samples=connections,
        max_connections=CONNECTIONS,
    )
    if errors:
        raise errors[0]
    if not logs:  # Inspect takes an interrupt for itself and returns nothing
        raise KeyboardInterrupt
    found = logs[0]
    if found.status != "success" or found.samples is None:
        why = found.error.message if found.error is not None else found.status
        raise StoreError(f"Inspect ended with {found.status!r}: {why}; its log is in {log}")
    by_place = {(str(s.id), s.epoch - 1): s.store for s in found.samples}
    order = [(i.id, repeat) for i in exam.items for repeat in range(settings.repeats)]
    stores = [by_place[place] for place in order]
    return Held(
        plays=tuple(Play.model_validate_json(s[PLAY]) for s in stores),
        judged=tuple(Judged.model_validate_json(j) for s in stores for j in s.get(JUDGED, [])),
        scores=tuple(ItemScore.model_validate_json(s[SCORE]) for s in stores if SCORE in s),
    )
