"""Stage `data`: dialogues become samples and prompts. Gold and teacher's work go through one builder, each marked."""

from collections import Counter
from pathlib import Path

from her.cli.loop.loop import Loop
from her.data import Splitter, rl_prompts, sft_samples
from her.errors import InputError
from her.schema import Dialogue, HistoryPolicy, Record, RLPrompt, SFTSample
from her.stage import Finished, Outcome, Progress
from her.store import read_jsonl, write_jsonl
from her.story import load_gold, story_path

ROOMS = ("schema", "renderers", "data", "story", "cli/loop/data")


class DataSettings(Record):
    """How dialogues become samples."""

    splits: Splitter
    history_policy: HistoryPolicy
    system_thinking: bool
    gold: bool
    """Add the shipped gold annotations? Only where the source is the shipped story."""


def stage(loop: Loop) -> Finished:
    """Write `sft.jsonl` and `rl.jsonl`."""
    run = loop.recipe.run
    settings = DataSettings(
        splits=loop.recipe.splits,
        history_policy=run.history_policy,
        system_thinking=run.system_thinking,
        gold=loop.recipe.source == "shipped",
    )
    made = loop.run.root / "synth" / "dialogues.jsonl"

    def work(folder: Path, progress: Progress) -> Outcome:
        progress(0, 1, "samples and prompts")
        dialogues = [*(load_gold() if settings.gold else ()), *read_jsonl(made, Dialogue)]
        samples = sft_samples(
            dialogues,
            history_policy=settings.history_policy,
            system_thinking=settings.system_thinking,
            splits=settings.splits,
        )
        prompts = rl_prompts(
            dialogues,
            history_policy=settings.history_policy,
            system_thinking=settings.system_thinking,
            splits=settings.splits,
        )
        if not any(s.split == "train" for s in samples) or not any(p.split == "test" for p in prompts):
            have = Counter(p.split for p in prompts)
            raise InputError(
                f"{len(prompts)} turns fell into the splits {dict(have)}: both train and test are needed; set "
                "`splits.test_groups` in the recipe, or take more of the text (`synth.chapters`, `synth.max_scenes`)"
            )
        write_jsonl(folder / "sft.jsonl", samples)
        write_jsonl(folder / "rl.jsonl", prompts)
        left_out = len(prompts) - len(samples)
        return Outcome(
            outputs=("sft.jsonl", "rl.jsonl"),
            kept=len(samples),
            rejected={"no_system_thinking": left_out} if left_out else {},
        )

    return loop.do(
        "data",
        "samples and prompts",
        work,
        inputs={"dialogues": made, **({"gold": story_path().parent} if settings.gold else {})},
        settings=settings,
        rooms=ROOMS,
        models={},
    )


def read_samples(loop: Loop) -> list[SFTSample]:
    return read_jsonl(loop.run.root / "data" / "sft.jsonl", SFTSample)


def read_prompts(loop: Loop) -> list[RLPrompt]:
    return read_jsonl(loop.run.root / "data" / "rl.jsonl", RLPrompt)
