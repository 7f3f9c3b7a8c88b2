"""Who writes the replies: what cannot write here is refused, and TRL is told in its own words."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest
from policy_cases import prompts, rewarded
from pydantic import ValidationError
from tiny_policy import make_policy

from her.errors import TrainError
from her.reward.group import RewardedReply
from her.schema import RLPrompt
from her.train import PolicyConfig, train_policy
from her.train.samplers import Sampler, check_sampler, vllm_settings


def test_what_cannot_write_here_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    async def never(prompt: RLPrompt, texts: list[str], reasons: list[str]) -> list[RewardedReply]:
        raise AssertionError("nothing was written")

    config = PolicyConfig(sampler=Sampler(engine="sglang"))
    with pytest.raises(TrainError, match=r"cannot sample with SGLang.*her export verl"):
        train_policy(config, base=tmp_path, adapter=None, prompts=prompts(), reward=never, out=tmp_path)
    if importlib.util.find_spec("vllm") is None:
        with pytest.raises(TrainError, match="vLLM is not installed here"):
            check_sampler(Sampler(engine="vllm"))
    with pytest.raises(ValidationError, match="'own' asks no server"):
        Sampler(url="http://127.0.0.1:8000")


def test_trl_knows_every_setting() -> None:
    from trl.trainer.grpo_config import GRPOConfig

    known = {field.name for field in dataclasses.fields(GRPOConfig)}
    here = vllm_settings(Sampler(engine="vllm", tensor_parallel=2), tokens=900)
    there = vllm_settings(Sampler(engine="vllm", url="http://127.0.0.1:8000"), tokens=900)
    assert {*here, *there} <= known
    assert (here["vllm_mode"], here["vllm_max_model_length"]) == ("colocate", 900)
    assert (there["vllm_mode"], there["vllm_server_base_url"]) == ("server", "http://127.0.0.1:8000")
    assert vllm_settings(Sampler(), tokens=900) == {}


def test_a_whole_step_is_scored_group_by_group_as_the_model_scores_each_reply(tmp_path: Path) -> None:
    """With vLLM, TRL scores all groups of a step at once, to correct for the sampler's own probabilities."""
    import torch
    from transformers import AutoModelForCausalLM

    from her.train import engine
    from her.train.reward_bridge import fitting

    class Unused:
        async def __call__(self, prompt: RLPrompt, texts: list[str], reasons: list[str]) -> list[RewardedReply]:
            return [rewarded(0.0, prompt.reference) for _ in texts]

    base = make_policy(tmp_path / "base")
    config = PolicyConfig(steps=1, prompts_per_step=2, group_size=2, rank=2, alpha=4)
    with engine.quiet():
        from her.train.group_trainer import build_trainer

        tokenizer = engine.load_tokenizer(base)
        trainer = build_trainer(
            config, base=base, adapter=None, tokenizer=tokenizer, ordered=fitting(prompts(2), tokenizer, most=500),
            reward=Unused(), witness=None, rollouts=tmp_path / "rollouts.jsonl", checkpoints=tmp_path / "checkpoints",
            run="r", progress=print, place=engine.placement(), targets=("q_proj",),
        )  # fmt: skip
        model = AutoModelForCausalLM.from_pretrained(base)
    asked = [[1, 40, 50], [1, 40, 50], [1, 60, 70, 80, 90], [1, 60, 70, 80, 90]]
    said = [[11, 12, 2], [13, 2], [14, 15, 16], [17]]
    rows = torch.tensor([[0] * (5 - len(a)) + a + s + [0] * (3 - len(s)) for a, s in zip(asked, said, strict=True)])
    mask = torch.tensor(
        [[0] * (5 - len(a)) + [1] * (len(a) + len(s)) + [0] * (3 - len(s)) for a, s in zip(asked, said, strict=True)]
    )
    with torch.no_grad():
        found, entropies, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, rows, mask, 3, compute_entropy=True
        )
        for i, (a, s) in enumerate(zip(asked, said, strict=True)):
            logprobs = (model(torch.tensor([a + s])).logits[0, len(a) - 1 : -1] / trainer.temperature).log_softmax(-1)
            wanted = logprobs.gather(1, torch.tensor(s)[:, None])[:, 0]
            assert torch.allclose(found[i, : len(s)], wanted, atol=1e-5)
            assert not found[i, len(s) :].any()
            assert torch.allclose(entropies[i, : len(s)], -(logprobs.exp() * logprobs).sum(-1), atol=1e-4)
