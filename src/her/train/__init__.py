"""The only room with gradients: SFT for policy and judge, GRPO for the policy. Torch is imported inside, when needed."""

from her.train.progress import Progress, TrainStep, silent
from her.train.sft import HeldOut, SFTConfig, SFTResult, steps_of, train_sft

__all__ = ["HeldOut", "Progress", "SFTConfig", "SFTResult", "TrainStep", "silent", "steps_of", "train_sft"]
