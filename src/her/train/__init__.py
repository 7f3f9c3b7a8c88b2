"""The only room with gradients: SFT for policy and judge, GRPO for the policy. Torch comes in when training starts."""

from her.train.policy import GroupReward, PolicyConfig, PolicyResult, PolicyStep, Rollout, train_policy
from her.train.progress import Progress, TrainStep, silent
from her.train.sft import HeldOut, SFTConfig, SFTResult, train_sft

__all__ = [
    "GroupReward",
    "HeldOut",
    "PolicyConfig",
    "PolicyResult",
    "PolicyStep",
    "Progress",
    "Rollout",
    "SFTConfig",
    "SFTResult",
    "TrainStep",
    "silent",
    "train_policy",
    "train_sft",
]
