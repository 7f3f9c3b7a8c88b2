"""TrainStep: what a trainer says after each step. Printing it is the command line's business."""

from collections.abc import Callable
from typing import Literal

from her.schema import Record

Stage = Literal["sft", "judge", "policy"]


class TrainStep(Record):
    """One optimiser step."""

    stage: Stage
    step: int
    """Counts from 1; a resumed run goes on where it stopped."""
    steps: int
    seconds: float
    """Since this process began to train."""
    figures: dict[str, float]
    """Short names to plain numbers: `loss`, `reward`, ... A figure that is not known is absent."""


Progress = Callable[[TrainStep], None]


def silent(step: TrainStep) -> None:
    """A progress that shows nothing."""
