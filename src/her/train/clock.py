"""StepClock: tells a progress what happened in a step, with the time since training began in this process."""

import time

from her.train.progress import Progress, Stage, TrainStep


class StepClock:
    """Starts when told; forgives a progress nothing: its errors rise, which is how a run is stopped from outside."""

    def __init__(self, stage: Stage, progress: Progress) -> None:
        self.stage: Stage = stage
        self.progress = progress
        self._start = time.monotonic()

    def start(self) -> None:
        self._start = time.monotonic()

    def tell(self, step: int, steps: int, figures: dict[str, float]) -> None:
        seconds = time.monotonic() - self._start
        self.progress(TrainStep(stage=self.stage, step=step, steps=steps, seconds=seconds, figures=figures))
