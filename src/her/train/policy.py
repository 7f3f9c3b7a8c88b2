"""Policy RL: GRPO on the SFT adapter, rewarded group by group (HER §3.3, §5).

Owns settings, resume, the live figures, the record of rollouts and the result of a collapse. What a reply is worth is
decided by `her.reward`, what a collapse is by `guard.py`; what is sampled is scored, token for token. Departs from the
paper in scale; its clip-higher (DAPO) is set and without effect here (see `PolicyConfig.epsilon_high`).
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field

from her.errors import TrainError
from her.reward.group import RewardedReply
from her.schema import Record, RLPrompt
from her.store import sha256_file, write_json, write_text
from her.train import engine
from her.train.batches import plan_rows
from her.train.checkpoint import fingerprint, last_whole
from her.train.guard import Collapse, GuardConfig, Health, collapse
from her.train.processes import led, processes
from her.train.progress import Progress, silent
from her.train.samplers import Sampler, check_sampler
from her.train.sft import PROJECTIONS, save_adapter


class PolicyConfig(Record):
    """How the policy is trained. The defaults are for a 135M model on two CPU cores."""

    steps: int = Field(default=10, gt=0)
    prompts_per_step: int = Field(default=2, gt=0)
    """Over all processes; a multiple of their number, for a group is written in one."""
    group_size: int = Field(default=4, gt=1)
    max_completion_tokens: int = Field(default=128, gt=0)
    max_prompt_tokens: int = Field(default=1024, gt=0)
    """Longer prompts are left out, and counted."""
    temperature: float = Field(default=1.0, gt=0)
    learning_rate: float = Field(default=5e-5, gt=0)
    loss_type: Literal["dapo", "grpo", "dr_grpo", "bnpo", "cispo"] = "dapo"
    epsilon: float = Field(default=0.2, gt=0)
    """Lower clip of the ratio of new to old probability. No effect here: see `epsilon_high`."""
    epsilon_high: float = Field(default=0.28, gt=0)
    """Upper clip; above `epsilon` it is DAPO's clip-higher. No effect here: each batch is used for one optimiser step,
    so the ratio is always 1 and nothing is ever clipped."""
    scale_rewards: Literal["batch", "none"] = "batch"
    """Not by group: dividing a group by its own deviation turns noise into full-size rewards."""
    mask_truncated: bool = True
    """A reply that was cut off teaches nothing."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    rank: int = Field(default=16, gt=0)
    """Of a fresh adapter, where none is continued."""
    alpha: int = Field(default=32, gt=0)
    guard: GuardConfig = GuardConfig()
    sampler: Sampler = Sampler()
    """Who writes the replies."""
    save_every: int = Field(default=2, gt=0)
    seed: int = 0


class GroupReward(Protocol):
    """What a reply is worth beside the others to the same prompt. `her.reward.GroupReward` is one."""

    async def __call__(
        self, prompt: RLPrompt, texts: list[str], finish_reasons: list[Literal["stop", "length"]]
    ) -> Sequence[RewardedReply]: ...


class Rollout(Record):
    """One sampled reply, raw. System thinking is in it: a training artefact, never a log."""

    step: int
    prompt_id: str
    text: str
    finish_reason: Literal["stop", "length"]
    reward: float | None
    gated: str | None


class PolicyStep(Health):
    """One step, live and in the result."""

    reward: float | None
    """Mean of the known rewards; None where none is known."""
    unknown: int
    """Replies without a reward: excluded from the loss."""
    truncated: int
    groups: int
    flat_groups: int
    """Groups whose known rewards do not differ: they teach nothing."""
    games: int
    """Games read, counted once for each reply in them."""
    unread: int
    """Games that could not be read, counted the same way."""
    completion_tokens: float
    """Mean length."""
    token_entropy: float | None
    """Mean over completion tokens, nats."""
    loss: float
    seconds: float


class Rollback(Record):
    """A collapse, and where the run was taken back to."""

    collapse: Collapse
    to: int
    """Step of the adapter that is the result; 0: the adapter that training began from."""


class PolicyJob(Record):
    """What every process of a run is told."""

    kind: Literal["policy"] = "policy"
    config: PolicyConfig
    base: Path
    adapter: Path | None
    prompts: tuple[RLPrompt, ...]
    out: Path
    run: str
    """Fingerprint of the run."""
    resume: Path | None
    """The checkpoint to go on from."""


class PolicyResult(Record):
    """What a run did. `out/peft` and `out/adapter.gguf` hold the adapter, `out/rollouts.jsonl` what was sampled."""

    steps: int
    prompts: int
    prompts_too_long: int
    curve: tuple[PolicyStep, ...]
    rollback: Rollback | None
    """None: no collapse, or the guard only watched."""
    trainable_parameters: int
    seconds: float
    resumed_from: int | None
    device: str
    peak_memory_mb: int

    @property
    def resumed(self) -> bool:
        return self.resumed_from is not None


