"""Reinforcement learning of a judge: GRPO on its written verdicts, after supervised training (HER §4.1, phase 2).

Owns settings, resume, the live figures and the result of a collapse. What is rewarded is `judge_bridge.py`'s, what a
collapse is `judge_guard.py`'s. The rules of an independent judge are written beforehand and stand in its questions:
only the verdict is rewarded, so nothing pulls its principles towards the replies.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from her.errors import TrainError
from her.reward.brief import Brief
from her.reward.lessons import Question
from her.schema import Record
from her.store import sha256_file, write_json
from her.train import engine
from her.train.batches import plan_rows
from her.train.checkpoint import fingerprint, last_whole
from her.train.judge_bridge import JudgeStep, fitting
from her.train.judge_guard import JudgeCollapse, JudgeGuardConfig, judge_collapse
from her.train.policy import PolicyConfig, keep_rollouts
from her.train.progress import Progress, silent
from her.train.sft import save_adapter


class JudgeRLConfig(Record):
    """How a judge is trained by its verdicts. The defaults are for a 135M model on two CPU cores."""

    steps: int = Field(default=10, gt=0)
    pairs_per_step: int = Field(default=1, gt=0)
    """Each in both orders, a group each."""
    group_size: int = Field(default=4, gt=1)
    """Verdicts sampled of each order."""
    max_completion_tokens: int = Field(default=160, gt=0)
    max_prompt_tokens: int = Field(default=1024, gt=0)
    """Pairs with a longer question are left out, and counted."""
    temperature: float = Field(default=1.0, gt=0)
    learning_rate: float = Field(default=5e-5, gt=0)
    loss_type: Literal["dapo", "grpo", "dr_grpo", "bnpo", "cispo"] = "dapo"
    malformed: float = Field(default=-0.5, le=0)
    """Reward of a verdict that does not count: cut off, unreadable, without findings, or against all of them."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    rank: int = Field(default=16, gt=0)
    """Of a fresh adapter, where none is continued."""
    alpha: int = Field(default=32, gt=0)
    guard: JudgeGuardConfig = JudgeGuardConfig()
    save_every: int = Field(default=2, gt=0)
    seed: int = 0

    def engine(self) -> PolicyConfig:
        """What the group trainer is told: verdicts are replies, orders are prompts."""
        return PolicyConfig(
            steps=self.steps,
            prompts_per_step=2 * self.pairs_per_step,
            group_size=self.group_size,
            max_completion_tokens=self.max_completion_tokens,
            max_prompt_tokens=self.max_prompt_tokens,
            temperature=self.temperature,
            learning_rate=self.learning_rate,
            loss_type=self.loss_type,
            mask_truncated=False,
            max_grad_norm=self.max_grad_norm,
            rank=self.rank,
            alpha=self.alpha,
            save_every=self.save_every,
            seed=self.seed,
        )


class JudgeRollback(Record):
    """A collapse, and where the run was taken back to."""

    collapse: JudgeCollapse
    to: int
    """Step of the adapter that is the result; 0: the adapter that training began from."""


class JudgeRLResult(Record):
    """What a run did. `out/peft` and `out/adapter.gguf` hold the adapter, `out/rollouts.jsonl` every verdict."""

    steps: int
    pairs: int
    pairs_too_long: int
    curve: tuple[JudgeStep, ...]
    rollback: JudgeRollback | None
    trainable_parameters: int
    seconds: float
    resumed_from: int | None
    device: str
    peak_memory_mb: int


def train_judge_rl(
    config: JudgeRLConfig,
    *,
    base: Path,
    adapter: Path | None,
    questions: Sequence[Question],
    brief: Brief,
    out: Path,
    progress: Progress = silent,
) -> JudgeRLResult:
    """Go on training `adapter` (a PEFT folder; None starts a fresh one) by the verdicts it writes.

    `questions` hold both orders of each pair, next to each other. Goes on from the last whole checkpoint below `out` if
    settings, questions and model are the same.
    """
    if not questions:
        raise TrainError(f"no questions to train {out} on; look at the rejects of the lessons")
    started = time.monotonic()
    facts = (config.model_dump(mode="json"), brief.model_dump(mode="json"), base.name)
    weights = sha256_file(adapter) if adapter else None
    run = fingerprint(*facts, weights, *(q.model_dump(mode="json") for q in questions))
    checkpoints, rollouts = out / "checkpoints", out / "rollouts.jsonl"
    with engine.engine_errors(out), engine.quiet():
        from her.train.judge_trainer import build_judge_trainer, curve_of
        from her.train.way_back import WayBack

        tokenizer = engine.load_tokenizer(base)
        usable = fitting(questions, tokenizer, most=config.max_prompt_tokens)
        if not usable:
            raise TrainError(f"every question has over {config.max_prompt_tokens} tokens; raise max_prompt_tokens")
        plan = plan_rows(len(usable), wanted=config.steps * config.pairs_per_step, seed=config.seed)
        checkpoints.mkdir(parents=True, exist_ok=True)
        resume = last_whole(checkpoints, run)
        resumed_from = int(resume.name.removeprefix("checkpoint-")) if resume else None
        keep_rollouts(rollouts, until=resumed_from or 0)
        place = engine.placement()
        trainer = build_judge_trainer(
            config,
            base=base,
            adapter=adapter,
            tokenizer=tokenizer,
            ordered=[order for i in plan for order in usable[i]],
            brief=brief,
            rollouts=rollouts,
            checkpoints=checkpoints,
            run=run,
            progress=progress,
            place=place,
        )
        way_back = WayBack(trainer.model, out / "healthy", fresh=resume is None)
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        curve = curve_of(trainer.state)
        found = judge_collapse(curve, config.guard) if config.guard.on_collapse == "roll_back" else None
        result = JudgeRLResult(
            steps=int(trainer.state.global_step),
            pairs=len(usable),
            pairs_too_long=len(questions) // 2 - len(usable),
            curve=tuple(curve),
            rollback=JudgeRollback(collapse=found, to=way_back.go(before=found.since)) if found else None,
            trainable_parameters=engine.trainable_parameters(trainer.model),
            seconds=time.monotonic() - started,
            resumed_from=resumed_from,
            device=place.device,
            peak_memory_mb=engine.peak_memory_mb(),
        )
        save_adapter(trainer.model, base=base, out=out)
    write_json(out / "training.json", result.model_dump(mode="json"))
    return result
