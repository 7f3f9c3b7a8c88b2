"""Stage `data`: dialogues become samples and prompts. Gold and teacher's work go through one builder, each marked."""

from collections import Counter
from pathlib import Path

from her.cli.loop import gain
from her.cli.loop.loop import Loop
from her.data import Left, SampleRule, Splitter, places, prompt, sample
from her.errors import InputError
from her.schema import Dialogue, HistoryPolicy, Record, RLPrompt, SFTSample
from her.stage import Finished, Outcome, Progress
from her.store import read_jsonl, stream_jsonl, write_jsonl
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
    made = gain.made(loop)

    def work(folder: Path, progress: Progress) -> Outcome:
        progress(0, 1, "samples and prompts")
        rule = SampleRule(history_policy=settings.history_policy, system_thinking=settings.system_thinking)
        samples, prompts, left = list[SFTSample](), list[RLPrompt](), Counter[str]()
        for dialogue in (*(load_gold() if settings.gold else ()), *stream_jsonl(made, Dialogue)):
            split = settings.splits(dialogue)
            for place in places(dialogue):
                made_sample, made_prompt = sample(place, rule, split=split), prompt(place, rule, split=split)
                if isinstance(made_sample, Left):
                    left[made_sample.reason] += 1
                else:
                    samples.append(made_sample)
                if isinstance(made_prompt, RLPrompt):
                    prompts.append(made_prompt)
        if not any(s.split == "train" for s in samples) or not any(p.split == "test" for p in prompts):
            have = Counter(p.split for p in prompts)
            raise InputError(
                f"{len(prompts)} turns fell into the splits {dict(have)}: both train and test are needed; set "
                "`splits.test_groups` in the recipe, or take more of the text (`synth.chapters`, `synth.max_scenes`)"
            )
        write_jsonl(folder / "sft.jsonl", samples)
        write_jsonl(folder / "rl.jsonl", prompts)
        return Outcome(outputs=("sft.jsonl", "rl.jsonl"), kept=len(samples), rejected=dict(left))

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
