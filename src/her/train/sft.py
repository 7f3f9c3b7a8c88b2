"""Supervised fine-tuning: a LoRA adapter from samples whose ids and labels were made elsewhere (HER §2.5, §4.1).

Owns settings, resume and what is reported. The labels decide what is learnt; nothing here renders, masks or truncates.
The same function trains the policy and the judge: both are targets behind a prompt.
"""

import json
import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from her.errors import TrainError
from her.renderers.tokens import Encoded
from her.schema import Record
from her.stats import Estimate, clustered_ratio
from her.store import sha256_file, write_json
from her.train import engine
from her.train.batches import deal, plan_rows
from her.train.checkpoint import fingerprint, last_whole, replace_folder
from her.train.packing import families
from her.train.processes import led, processes
from her.train.progress import Progress, silent

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class SFTConfig(Record):
    """How an adapter is trained. The defaults are for a 135M model, about 100 samples and two CPU cores."""

    rank: int = Field(default=16, gt=0)
    alpha: int = Field(default=32, gt=0)
    targets: tuple[str, ...] = PROJECTIONS
    dropout: float = Field(default=0.0, ge=0, lt=1)
    learning_rate: float = Field(default=2.5e-3, gt=0)
    """High because LoRA starts from nothing and the run has few steps. On 96 gold turns, held out after 18 steps: 2.66
    against 2.70 with 1e-3."""
    epochs: float = Field(default=3.0, gt=0)
    """Two epochs brought 44 of 48 held-out replies into the format (temperature 0.7), the loss still falling."""
    max_steps: int | None = Field(default=None, gt=0)
    """In place of `epochs`."""
    batch: int = Field(default=4, gt=0)
    """Samples per forward pass, at most: those of one character in one dialogue share a row (`packing.py`)."""
    row_tokens: int = Field(default=1800, gt=0)
    """Tokens per forward pass, about: what memory is spent on (5.8 GB in all for 1,700 tokens of a 135M model)."""
    grad_accum: int = Field(default=1, gt=0)
    """Forward passes per optimiser step, over all processes. One: with few samples, more steps teach a format sooner
    than calmer ones."""
    top_layers: int | None = Field(default=None, gt=0)
    """Adapt only so many of the last layers: less is computed backwards. None adapts all."""
    max_tokens: int = Field(default=1024, gt=0)
    """Samples longer than this are refused: their targets must not be cut. The caller trims histories when encoding."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the learning rate rises; after that it falls along a cosine."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    eval_every: int = Field(default=0, ge=0)
    """Held-out loss every so many steps; 0 measures it before and after only."""
    save_every: int = Field(default=5, gt=0)
    """Checkpoint every so many steps: the most that a kill can cost."""
    seed: int = 0

    @model_validator(mode="after")
    def _projections(self) -> "SFTConfig":
        if unknown := [t for t in self.targets if t not in PROJECTIONS]:
            raise ValueError(f"targets are among {', '.join(PROJECTIONS)}, not {unknown[0]!r}")
        if not self.targets:
            raise ValueError("name at least one target")
        return self


class HeldOutSample(Record):
    """One held-out sample at one moment."""

    loss_sum: float
    """Nats, summed over its label tokens."""
    labels: int


class HeldOut(Record):
    """Held-out loss at one moment."""

    step: int
    loss: float
    """Nats per label token, mean over all label tokens."""
    samples: tuple[HeldOutSample, ...]
    """What the mean is made of, always in the same order."""

    def estimate(self, *, seed: int) -> Estimate:
        """The loss with an interval that resamples samples."""
        names = [str(i) for i in range(len(self.samples))]
        return clustered_ratio([s.loss_sum for s in self.samples], [s.labels for s in self.samples], names, seed=seed)


class SFTResult(Record):
    """What a run did. `out/peft` and `out/adapter.gguf` hold the adapter."""

    steps: int
    train_samples: int
    valid_samples: int
    samples_seen: int
    tokens_seen: int
    """Prompt and target tokens, shared beginnings counted for each sample."""
    label_tokens_seen: int
    trainable_parameters: int
    losses: tuple[float, ...]
    """Training loss of each step, nats per label token."""
    held_out: tuple[HeldOut, ...]
    """First before training, last after it; empty without held-out samples."""
    seconds: float
    """Of this process; a resumed run does not count what came before."""
    resumed_from: int | None
    """The step of the checkpoint from which this process went on."""
    device: str
    peak_memory_mb: int

    @property
    def resumed(self) -> bool:
        return self.resumed_from is not None

    @property
    def loss_before(self) -> float | None:
        """None: nothing was held out."""
        return self.held_out[0].loss if self.held_out else None

    @property
    def loss_after(self) -> float | None:
        """None: nothing was held out."""
        return self.held_out[-1].loss if self.held_out else None


class SFTJob(Record):
    """What every process of a run is told."""

    kind: Literal["sft"] = "sft"
    config: SFTConfig
    base: Path
    adapter: Path | None
    train: tuple[Encoded, ...]
    valid: tuple[Encoded, ...]
    out: Path
    run: str
    """Fingerprint of the run."""
    resume: Path | None
    """The checkpoint to go on from."""


def rows_of(config: SFTConfig, samples: Sequence[Encoded]) -> list[tuple[Encoded, ...]]:
    """Samples that share a forward pass."""
    sequences = [(s.input_ids, first_label(s)) for s in samples]
    return [
        tuple(samples[i] for i in group)
        for group in families(sequences, most=config.batch, row_tokens=config.row_tokens)
    ]


def steps_of(config: SFTConfig, rows: int) -> int:
    """Optimiser steps of a run over so many rows."""
    if config.max_steps is not None:
        return config.max_steps
    return max(1, math.ceil(rows * config.epochs / config.grad_accum))


def first_label(sample: Encoded) -> int:
    """Where the target begins. Labels are a prompt without and a target with, nothing in between."""
    return next(i for i, label in enumerate(sample.labels) if label != -100)


def train_sft(
    config: SFTConfig,
    *,
    base: Path,
    train: Sequence[Encoded],
    valid: Sequence[Encoded],
    out: Path,
    progress: Progress = silent,
    adapter: Path | None = None,
) -> SFTResult:
    """Train an adapter on `base` (a Hugging Face folder) and write it to `out`.

    Goes on from the last whole checkpoint below `out` if settings, samples and model are the same, whatever the number
    of processes was; `adapter` (a PEFT folder) is continued rather than a fresh one.
    """
    _refuse_bad_samples(config, [*train, *valid])
    if not train:
        raise TrainError(f"no samples to train {out} on; look at the data stage's rejects")
    started = time.monotonic()
    facts = (config.model_dump(mode="json"), base.name, sha256_file(adapter) if adapter else None)
    run = fingerprint(*facts, *([s.sample_id, s.input_ids, s.labels] for s in (*train, *valid)))
    checkpoints = out / "checkpoints"
    with engine.engine_errors(out), engine.quiet():
        checkpoints.mkdir(parents=True, exist_ok=True)
        resume = last_whole(checkpoints, run)
        job = SFTJob(
            config=config,
            base=base,
            adapter=adapter,
            train=tuple(train),
            valid=tuple(valid),
            out=out,
            run=run,
            resume=resume,
        )
        with led(job):
            trainer, state = run_sft(job, progress=progress)
        held_out = _held_out(trainer.held_out_curve())
        seen = [s for row in ordered_rows(job) for s in row]
        result = SFTResult(
            steps=int(trainer.state.global_step),
            train_samples=len(train),
            valid_samples=len(valid),
            samples_seen=len(seen),
            tokens_seen=sum(len(s.input_ids) for s in seen),
            label_tokens_seen=sum(label != -100 for s in seen for label in s.labels),
            trainable_parameters=engine.trainable_parameters(trainer.model),
            losses=tuple(float(e["loss"]) for e in trainer.state.log_history if "loss" in e),
            held_out=held_out,
            seconds=time.monotonic() - started,
            resumed_from=int(resume.name.removeprefix("checkpoint-")) if resume else None,
            device=engine.placement().device,
            peak_memory_mb=engine.peak_memory_mb(),
        )
        save_adapter(trainer.model, base=base, out=out, state=state)
    write_json(out / "training.json", result.model_dump(mode="json"))
    return result


def ordered_rows(job: SFTJob) -> list[tuple[Encoded, ...]]:
    """The whole run's rows in the order in which they are used."""
    rows = rows_of(job.config, job.train)
    wanted = steps_of(job.config, len(rows)) * job.config.grad_accum
    return [rows[i] for i in plan_rows(len(rows), wanted=wanted, seed=job.config.seed)]


