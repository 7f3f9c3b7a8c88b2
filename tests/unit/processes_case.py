"""One process of several that train together: `python processes_case.py BASE OUT`, with RANK and WORLD_SIZE set.

Run in one process, `work` does the same alone.
"""

import sys
from pathlib import Path

from policy_cases import prompts, rewarded

from her.reward.group import RewardedReply
from her.schema import RLPrompt
from her.train import PolicyConfig, SFTConfig, train_policy, train_sft
from her.train.following import follow
from her.train.processes import join, leave

SFT = SFTConfig(rank=4, alpha=8, learning_rate=5e-3, max_steps=4, batch=1, grad_accum=3, save_every=2, seed=3)
"""Three rows a step: two processes cannot share them out evenly."""
POLICY = PolicyConfig(
    steps=3,
    prompts_per_step=2,
    group_size=3,
    max_completion_tokens=6,
    learning_rate=1e-3,
    rank=4,
    alpha=8,
    save_every=2,
    mask_truncated=False,
)
CUT_OFF = POLICY.model_copy(update={"steps": 1, "max_completion_tokens": 2, "mask_truncated": True})
"""No reply ends, so none is learnt from, in whichever process."""


class LikesE:
    """Rewards the number of `e`; never asked but in the first process."""

    async def __call__(self, prompt: RLPrompt, texts: list[str], finish_reasons: list[str]) -> list[RewardedReply]:
        return [rewarded(float(t.count("e") + len(t) / 100), prompt.reference) for t in texts]


def work(base: Path, out: Path) -> None:
    """Two trainings and one in which nothing is learnt."""
    from test_train_sft import _samples

    samples = _samples()
    train_sft(SFT, base=base, train=samples[:7], valid=samples[7:], out=out / "sft")
    train_policy(POLICY, base=base, adapter=None, prompts=prompts(), reward=LikesE(), out=out / "policy")
    train_policy(CUT_OFF, base=base, adapter=None, prompts=prompts(), reward=LikesE(), out=out / "cut_off")


if __name__ == "__main__":
    if join().first:
        work(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        follow()
    leave()
