"""The cheap, pure step: same input, same bytes. No model call, no randomness that is not a seed's."""

from her.data.judge_samples import JudgeSample, judge_samples
from her.data.samples import rl_prompts, sft_samples
from her.data.splits import GroupBy, Splits, Splitter, split_of

__all__ = [
    "GroupBy",
    "JudgeSample",
    "Splits",
    "Splitter",
    "judge_samples",
    "rl_prompts",
    "sft_samples",
    "split_of",
]
