"""The exam: policies side by side on the same held-out prompts and scenes (HER §6, in plain form).

Owns the order of work: single replies, simulated scenes, pairwise games. It refuses training prompts, and it never sees
a training reward. Same policies, prompts and seed give the same result.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

from pydantic import Field

from her.errors import InputError
from her.evals.metrics import PolicyMetrics, Reply, as_reply, measure
from her.evals.winrate import Judge, WinRate, win_rate
from her.llm.model import ChatModel
from her.schema import HistoryPolicy, Record, RLPrompt, Scene, Turn
from her.simulation import Actor, Played, play

T = TypeVar("T")


class ExamConfig(Record):
    """How the exam is held. Equal configs, policies, prompts and judge give equal results."""

    samples: int = Field(default=1, ge=1)
    """Replies per prompt and policy."""
    rounds: int = Field(default=6, ge=0)
    """Turns played per scene; 0 plays none. The released evaluator plays 10, CoSER 20."""
    max_tokens: int = Field(default=400, gt=0)
    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    history_policy: HistoryPolicy = "drop_own_system"
    system_thinking: bool = True
    seed: int = 0
    concurrency: int = Field(default=4, ge=1)
    """Calls in flight."""


class PlayedScene(Record):
    """A scene as one policy played it, all characters by itself."""

    policy: str
    played: Played


class ExamResult(Record):
    """Everything the exam found, raw replies included."""

    config: ExamConfig
    policies: tuple[str, ...]
    """In the order given: the base first, by custom."""
    prompts: int
    judge: str | None
    """Name of the examining judge; None where no games were played."""
    replies: tuple[Reply, ...]
    single: tuple[PolicyMetrics, ...]
    """One reply at a time, on the held-out prompts."""
    scenes: tuple[PolicyMetrics, ...]
    """Replies inside simulated scenes, where a policy hears its own earlier turns."""
    plays: tuple[PlayedScene, ...]
    win_rates: tuple[WinRate, ...]
    """Each later policy against each earlier one."""

    def metrics(self, policy: str) -> PolicyMetrics | None:
        """The single-reply metrics of a policy."""
        return next((m for m in self.single if m.policy == policy), None)

    def against(self, policy: str, other: str) -> WinRate | None:
        """How `policy` fared against `other`, where they met in this order."""
        return next((w for w in self.win_rates if (w.policy, w.against) == (policy, other)), None)


async def examine(
    policies: Mapping[str, ChatModel],
    prompts: Sequence[RLPrompt],
    scenes: Sequence[Scene],
    config: ExamConfig,
    *,
    judge: Judge | None = None,
    judge_name: str | None = None,
    openings: Mapping[str, Sequence[Turn]] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> ExamResult:
    """Examine `policies`. `openings` gives first turns by scene id; `progress` hears (what, done, of)."""
    _refuse(policies, prompts, config)
    replies: list[Reply] = []
    plays: list[PlayedScene] = []
    for name, model in policies.items():  # one at a time: an embedded engine holds one policy's weights
        actor = Actor(
            model,
            history_policy=config.history_policy,
            system_thinking=config.system_thinking,
            max_tokens=config.max_tokens,
            temperature=config.temperature,
            top_p=config.top_p,
            seed=config.seed,
        )
        jobs = [_answer(name, actor, p, k) for p in prompts for k in range(config.samples)]
        replies += await _all(jobs, config.concurrency, _told(progress, f"{name}: replies"))
        staged = [_stage(name, actor, s, (openings or {}).get(s.id, ()), config) for s in scenes if config.rounds]
        plays += await _all(staged, config.concurrency, _told(progress, f"{name}: scenes"))
    of = {name: [r for r in replies if r.policy == name] for name in policies}
    rates: list[WinRate] = []
    if judge is not None:
        for earlier, later in combinations(policies, 2):
            rates.append(await win_rate(of[later], of[earlier], prompts, judge, seed=config.seed))
            _told(progress, f"{later} against {earlier}")(1, 1)
    return ExamResult(
        config=config,
        policies=tuple(policies),
        prompts=len(prompts),
        judge=(judge_name or "unnamed") if judge is not None else None,
        replies=tuple(replies),
        single=tuple(measure(name, of[name], seed=config.seed) for name in policies),
        scenes=tuple(
            measure(name, [r for p in plays if p.policy == name for r in _said(p)], seed=config.seed)
            for name in policies
            if plays
        ),
        plays=tuple(plays),
        win_rates=tuple(rates),
    )


def _refuse(policies: Mapping[str, ChatModel], prompts: Sequence[RLPrompt], config: ExamConfig) -> None:
    if not policies:
        raise InputError("an exam needs at least one policy; name one")
    if trained := next((p for p in prompts if p.split == "train"), None):
        raise InputError(f"prompt {trained.id!r} is of the training split; examine on valid or test prompts")
    if other := next((p for p in prompts if p.history_policy != config.history_policy), None):
        raise InputError(
            f"prompt {other.id!r} was made under {other.history_policy!r}, the exam runs under "
            f"{config.history_policy!r}; give both the same history policy"
        )
    if other := next((p for p in prompts if p.system_thinking != config.system_thinking), None):
        made, run = ("with" if asked else "without" for asked in (other.system_thinking, config.system_thinking))
        raise InputError(
            f"prompt {other.id!r} was made {made} system thinking, the exam runs {run} it; give both the same setting"
        )


async def _answer(policy: str, actor: Actor, prompt: RLPrompt, index: int) -> Reply:
    spoken = await actor.speak(
        prompt.scene, prompt.history, prompt.character, turn_id=prompt.turn_id, sample_index=index
    )
    return as_reply(
        spoken,
        policy=policy,
        cluster=prompt.scene.id,
        prompt_id=prompt.id,
        sample_index=index,
        character=prompt.character,
    )


async def _stage(policy: str, actor: Actor, scene: Scene, opening: Sequence[Turn], config: ExamConfig) -> PlayedScene:
    played = await play(
        scene, dict.fromkeys(scene.names(), actor), rounds=config.rounds, seed=config.seed, opening=opening
    )
    return PlayedScene(policy=policy, played=played)


def _said(scene: PlayedScene) -> list[Reply]:
    where = scene.played.dialogue
    return [
        as_reply(
            move.spoken,
            policy=scene.policy,
            cluster=where.scene.id,
            prompt_id=f"{where.id}:{move.turn_id}",
            sample_index=0,
            character=move.call.name,
        )
        for move in scene.played.moves
        if move.spoken is not None
    ]


def _told(progress: Callable[[str, int, int], None] | None, what: str) -> Callable[[int, int], None]:
    return (lambda done, of: None) if progress is None else (lambda done, of: progress(what, done, of))


async def _all(jobs: Sequence[Coroutine[Any, Any, T]], limit: int, told: Callable[[int, int], None]) -> list[T]:
    """Run jobs, at most `limit` at once, results in order. The first error ends the rest and rises as it is."""
    gate = asyncio.Semaphore(limit)
    done = 0

    async def run(job: Coroutine[Any, Any, T]) -> T:
        nonlocal done
        async with gate:
            result = await job
        done += 1
        told(done, len(jobs))
        return result

    tasks = [asyncio.create_task(run(job)) for job in jobs]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in jobs:
            job.close()  # one that was cancelled at the gate has never started
        raise
