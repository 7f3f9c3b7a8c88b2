"""GRPO: whole groups, raw text, unknown rewards left out, and a stopped run goes on."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from policy_cases import prompts, rewarded
from tiny_policy import make_policy

from her.errors import TrainError
from her.renderers import prompt_ids, read_lenient
from her.reward.group import RewardedReply
from her.schema import RLPrompt
from her.train import PolicyConfig, PolicyResult, Rollout, TrainStep, train_policy

CONFIG = PolicyConfig(
    steps=4,
    prompts_per_step=2,
    group_size=2,
    max_completion_tokens=6,
    learning_rate=1e-3,
    rank=4,
    alpha=8,
    save_every=2,
    mask_truncated=False,
)


class Counted:
    """Rewards the number of `e` in a reply; the second of each group cannot be read."""

    def __init__(self, *, unread: bool = False) -> None:
        self.unread = unread
        self.calls: list[tuple[str, int]] = []

    async def __call__(
        self, prompt: RLPrompt, texts: Sequence[str], finish_reasons: Sequence[str]
    ) -> list[RewardedReply]:
        self.calls.append((prompt.id, len(texts)))
        return [
            rewarded(
                None if self.unread and i == 1 else float(t.count("e") + len(t) / 100),
                prompt.reference,
                unread=int(self.unread and i == 1),
            )
            for i, t in enumerate(texts)
        ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[PolicyResult, Path, Counted]:
    out, reward = tmp_path_factory.mktemp("whole"), Counted()
    told: list[TrainStep] = []
    result = train_policy(
        CONFIG, base=base, adapter=None, prompts=prompts(), reward=reward, out=out, progress=told.append
    )
    assert [t.step for t in told] == [1, 2, 3, 4]
    assert "reward" in told[0].figures
    return result, out, reward


def test_every_call_is_a_whole_group_and_every_reply_is_kept(whole: tuple[PolicyResult, Path, Counted]) -> None:
    result, out, reward = whole
    assert [n for _, n in reward.calls] == [2] * 8
    assert sorted(p for p, _ in reward.calls) == sorted(2 * [p.id for p in prompts()])
    assert [s.replies for s in result.curve] == [4] * 4
    assert all(s.layouts.top_layout == "speech" and s.layouts.top_share == 1 for s in result.curve)
    assert all(s.token_entropy is not None and s.token_entropy > 1 for s in result.curve)
    rollouts = [Rollout.model_validate_json(line) for line in (out / "rollouts.jsonl").read_text().splitlines()]
    assert [r.step for r in rollouts] == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    mean = sum(r.reward or 0 for r in rollouts[:4]) / 4
    assert result.curve[0].reward == pytest.approx(mean)
    assert (out / "adapter.gguf").is_file()


def test_the_policy_moves(base: Path, whole: tuple[PolicyResult, Path, Counted]) -> None:
    from safetensors.numpy import load_file

    weights = load_file(whole[1] / "peft" / "adapter_model.safetensors")
    assert any(abs(w).max() > 0 for name, w in weights.items() if "lora_B" in name)


class _Stop(Exception):
    pass


def test_a_stopped_run_goes_on_to_the_same_curve(
    base: Path, whole: tuple[PolicyResult, Path, Counted], tmp_path: Path
) -> None:
    def stop(step: TrainStep) -> None:
        if step.step == 3:
            raise _Stop

    with pytest.raises(_Stop):
        train_policy(CONFIG, base=base, adapter=None, prompts=prompts(), reward=Counted(), out=tmp_path, progress=stop)
    with (tmp_path / "rollouts.jsonl").open("a") as file:
        file.write('{"step": 3, "prom')
    result = train_policy(CONFIG, base=base, adapter=None, prompts=prompts(), reward=Counted(), out=tmp_path)
    assert result.resumed_from == 2
    assert [s.reward for s in result.curve] == pytest.approx([s.reward for s in whole[0].curve], abs=1e-6)
    assert (tmp_path / "rollouts.jsonl").read_text() == (whole[1] / "rollouts.jsonl").read_text()


def test_unknown_rewards_are_counted_and_teach_nothing(base: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    config = CONFIG.model_copy(update={"steps": 1})
    result = train_policy(config, base=base, adapter=None, prompts=prompts(), reward=Counted(unread=True), out=tmp_path)
    (step,) = result.curve
    assert (step.unknown, step.unread, step.flat_groups) == (2, 2, 2)
    assert step.reward is not None
    weights = load_file(tmp_path / "peft" / "adapter_model.safetensors")
    assert all(abs(w).max() < 1e-8 for name, w in weights.items() if "lora_B" in name)


def test_replies_that_were_cut_off_teach_nothing(base: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    config = CONFIG.model_copy(update={"steps": 1, "max_completion_tokens": 2, "mask_truncated": True})
    result = train_policy(config, base=base, adapter=None, prompts=prompts(), reward=Counted(), out=tmp_path)
    assert result.curve[0].truncated == result.curve[0].replies == 4
    weights = load_file(tmp_path / "peft" / "adapter_model.safetensors")
    assert all(abs(w).max() < 1e-8 for name, w in weights.items() if "lora_B" in name)


def _bridge(base: Path, tmp_path: Path) -> tuple[object, object]:
    from her.train.engine import load_tokenizer
    from her.train.reward_bridge import RewardBridge, fitting

    tokenizer = load_tokenizer(base)
    usable = fitting(prompts(), tokenizer, most=1000)
    bridge = RewardBridge(Counted(), usable, tokenizer, config=CONFIG, rollouts=tmp_path / "rollouts.jsonl")
    return bridge, tokenizer


def test_tags_and_foreign_tokens_survive_decoding(base: Path, tmp_path: Path) -> None:
    bridge, tokenizer = _bridge(base, tmp_path)
    text = "<system_thinking>Hm.</system_thinking>Ann: <role_thinking>No.</role_thinking>3 < 5"
    ids = tokenizer.encode(text, add_special_tokens=False)  # type: ignore[attr-defined]
    assert bridge.text_of([*ids, 2]) == (text, "stop")  # type: ignore[attr-defined]
    assert bridge.text_of(ids) == (text, "length")  # type: ignore[attr-defined]
    assert bridge.text_of([*ids, 1, 2]) == (f"{text}<|im_start|>", "stop")  # type: ignore[attr-defined]
    assert read_lenient(text, speaker="Ann", turn_id="t").turn.system_thinking == "Hm."


def test_the_prompt_is_that_of_inference(base: Path, tmp_path: Path) -> None:
    bridge, tokenizer = _bridge(base, tmp_path)
    for prompt, ids in bridge.usable:  # type: ignore[attr-defined]
        messages = [m.model_dump() for m in prompt.messages]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)  # type: ignore[attr-defined]
        assert tokenizer.decode(ids) == text  # type: ignore[attr-defined]
        assert text.endswith("<|im_start|>assistant\n")
        assert ids == prompt_ids(prompt.messages, tokenizer)  # type: ignore[arg-type]


def test_a_broken_group_or_a_nan_is_refused(base: Path, tmp_path: Path) -> None:
    bridge, _ = _bridge(base, tmp_path)
    state = SimpleNamespace(global_step=0)
    with pytest.raises(TrainError, match="whole groups"):
        asyncio.run(bridge(completion_ids=[[5, 2], [6, 2]], number=[0, 1], trainer_state=state))  # type: ignore[operator]

    async def nan(prompt: RLPrompt, texts: list[str], finish_reasons: list[str]) -> list[SimpleNamespace]:
        return [SimpleNamespace(reward=float("nan"), gated=None)] * len(texts)

    bridge.reward = nan  # type: ignore[attr-defined]
    with pytest.raises(TrainError, match="must be None"):
        asyncio.run(bridge(completion_ids=[[5, 2], [6, 2]], number=[0, 0], trainer_state=state))  # type: ignore[operator]


def test_sampling_leaves_the_weights_as_they_were(base: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from her.train.engine import quiet
    from her.train.rollout import merged, sample_group

    with quiet():  # PEFT asks transformers for a deprecated name
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base),
            LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"),
        )
    before = {n: p.clone() for n, p in model.named_parameters()}
    torch.manual_seed(1)
    prompt = [1, 40, 50, 60]
    with merged(model) as folded:
        group = sample_group(folded, prompt, n=3, max_tokens=9, temperature=1e-4, end_ids={2})
    assert all(torch.equal(before[n], p) for n, p in model.named_parameters())
    greedy = model.generate(
        input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, 4), do_sample=False, max_new_tokens=9
    )
    assert group == [greedy[0, 4:].tolist()] * 3


def test_prompts_that_do_not_fit_are_counted(base: Path, tmp_path: Path) -> None:
    lengths = sorted(len(ids) for _, ids in _bridge(base, tmp_path)[0].usable)  # type: ignore[attr-defined]
    config = CONFIG.model_copy(update={"steps": 1, "max_prompt_tokens": lengths[1]})
    result = train_policy(config, base=base, adapter=None, prompts=prompts(), reward=Counted(), out=tmp_path)
    assert (result.prompts, result.prompts_too_long) == (2, 2)
    with pytest.raises(TrainError, match="raise max_prompt_tokens"):
        train_policy(
            config.model_copy(update={"max_prompt_tokens": 5}),
            base=base, adapter=None, prompts=prompts(), reward=Counted(), out=tmp_path,
        )  # fmt: skip
    assert json.loads((tmp_path / "training.json").read_text())["prompts"] == 2
