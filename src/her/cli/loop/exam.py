"""Stage `exam`: base, fine-tuned and reinforced policy on the same held-out prompts and scenes."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from her.cli.loop import data, judges
from her.cli.loop.loop import Loop
from her.evals import ExamConfig, ExamResult, examine
from her.llm import fingerprint, open_models
from her.schema import Comparison, Record, RLPrompt, Scene, Turn, Verdict
from her.stage import Finished, Outcome, Progress
from her.store import read_json, write_json

ROOMS = ("schema", "renderers", "simulation", "evals", "reward", "llm", "cli/loop/exam")
OPENING = 2
"""Turns of a held-out scene that are given before the policies play on."""


class ExamStage(Record):
    """What the stage depends on."""

    exam: ExamConfig
    prompts: int
    scenes: int
    judge: str
    """Kind of the examining judge."""


def stage(loop: Loop) -> Finished:
    """Write `exam.json`."""
    recipe, root = loop.recipe, loop.run.root
    chosen = judges.read_chosen(loop)
    settings = ExamStage(
        exam=ExamConfig.model_validate(
            {
                **recipe.exam.model_dump(),
                "seed": recipe.run.seed,
                "history_policy": recipe.run.history_policy,
                "system_thinking": recipe.run.system_thinking,
            }
        ),
        prompts=recipe.exam_prompts,
        scenes=recipe.exam_scenes,
        judge=chosen.examines,
    )
    names = {
        "base": recipe.models.policy,
        "sft": f"run:{root / 'sft' / 'model'}",
        "policy": f"run:{root / 'policy' / 'model'}",
    }

    def work(folder: Path, progress: Progress) -> Outcome:
        held_out = [p for p in data.read_prompts(loop) if p.split == "test" and p.provenance != "teacher"]
        held_out = held_out or [p for p in data.read_prompts(loop) if p.split == "test"]
        prompts = spread(held_out, settings.prompts)
        scenes = held_out_scenes(held_out)[: settings.scenes]
        openings = {s.id: opening(held_out, s) for s in scenes}
        judge = judges.open_kind(loop, chosen.examines, folder=root / "judge", stage="exam")

        async def ask(comparisons: list[Comparison]) -> list[Verdict]:
            return await judge.judge(comparisons)

        def told(what: str, done: int, of: int) -> None:
            progress(done, of, what)

        async def held() -> ExamResult:
            models = open_models(list(names.values()), ledger=loop.ledger, stage="exam", reproducible=True)
            try:
                return await examine(
                    dict(zip(names, models, strict=True)),
                    prompts,
                    scenes,
                    settings.exam,
                    judge=ask,
                    judge_name=f"{chosen.examines} ({judge.name})",
                    openings=openings,
                    progress=told,
                )
            finally:
                for model in models:
                    await model.close()

        result = asyncio.run(held())
        write_json(folder / "exam.json", result.model_dump(mode="json"))
        unread = sum(m.unread for m in result.single) + sum(w.unread for w in result.win_rates)
        return Outcome(
            outputs=("exam.json",),
            kept=sum(m.n - m.unread for m in result.single),
            rejected={"unread": unread} if unread else {},
        )

    return loop.do(
        "exam",
        "base, sft and policy on held-out scenes",
        work,
        inputs={
            "judge": root / "judge" / "chosen.json",
            "policy": root / "policy" / "model" / "peft",
            "prompts": root / "data" / "rl.jsonl",
            "sft": root / "sft" / "model" / "peft",
        },
        settings=settings,
        rooms=ROOMS,
        models={"base": fingerprint(recipe.models.policy), "judge": fingerprint(recipe.models.judge)},
    )


def read_exam(root: Path) -> ExamResult:
    return ExamResult.model_validate(read_json(root / "exam" / "exam.json"))


def spread(prompts: Sequence[RLPrompt], most: int) -> list[RLPrompt]:
    """At most so many prompts, taken from the scenes in turn so that no scene is missing."""
    queues: dict[str, list[RLPrompt]] = defaultdict(list)
    for prompt in prompts:
        queues[prompt.dialogue_id].append(prompt)
    taken: list[RLPrompt] = []
    while len(taken) < most and any(queues.values()):
        for queue in queues.values():
            if queue and len(taken) < most:
                taken.append(queue.pop(0))
    return sorted(taken, key=lambda p: p.id)


def held_out_scenes(prompts: Sequence[RLPrompt]) -> list[Scene]:
    """The scenes of the prompts, each once, in order."""
    return list({p.scene.id: p.scene for p in prompts}.values())


def opening(prompts: Sequence[RLPrompt], scene: Scene) -> tuple[Turn, ...]:
    """The first turns of a scene, as its source has them."""
    longest = max((p.history for p in prompts if p.scene.id == scene.id), key=len)
    return longest[:OPENING]
