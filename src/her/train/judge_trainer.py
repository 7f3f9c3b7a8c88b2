"""The trainer behind `judge_rl.py`: the group trainer, with verdicts for replies and a judge's figures.

Owns how it is put together and what happens after each step. Imported only by `her.train.judge_rl`, after the engine
was prepared.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from her.errors import TrainError
from her.reward.brief import Brief
from her.train.checkpoint import mark_whole
from her.train.clock import StepClock
from her.train.engine import Placement
from her.train.group_trainer import GroupTrainer, assemble
from her.train.judge_bridge import Asked, JudgeBridge, JudgeStep, step_of
from her.train.judge_guard import judge_alarms, judge_sick
from her.train.judge_rl import JudgeRLConfig
from her.train.progress import Progress
from her.train.sft import PROJECTIONS
from her.train.way_back import keep


class _Watch(TrainerCallback):
    """One JudgeStep per step into the state (so that a resumed run has them all), and a marker on each checkpoint."""

    def __init__(self, config: JudgeRLConfig, bridge: JudgeBridge, progress: Progress, run: str, healthy: Path) -> None:
        self.config, self.bridge, self.run, self.healthy = config, bridge, run, healthy
        self.clock = StepClock("judge", progress)
        self.since = time.monotonic()
        self.curve: list[JudgeStep] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.start()
        self.since = time.monotonic()
        self.curve = curve_of(state)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs or not self.bridge.seen:
            return
        now = time.monotonic()
        entropy = logs.get("entropy")
        step = step_of(self.bridge, state.global_step, logs["loss"], entropy=entropy, seconds=now - self.since)
        self.since = now
        self.bridge.seen.clear()
        state.log_history.append({"step": state.global_step, "her_judge_step": step.model_dump(mode="json")})
        if not math.isfinite(step.loss):
            raise TrainError(f"the loss became {step.loss} at step {step.step}; lower `learning_rate`")
        self.curve.append(step)
        figures = {
            "loss": step.loss,
            "reward": step.reward,
            "right": step.right,
            "both_right": step.both_right,
            "faulty": sum(step.faults.values()) / step.verdicts,
            "flat_groups": float(step.flat_groups),
            "completion_tokens": step.completion_tokens,
            "alarms": float(len(judge_alarms(self.curve, self.config.guard))),
        }
        if step.read:
            figures["mixed"] = step.mixed / step.read
        if step.decided:
            figures["first_place"] = step.first / step.decided
        if self.config.guard.on_collapse == "roll_back" and judge_sick(self.curve, self.config.guard):
            control.should_training_stop = True
        self.clock.tell(state.global_step, state.max_steps, figures)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        mark_whole(checkpoint, self.run)
        if not judge_alarms(self.curve, self.config.guard):
            keep(checkpoint, self.healthy, step=state.global_step)


def curve_of(state: Any) -> list[JudgeStep]:
    """Every step's figures, those before a resume included."""
    return [JudgeStep.model_validate(e["her_judge_step"]) for e in state.log_history if "her_judge_step" in e]


def build_judge_trainer(
    config: JudgeRLConfig,
    *,
    base: Path,
    adapter: Path | None,
    tokenizer: Any,
    ordered: Sequence[Asked],
    brief: Brief,
    rollouts: Path,
    checkpoints: Path,
    run: str,
    progress: Progress,
    place: Placement,
) -> GroupTrainer:
    """A trainer over `ordered`: the questions of each step, both orders of a pair next to each other."""
    bridge = JudgeBridge(
        ordered, tokenizer, brief=brief, size=config.group_size, malformed=config.malformed, rollouts=rollouts
    )
    return assemble(
        config.engine(),
        base=base,
        adapter=adapter,
        tokenizer=tokenizer,
        ordered=ordered,
        bridge=bridge,
        watch=_Watch(config, bridge, progress, run, checkpoints.with_name("healthy")),
        checkpoints=checkpoints,
        place=place,
        targets=PROJECTIONS,
    )