def run_sft(job: SFTJob, *, progress: Progress = silent) -> tuple[Any, Any]:
    """Train, in every process of the run. Returns the trainer and `engine.whole_state`."""
    from her.train.label_trainer import build_trainer

    trainer = build_trainer(
        job.config,
        base=job.base,
        adapter=job.adapter,
        ordered=deal(ordered_rows(job), per_step=job.config.grad_accum, processes=processes().size),
        valid=rows_of(job.config, job.valid),
        checkpoints=job.out / "checkpoints",
        run=job.run,
        progress=progress,
        place=engine.placement(),
    )
    trainer.train(resume_from_checkpoint=str(job.resume) if job.resume else None)
    return trainer, engine.whole_state(trainer)


def save_adapter(model: Any, *, base: Path, out: Path, state: Any = None) -> None:
    """Write `out/peft` and, for architectures that llama.cpp can adapt, `out/adapter.gguf`.

    `state` is what `engine.whole_state` gave; None where the model itself is whole.
    """
    from her.train.adapter_gguf import export_adapter, exportable

    work = Path(tempfile.mkdtemp(dir=out, prefix=".peft-"))
    work.chmod(0o755)
    try:
        model.save_pretrained(work, state_dict=state)
        # The base's path says where it lay on this machine, which is nobody's business later.
        config_file = work / "adapter_config.json"
        config = json.loads(config_file.read_text(encoding="utf-8"))
        modules = sorted(config["target_modules"])  # a set in PEFT: its order changes from process to process
        write_json(config_file, {**config, "base_model_name_or_path": base.name, "target_modules": modules})
        (work / "README.md").unlink(missing_ok=True)
        if exportable(base):
            export_adapter(work, out / "adapter.gguf", base=base)
        replace_folder(work, out / "peft")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _held_out(curve: Sequence[tuple[int, list[list[float]]]]) -> tuple[HeldOut, ...]:
    return tuple(
        HeldOut(
            step=step,
            loss=sum(loss for loss, _ in found) / sum(labels for _, labels in found),
            samples=tuple(HeldOutSample(loss_sum=loss, labels=int(labels)) for loss, labels in found),
        )
        for step, found in curve
    )


def _refuse_bad_samples(config: SFTConfig, samples: Sequence[Encoded]) -> None:
    for s in samples:
        where = f"sample {s.sample_id!r}"
        if len(s.input_ids) != len(s.labels):
            raise TrainError(f"{where} has {len(s.input_ids)} ids but {len(s.labels)} labels; encode it again")
        if len(s.input_ids) > config.max_tokens:
            raise TrainError(
                f"{where} has {len(s.input_ids)} tokens, over max_tokens={config.max_tokens}; trim it first"
            )
        if all(label == -100 for label in s.labels):
            raise TrainError(f"{where} has no label, so nothing to learn from; encode it again")
        start = first_label(s)
        if start == 0 or s.labels[start:] != s.input_ids[start:]:
            raise TrainError(f"{where}: labels must be the ids of one target behind a prompt; encode it again")
