"""What the training stages share: cards of trained models, and a trainer's steps as progress."""

import her
from her.cli.loop.loop import Loop
from her.llm import TrainedCard
from her.stage import Progress
from her.train.progress import Progress as TrainProgress
from her.train.progress import TrainStep


def card(loop: Loop, base: str, base_fingerprint: str, *, stage: str) -> TrainedCard:
    """The card of a model trained in this run."""
    return TrainedCard.model_validate(
        {
            "base": base,
            "base_fingerprint": base_fingerprint,
            "adapter": "adapter.gguf",
            "peft": "peft",
            "history_policy": loop.recipe.run.history_policy,
            "system_thinking": loop.recipe.run.system_thinking,
            "stage": stage,
            "her_version": her.__version__,
        }
    )


def told(progress: Progress) -> TrainProgress:
    """A trainer's steps as a stage's progress."""

    def tell(step: TrainStep) -> None:
        figures = "  ".join(f"{name} {value:.3g}" for name, value in step.figures.items())
        progress(step.step, step.steps, figures)

    return tell
