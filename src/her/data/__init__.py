"""The cheap, pure step: same input, same bytes. No model call, no randomness that is not a seed's."""

from her.data.judge_samples import JudgeSample, judge_samples
from her.data.samples import Left, Place, SampleRule, places, prompt, sample
from her.data.splits import GroupBy, Splits, Splitter, split_of

__all__ = [
    "GroupBy",
    "JudgeSample",
    "Left",
    "Place",
    "SampleRule",
    "Splits",
    "Splitter",
    "judge_samples",
    "places",
    "prompt",
    "sample",
    "split_of",
]
