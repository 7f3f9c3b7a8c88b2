"""The way back from a collapse: the adapter at which nothing was alarming yet, kept beside the checkpoints.

Owns that copy. An adapter alone is small, so it outlives the checkpoints, of which only the newest are kept.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file

from her.errors import TrainError
from her.train.checkpoint import replace_folder

WEIGHTS = "adapter_model.safetensors"
_STEP = "step.txt"


def keep(checkpoint: Path, healthy: Path, *, step: int) -> None:
    """Copy a checkpoint's adapter, in place of an earlier one."""
    work = Path(tempfile.mkdtemp(dir=healthy.parent, prefix=".healthy-"))
    shutil.copy2(checkpoint / WEIGHTS, work / WEIGHTS)
    (work / _STEP).write_text(f"{step}\n", encoding="utf-8")
    replace_folder(work, healthy)


class WayBack:
    """Made before training begins; `go` puts the model back."""

    def __init__(self, model: Any, healthy: Path, *, fresh: bool) -> None:
        self.model, self.healthy = model, healthy
        if fresh:  # whatever lies there is of another run
            shutil.rmtree(healthy, ignore_errors=True)
        self.start = {name: weight.clone() for name, weight in get_peft_model_state_dict(model).items()}

    def go(self, *, before: int) -> int:
        """Load the kept adapter, or the one that training began from, and return its step."""
        step, weights = 0, self.start
        if (self.healthy / _STEP).is_file():
            step = int((self.healthy / _STEP).read_text(encoding="utf-8"))
            weights = load_file(self.healthy / WEIGHTS)
        if step >= before:
            raise TrainError(f"{self.healthy} is of step {step}, after the collapse began at {before}; remove the run")
        set_peft_model_state_dict(self.model, weights)
        return step
