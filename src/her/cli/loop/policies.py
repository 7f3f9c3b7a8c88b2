"""What the training stages share: the card of a trained model, and a trainer's steps as progress."""

from pathlib import Path

from her import __version__
from her.cli.loop.loop import Loop
from her.llm import TrainedCard, fingerprint, save_card
from her.stage import Progress
from her.train.progress import Progress as TrainProgress
from her.train.progress import TrainStep


def finish(loop: Loop, folder: Path, base: str, *, stage: str) -> tuple[str, ...]:
    """Write the card of a model that was trained into `folder/model`; returns the outputs that identify it."""
    model = folder / "model"
    adapter = "adapter.gguf" if (model / "adapter.gguf").is_file() else None
    card = TrainedCard.model_validate(
        {
            "base": base,
            "base_fingerprint": fingerprint(base),
            "adapter": adapter,
            "peft": "peft",
            "history_policy": loop.recipe.run.history_policy,
            "system_thinking": loop.recipe.run.system_thinking,
            "stage": stage,
            "her_version": __version__,
        }
    )
    save_card(model, card)
    # Not training.json: it says how long things took, which is another every time.
    names = ("adapter.gguf", "brief.json", "her.json", "peft", "rollouts.jsonl")
    return tuple(f"model/{name}" for name in names if (model / name).exists())


def told(progress: Progress) -> TrainProgress:
    """A trainer's steps as a stage's progress."""

    def tell(step: TrainStep) -> None:
        figures = "  ".join(f"{name} {value:.3g}" for name, value in step.figures.items())
        progress(step.step, step.steps, figures)

    return tell
