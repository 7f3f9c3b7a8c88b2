"""Models trained here: the card, what `run:` finds, and that both engines read the same adapter."""

import asyncio
import importlib.util
import json
from pathlib import Path

import pytest

from her.errors import ModelError, ModelNameError
from her.llm import Request, TrainedCard, describe, load_trained, open_models, save_card
from her.llm.catalog import entry
from her.schema import Message

BASE = "local:smollm2-135m"


def card(**changes: object) -> TrainedCard:
    fields = {
        "base": BASE,
        "base_fingerprint": f"gguf:{entry('smollm2-135m').sha256}",
        "adapter": "adapter.gguf",
        "peft": "peft",
        "history_policy": "drop_own_system",
        "system_thinking": True,
        "stage": "sft",
        "her_version": "0",
        **changes,
    }
    return TrainedCard.model_validate(fields)


def test_a_run_root_gives_its_furthest_trained_model(tmp_path: Path) -> None:
    save_card(tmp_path / "sft" / "model", card())
    assert load_trained(tmp_path).card.stage == "sft"
    save_card(tmp_path / "policy" / "model", card(stage="policy"))
    assert load_trained(tmp_path).card.stage == "policy"
    assert load_trained(tmp_path / "sft" / "model").card.stage == "sft"
    assert "trained here (policy)" in describe(f"run:{tmp_path}").line()


def test_a_card_of_another_version_or_none_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelNameError, match="finish training"):
        load_trained(tmp_path)
    (tmp_path / "her.json").write_text(json.dumps({**card().model_dump(), "format": "her-tags-9"}), encoding="utf-8")
    with pytest.raises(ModelError, match="another version"):
        load_trained(tmp_path)
    (tmp_path / "her.json").write_text(json.dumps({"format": "her-tags-1"}), encoding="utf-8")
    with pytest.raises(ModelError, match="not a model's card"):
        load_trained(tmp_path)


def test_a_card_may_not_point_out_of_its_folder_or_at_other_weights(tmp_path: Path) -> None:
    save_card(tmp_path, card(adapter="../../etc/passwd"))
    with pytest.raises(ModelError, match="outside its folder"):
        load_trained(tmp_path).adapter_gguf()
    save_card(tmp_path, card(adapter="gone.gguf"))
    with pytest.raises(ModelError, match="missing"):
        load_trained(tmp_path).adapter_gguf()
    save_card(tmp_path, card(base_fingerprint="gguf:other"))
    with pytest.raises(ModelError, match="other weights"):
        open_models([f"run:{tmp_path}"])


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")  # peft asks by the old name
@pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs the train extra (torch, peft)")
def test_one_server_serves_base_and_adapter_and_agrees_with_transformers(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from her.llm import open_scorer, weights
    from her.train.adapter_gguf import export_adapter

    folder = weights(BASE)
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(base, config).save_pretrained(tmp_path / "peft")
    export_adapter(tmp_path / "peft", tmp_path / "adapter.gguf", base=folder)
    save_card(tmp_path, card())
    name = f"run:{tmp_path}"
    request = Request(
        messages=(Message(role="user", content="Hello there."),), max_tokens=1, temperature=0, top_logprobs=1
    )

    async def first_tokens() -> list[tuple[str, float]]:
        models = open_models([BASE, name, BASE])
        replies = [await m.reply(request) for m in (*models, models[1])]
        assert len({m.fingerprint for m in models}) == 2
        for m in models:
            await m.close()
        return [(r.logprobs[0].token, r.logprobs[0].logprob) for r in replies if r.logprobs]

    plain, tuned, plain_again, tuned_again = asyncio.run(first_tokens())
    assert plain == pytest.approx(plain_again) or plain[0] == plain_again[0]
    assert tuned[0] == tuned_again[0]
    assert plain != tuned
    scorer = open_scorer(name)
    with torch.inference_mode():
        weights_ = scorer._weights  # the same loaded model, asked by hand
        ids = torch.tensor([weights_.prompt_ids(request.messages)], device=weights_.device)
        expected = torch.log_softmax(weights_.model(input_ids=ids).logits[0, -1].float(), -1).max()
    assert tuned[1] == pytest.approx(float(expected), abs=0.15)