def train_policy(
    config: PolicyConfig,
    *,
    base: Path,
    adapter: Path | None,
    prompts: Sequence[RLPrompt],
    reward: GroupReward,
    out: Path,
    witness: GroupReward | None = None,
    progress: Progress = silent,
) -> PolicyResult:
    """Go on training `adapter` (a PEFT folder; None starts a fresh one) with rewards for whole groups.

    `witness` rewards by a judge that the training does not hear; the guard compares (`guard.py`). After a collapse the
    result is the last adapter at which nothing was alarming.

    Goes on from the last whole checkpoint below `out` if settings, prompts and model are the same, whatever the number
    of processes was. A change of the reward cannot be seen from here: use another `out`.
    """
    if not prompts:
        raise TrainError(f"no prompts to train {out} on; look at the data stage's rejects")
    processes().share(config.prompts_per_step, "prompts_per_step")
    check_sampler(config.sampler)
    started = time.monotonic()
    facts = (config.model_dump(mode="json"), base.name, sha256_file(adapter) if adapter else None)
    run = fingerprint(*facts, *([p.id, [m.model_dump() for m in p.messages]] for p in prompts))
    checkpoints, rollouts = out / "checkpoints", out / "rollouts.jsonl"
    with engine.engine_errors(out), engine.quiet():
        from her.train.group_trainer import curve_of
        from her.train.reward_bridge import fitting

        usable = len(fitting(prompts, engine.load_tokenizer(base), most=config.max_prompt_tokens))
        if not usable:
            raise TrainError(f"every prompt is longer than {config.max_prompt_tokens} tokens; raise max_prompt_tokens")
        checkpoints.mkdir(parents=True, exist_ok=True)
        resume = last_whole(checkpoints, run)
        resumed_from = int(resume.name.removeprefix("checkpoint-")) if resume else None
        keep_rollouts(rollouts, until=resumed_from or 0)
        job = PolicyJob(
            config=config, base=base, adapter=adapter, prompts=tuple(prompts), out=out, run=run, resume=resume
        )
        with led(job):
            trainer, way_back, state = run_policy(job, reward=reward, witness=witness, progress=progress)
        curve = curve_of(trainer.state)
        found = collapse(curve, config.guard) if config.guard.on_collapse == "roll_back" else None
        result = PolicyResult(
            steps=int(trainer.state.global_step),
            prompts=usable,
            prompts_too_long=len(prompts) - usable,
            curve=tuple(curve),
            rollback=Rollback(collapse=found, to=way_back.go(before=found.since)) if found else None,
            trainable_parameters=engine.trainable_parameters(trainer.model),
            seconds=time.monotonic() - started,
            resumed_from=resumed_from,
            device=engine.placement().device,
            peak_memory_mb=engine.peak_memory_mb(),
        )
        save_adapter(trainer.model, base=base, out=out, state=state)
    write_json(out / "training.json", result.model_dump(mode="json"))
    return result


def run_policy(
    job: PolicyJob,
    *,
    reward: GroupReward | None = None,
    witness: GroupReward | None = None,
    progress: Progress = silent,
) -> tuple[Any, Any, Any]:
    """Train, in every process of the run; the first alone has a reward.

    Returns the trainer, its way back, and `engine.whole_state`."""
    from her.train.group_trainer import build_trainer
    from her.train.reward_bridge import fitting
    from her.train.way_back import WayBack

    config = job.config
    tokenizer = engine.load_tokenizer(job.base)
    usable = fitting(job.prompts, tokenizer, most=config.max_prompt_tokens)
    plan = plan_rows(len(usable), wanted=config.steps * config.prompts_per_step, seed=config.seed)
    trainer = build_trainer(
        config,
        base=job.base,
        adapter=job.adapter,
        tokenizer=tokenizer,
        ordered=[usable[i] for i in plan],
        reward=reward,
        witness=witness,
        rollouts=job.out / "rollouts.jsonl",
        checkpoints=job.out / "checkpoints",
        run=job.run,
        progress=progress,
        place=engine.placement(),
        targets=PROJECTIONS,
    )
    fresh = job.resume is None and processes().first
    way_back = WayBack(trainer.model, job.out / "healthy", fresh=fresh)
    trainer.train(resume_from_checkpoint=str(job.resume) if job.resume else None)
    return trainer, way_back, engine.whole_state(trainer)


def keep_rollouts(path: Path, *, until: int) -> None:
    """Drop the rollouts of steps that will be done again."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= until:
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue  # a line cut short by a kill belongs to a step that is done again
    write_text(path, "".join(f"{line}\n" for line in kept))
