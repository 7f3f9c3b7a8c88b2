"""LabelTrainer: TRL's SFT trainer, told to compute logits only where labels are.

Owns the loss, the collation and the callbacks. TRL's CPU path projects every position onto the vocabulary; labels cover
only the last turn, so here rows are packed and the head sees the places before labels alone. A step's loss is the mean
over its label tokens, in however many processes they are. Imported only by `her.train.sft`, after the engine was
prepared.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from peft import LoraConfig
from torch.utils.data import SequentialSampler
from transformers import AutoConfig, PrinterCallback, Trainer, TrainerCallback
from trl.trainer.sft_config import SFTConfig as TRLConfig
from trl.trainer.sft_trainer import SFTTrainer

from her.errors import TrainError
from her.renderers.tokens import IGNORED, Encoded
from her.train.checkpoint import mark_whole
from her.train.clock import StepClock
from her.train.engine import Placement, arguments, load_policy, load_tokenizer
from her.train.packing import Packed, mask_of, pack
from her.train.processes import processes
from her.train.progress import Progress
from her.train.sft import SFTConfig, first_label


class LabelTrainer(SFTTrainer):
    """Loss over labelled positions; samples in the order given."""

    valid_rows: list[tuple[Encoded, ...]]

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        losses, labels = label_losses(model, inputs)
        if num_items_in_batch is None:
            return losses / labels
        # The count is of all processes, and gradients are averaged over them.
        return losses * self.accelerator.num_processes / num_items_in_batch

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> SequentialSampler:
        rows: Any = self.train_dataset
        return SequentialSampler(rows)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # TRL's own override writes a model card into every checkpoint.
        Trainer._save_checkpoint(self, model, trial)

    def held_out_losses(self) -> list[list[float]]:
        """One entry per held-out sample, in the rows' order: summed nats and label tokens.

        Processes take turns at the rows; the last to have none reads one again, for sharded weights need every reader.
        """
        model: Any = self.model
        was_training = model.training
        model.eval()
        here, rows = processes(), self.valid_rows
        turns = range(here.rank, -(-len(rows) // here.size) * here.size, here.size)
        with torch.no_grad(), self.compute_loss_context_manager():
            mine = [self._row_losses(model, rows[min(i, len(rows) - 1)]) for i in turns]
        model.train(was_training)
        theirs = [json.loads(text) for text in here.gather(json.dumps(mine))]
        return [entry for i in range(len(rows)) for entry in theirs[i % here.size][i // here.size]]

    def _row_losses(self, model: Any, row: Sequence[Encoded]) -> list[list[float]]:
        packed = pack([(s.input_ids, first_label(s)) for s in row])
        tensors = {k: v.to(self.args.device) for k, v in tensors_of(packed).items()}
        losses_K = label_losses(model, tensors, reduction="none")[0].double().cpu()
        owner_K = torch.tensor(packed.owner)
        sums_S = torch.zeros(len(row), dtype=torch.double).index_add_(0, owner_K, losses_K)
        counts_S = torch.bincount(owner_K, minlength=len(row))
        return [[float(a), int(b)] for a, b in zip(sums_S, counts_S, strict=True)]

    def held_out_curve(self) -> list[tuple[int, list[list[float]]]]:
        log: list[dict[str, Any]] = self.state.log_history
        return [(int(e["step"]), e["held_out_losses"]) for e in log if "held_out_losses" in e]


def label_losses(model: Any, inputs: dict[str, torch.Tensor], *, reduction: str = "sum") -> tuple[torch.Tensor, int]:
    """Losses of a packed row, summed or one per label, and the number of labels."""
    logits_K_V = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        position_ids=inputs["position_ids"],
        logits_to_keep=inputs["score_at"],
        use_cache=False,
    ).logits[0]
    losses = torch.nn.functional.cross_entropy(logits_K_V.float(), inputs["labels"][0], reduction=reduction)
    return losses, int(inputs["labels"].shape[1])


def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """One row of samples as tensors. `labels` are the targets alone, and none where the row does not count.

    The trainer counts them under the name that says that they are aligned already: else it leaves the first out.
    """
    (row,) = rows
    tensors = tensors_of(pack([(s.input_ids, first_label(s)) for s in row["samples"]]))
    if not row["counts"]:
        tensors["labels"] = torch.full_like(tensors["labels"], IGNORED)
    return {**tensors, "shift_labels": tensors["labels"]}


def tensors_of(packed: Packed) -> dict[str, torch.Tensor]:
    """What a model's forward wants of a packed row."""
    return {
        "input_ids": torch.tensor([packed.input_ids]),
        "attention_mask": mask_of(packed),
        "position_ids": torch.tensor([packed.positions]),
        "score_at": torch.tensor(packed.score_at),
        "labels": torch.tensor([packed.targets]),
    }


