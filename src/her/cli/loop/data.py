"""Stage `data`: dialogues become samples and prompts. Gold and teacher's work go through one builder, each marked."""

from collections import Counter
from itertools import chain
from pathlib import Path

from her.cli.loop import gain
from her.cli.loop.loop import Loop
from her.data import Left, SampleRule, Splitter, places, prompt, sample
from her.errors import InputError
from her.schema import Dialogue, HistoryPolicy, Record, RLPrompt, SFTSample
from her.stage import Finished, Outcome, Progress
from her.store import Together, read_jsonl, stream_jsonl
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
        left, learnt, asked = Counter[str](), Counter[str](), Counter[str]()
        with Together() as files:
            samples, prompts = files.open(folder / "sft.jsonl"), files.open(folder / "rl.jsonl")
            for dialogue in chain(load_gold() if settings.gold else (), stream_jsonl(made, Dialogue)):
                split = settings.splits(dialogue)
                for place in places(dialogue):
                    made_sample, made_prompt = sample(place, rule, split=split), prompt(place, rule, split=split)
                    if isinstance(made_sample, Left):
                        left[made_sample.reason] += 1
                    else:
                        samples.write(made_sample)
                        learnt[split] += 1
                    if isinstance(made_prompt, RLPrompt):
                        prompts.write(made_prompt)
                        asked[split] += 1
            if not learnt["train"] or not asked["test"]:
                raise InputError(
                    f"{asked.total()} turns fell into the splits {dict(asked)}: both train and test are needed; "
                    "set `splits.test_groups` in the recipe, or take more of the text (`synth.chapters`, "
                    "`synth.max_scenes`)"
                )
        return Outcome(outputs=("sft.jsonl", "rl.jsonl"), kept=samples.count, rejected=dict(left))

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
