"""SFT, then GRPO on its adapter: the loop's two gradient stages in a row, on a tiny model, two steps each."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "unit"))

from policy_cases import prompts as scene_prompts
from test_train_policy import Counted
from tiny_policy import make_policy

from her.renderers import Encoded, encode
from her.schema import SFTSample
from her.train import PolicyConfig, SFTConfig, train_policy, train_sft


def test_the_policy_goes_on_from_the_sft_adapter(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from her.train.engine import load_tokenizer

    base = make_policy(tmp_path / "base")
    prompts = scene_prompts()
    tokenizer = load_tokenizer(base)
    samples = [
        SFTSample(
            id=p.id,
            dialogue_id=p.dialogue_id,
            turn_id=p.turn_id,
            character=p.character,
            messages=p.messages,
            target="Ann: There is no key.",
            split="train",
            provenance="gold",
            history_policy=p.history_policy,
            system_thinking=False,
        )
        for p in prompts
    ]
    encoded = [e for s in samples if isinstance(e := encode(s, tokenizer, max_tokens=512), Encoded)]
    assert len(encoded) == len(samples)
    sft = train_sft(
        SFTConfig(rank=4, alpha=8, max_steps=2, top_layers=1),
        base=base,
        train=encoded[:3],
        valid=encoded[3:],
        out=tmp_path / "sft",
    )
    assert sft.loss_before is not None
    assert sft.loss_after is not None
    assert sft.loss_after < sft.loss_before
    policy = train_policy(
        PolicyConfig(
            steps=2, prompts_per_step=1, group_size=2, max_completion_tokens=5, learning_rate=1e-3, mask_truncated=False
        ),
        base=base,
        adapter=tmp_path / "sft" / "peft",
        prompts=prompts,
        reward=Counted(),
        out=tmp_path / "policy",
    )
    assert len(policy.curve) == 2
    before = load_file(tmp_path / "sft" / "peft" / "adapter_model.safetensors")
    after = load_file(tmp_path / "policy" / "peft" / "adapter_model.safetensors")
    assert before.keys() == after.keys()
    assert all(".layers.1." in name for name in after)
    assert any((before[name] != after[name]).any() for name in before)
    assert (tmp_path / "policy" / "adapter.gguf").stat().st_size > 1000
