"""Stage `sft`: the policy learns the two-layer format and the voices from the samples of the training split."""

from pathlib import Path

from her.cli.loop import data
from her.cli.loop.encoded import encode_all
from her.cli.loop.loop import Loop
from her.cli.loop.policies import finish, told
from her.llm import fingerprint, weights
from her.stage import Finished, Outcome, Progress
from her.train.sft import SFTConfig, train_sft

ROOMS = ("schema", "renderers", "train", "llm", "cli/loop/sft")


def stage(loop: Loop) -> Finished:
    """Write `model/`: the adapter, its card and `training.json`."""
    recipe = loop.recipe
    name = recipe.models.policy
    settings = SFTConfig.model_validate({**recipe.sft.model_dump(), "seed": recipe.run.seed})

    def work(folder: Path, progress: Progress) -> Outcome:
        progress(0, 1, "preparing the weights (once on a machine)")
        base = weights(name)
        samples = data.read_samples(loop)
        train, long = encode_all([s for s in samples if s.split == "train"], base, max_tokens=settings.max_tokens)
        valid, long_valid = encode_all([s for s in samples if s.split == "valid"], base, max_tokens=settings.max_tokens)
        train_sft(settings, base=base, train=train, valid=valid, out=folder / "model", progress=told(progress))
        too_long = len(long) + len(long_valid)
        return Outcome(
            outputs=finish(loop, folder, name, stage="sft"),
            kept=len(train) + len(valid),
            rejected={"too_long": too_long} if too_long else {},
        )

    return loop.do(
        "sft",
        f"{name} learns from the samples",
        work,
        inputs={"samples": loop.run.root / "data" / "sft.jsonl"},
        settings=settings,
        rooms=ROOMS,
        models={"base": fingerprint(name)},
    )
