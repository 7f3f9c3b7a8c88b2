"""A trained adapter folded into its base: one Hugging Face folder that every engine opens without PEFT.

Owns the merge. The folder holds safetensors, the tokenizer and its chat template, in the base's own precision.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from her.errors import TrainError
from her.train import engine
from her.train.checkpoint import replace_folder


def merge(base: Path, peft: Path, out: Path) -> None:
    """Write `out`, whole or not at all; an older one is replaced."""
    with engine.engine_errors(out), engine.quiet():
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        if not (peft / "adapter_config.json").is_file():
            raise TrainError(f"{peft} holds no adapter; name a trained model")
        tokenizer = engine.load_tokenizer(base)
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
        work.chmod(0o755)
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
            model = PeftModel.from_pretrained(model, peft).merge_and_unload()
            model.save_pretrained(work)
            tokenizer.save_pretrained(work)
            replace_folder(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
