"""A trained adapter folded into its base: one Hugging Face folder that every engine opens without PEFT.

Owns the merge. The folder holds safetensors, the tokenizer and its chat template, in the base's own precision.
"""

from pathlib import Path
from typing import Any

from her.errors import TrainError
from her.train import engine


def merge(base: Path, peft: Path, out: Path) -> None:
    """Write into the folder `out`."""
    with engine.engine_errors(out), engine.quiet():
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        if not (peft / "adapter_config.json").is_file():
            raise TrainError(f"{peft} holds no adapter; name a trained model")
        tokenizer = engine.load_tokenizer(base)
        model: Any = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
        model = PeftModel.from_pretrained(model, peft).merge_and_unload()
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