class Rows(torch.utils.data.Dataset[dict[str, Any]]):
    """The run's rows in order, as `deal` made them. Not a table: samples stay the records they are."""

    def __init__(self, rows: Sequence[tuple[tuple[Encoded, ...], bool]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        samples, counts = self.rows[number]
        return {"samples": samples, "counts": counts}


class _Watch(TrainerCallback):
    """Held-out loss at the right moments, progress after each step, a marker on each whole checkpoint."""

    def __init__(self, config: SFTConfig, progress: Progress, run: str) -> None:
        self.config, self.run = config, run
        self.clock = StepClock("sft", progress)
        self.trainer: LabelTrainer | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.start()
        if state.global_step == 0:
            self._measure(state)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise TrainError(f"the loss became {loss} at step {state.global_step}; lower `learning_rate`")
        self.clock.tell(state.global_step, state.max_steps, {"loss": loss})

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        every = self.config.eval_every
        if state.global_step == state.max_steps or (every and state.global_step % every == 0):
            self._measure(state)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        here = processes()
        here.wait()  # each writes a part
        if here.first:
            mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}", self.run)

    def _measure(self, state: Any) -> None:
        assert self.trainer is not None
        if self.trainer.valid_rows:
            state.log_history.append({"step": state.global_step, "held_out_losses": self.trainer.held_out_losses()})


def last_layers(base: Path, count: int | None) -> list[int] | None:
    """Numbers of the last `count` layers; None for all."""
    if count is None:
        return None
    total = int(AutoConfig.from_pretrained(base).num_hidden_layers)
    if count > total:
        raise TrainError(f"top_layers={count}, but {base.name} has {total} layers; lower it")
    return list(range(total - count, total))


def build_trainer(
    config: SFTConfig,
    *,
    base: Path,
    adapter: Path | None,
    ordered: Sequence[tuple[tuple[Encoded, ...], bool]],
    valid: Sequence[tuple[Encoded, ...]],
    checkpoints: Path,
    run: str,
    progress: Progress,
    place: Placement,
) -> LabelTrainer:
    """A trainer over `ordered`: the whole run's rows as `deal` made them, at which the processes take turns."""
    torch.manual_seed(config.seed)
    tokenizer = load_tokenizer(base)
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=list(config.targets),
        layers_to_transform=last_layers(base, config.top_layers),
        task_type="CAUSAL_LM",
    )
    model = load_policy(base, adapter=adapter, lora=lora, place=place)
    settings = TRLConfig(
        **arguments(
            checkpoints=checkpoints,
            place=place,
            seed=config.seed,
            save_every=config.save_every,
            max_grad_norm=config.max_grad_norm,
        ),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=-(-config.grad_accum // processes().size),
        num_train_epochs=1,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        dataloader_pin_memory=place.device != "cpu",
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    watch = _Watch(config, progress, run)
    trainer = LabelTrainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list([{"labels": []}]),
        processing_class=tokenizer,
        data_collator=collate,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train_dataset = Rows(ordered)  # TRL's constructor takes tables only
    watch.trainer = trainer
    trainer.valid_rows = list(valid)
    return trainer
