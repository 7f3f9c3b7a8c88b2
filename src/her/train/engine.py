"""The training engine kept quiet, offline and honest about failure.

Owns what must be set before torch and TRL are used, where a run takes place (CPU or GPU, precision), how a base model
is loaded, and how an engine's error becomes ours. Knows no loss and no data.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator
from logging import getLogger
from pathlib import Path
from typing import Any

from her.errors import HerError, StoreError, TrainError
from her.schema import Record
from her.train.processes import processes

_FULL_DISK = (
    "No space left",
    "file write failed",
    "failed writing file",
    "Disk quota",
    "unexpected pos",
    "os error 28",
)


class Placement(Record):
    """Where and how exactly a run computes."""

    device: str
    """`cpu` or `cuda`."""
    bf16: bool
    """False on a CPU: without AMX, bf16 matrix products are three times slower than fp32 (measured)."""


def placement() -> Placement:
    """A GPU where there is one, with bf16 if it can; else the CPU in fp32."""
    import torch

    if torch.cuda.is_available():
        return Placement(device="cuda", bf16=torch.cuda.is_bf16_supported())
    return Placement(device="cpu", bf16=False)


def prepare() -> None:
    """Before the first import of transformers: no hub, no telemetry, no trackers."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "WANDB_DISABLED", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Neither bars nor warnings of the engine reach the terminal; afterwards everything is as before."""
    prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets  # type: ignore[import-untyped]
        import transformers

        logging: Any = transformers.utils.logging
        level = logging.get_verbosity()
        loggers = {name: getLogger(name).level for name in ("trl", "accelerate", "peft")}
        for name in loggers:
            getLogger(name).setLevel("ERROR")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        datasets.disable_progress_bars()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            for name, before in loggers.items():
                getLogger(name).setLevel(before)


@contextlib.contextmanager
def engine_errors(out: Path) -> Iterator[None]:
    """Errors of the engine as ours: what, where, what next. Ctrl-C passes through; the last checkpoint stays."""
    try:
        yield
    except HerError:
        raise
    except MemoryError as e:
        raise TrainError(f"out of memory while training into {out}; lower `batch` or `max_tokens`") from e
    except OSError as e:
        raise _store_error(out, e) from e
    except Exception as e:
        text = str(e)
        if any(sign in text for sign in _FULL_DISK):
            raise _store_error(out, e) from e
        if "out of memory" in text.lower() or "can't allocate memory" in text:
            raise TrainError(f"out of memory while training into {out}; lower `batch` or `max_tokens`") from e
        raise


def _store_error(out: Path, e: Exception) -> StoreError:
    reason = getattr(e, "strerror", None) or e
    next_step = "free space or rights, then run the same again: it goes on from the last checkpoint"
    return StoreError(f"cannot write below {out}: {reason}; {next_step}")


def arguments(
    *, checkpoints: Path, place: Placement, seed: int, save_every: int, max_grad_norm: float
) -> dict[str, Any]:
    """What every trainer here is told: one step a log, checkpoints that can be gone on from, no trackers, no bars."""
    processes().refuse_unled()
    return {
        "output_dir": str(checkpoints),
        "max_grad_norm": max_grad_norm,
        "optim": "adamw_torch",
        "seed": seed,
        "data_seed": seed,
        "bf16": place.bf16,
        "use_cpu": place.device == "cpu",
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": save_every,
        "save_total_limit": 2,
        "eval_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,
    }


def load_tokenizer(base: Path) -> Any:
    """The tokenizer of a base folder, checked for what training needs."""
    from transformers import AutoTokenizer

    if not (base / "config.json").is_file():
        raise TrainError(f"{base} is not a Hugging Face model folder; name a trainable model")
    tokenizer = AutoTokenizer.from_pretrained(base)
    if tokenizer.eos_token_id is None or not tokenizer.chat_template:
        raise TrainError(f"the tokenizer in {base} has no end of turn or no chat template; use an instruct model")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_policy(base: Path, *, adapter: Path | None, lora: Any, place: Placement) -> Any:
    """The base with a trainable adapter: a given one goes on, otherwise a fresh one that changes nothing yet."""
    import torch
    from peft import PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if place.bf16 else torch.float32
    model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, attn_implementation="sdpa")
    if adapter is None:
        return get_peft_model(model, lora)
    if not (adapter / "adapter_config.json").is_file():
        raise TrainError(f"{adapter} holds no adapter; name the `peft` folder of a trained model")
    return PeftModel.from_pretrained(model, adapter, is_trainable=True)


def trainable_parameters(model: Any) -> int:
    """How many numbers the optimiser may change."""
    return sum(int(p.numel()) for p in model.parameters() if p.requires_grad)


def whole_state(trainer: Any) -> Any:
    """Where weights are sharded, all of them, put together in the first process; None where each process has them.

    Every process must call it."""
    return trainer.accelerator.get_state_dict(trainer.model_wrapped) if sharded(trainer) else None


def sharded(trainer: Any) -> bool:
    """Are the weights of a trainer spread over processes, so that reading them takes all?"""
    plugin = trainer.accelerator.state.deepspeed_plugin
    return bool(trainer.is_fsdp_enabled or (plugin is not None and plugin.zero_stage == 3))


def peak_memory_mb() -> int:
    """The most memory this process has held at once, so far."""
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
