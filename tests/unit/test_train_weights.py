"""GGUF to Hugging Face and LoRA back to GGUF: the same model on both sides, by its logits."""

import json
from pathlib import Path

import pytest
from tiny_policy import make_policy, write_gguf

from her.errors import InputError, ModelError, TrainError
from her.llm.engines.gguf_file import read_gguf
from her.llm.engines.weights import hf_folder
from her.train.adapter_gguf import export_adapter

PROBE = "You are Ann.<role_action>nods</role_action> Where is the key? 3 < 5"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tiny")
    base = make_policy(folder / "base")
    return base, write_gguf(base, folder / "tiny.gguf")


@pytest.fixture(scope="module")
def converted(tiny: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hf_folder(tiny[1], cache=tmp_path_factory.mktemp("cache"))


def test_the_converted_model_is_the_model(tiny: tuple[Path, Path], converted: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ours, theirs = AutoTokenizer.from_pretrained(converted), AutoTokenizer.from_pretrained(tiny[0])
    ids = theirs.encode(PROBE, add_special_tokens=False)
    assert ours.encode(PROBE, add_special_tokens=False) == ids
    assert ours.chat_template == theirs.chat_template
    with torch.no_grad():
        a = AutoModelForCausalLM.from_pretrained(converted)(torch.tensor([ids])).logits
        b = AutoModelForCausalLM.from_pretrained(tiny[0])(torch.tensor([ids])).logits
    assert torch.allclose(a, b, atol=1e-5)


def test_end_of_turn_and_padding_are_told_apart(converted: Path) -> None:
    generation = json.loads((converted / "generation_config.json").read_text())
    assert (generation["eos_token_id"], generation["pad_token_id"]) == (2, 0)


def test_a_second_call_finds_the_folder(tiny: tuple[Path, Path], converted: Path) -> None:
    stamp = (converted / "model.safetensors").stat().st_mtime_ns
    assert hf_folder(tiny[1], cache=converted.parent) == converted
    assert (converted / "model.safetensors").stat().st_mtime_ns == stamp
    assert [p.name for p in converted.parent.iterdir()] == [converted.name]


def test_damaged_files_are_refused(tiny: tuple[Path, Path], tmp_path: Path) -> None:
    whole = tiny[1].read_bytes()
    for size in (10, 400, 3000):
        cut = tmp_path / f"cut{size}.gguf"
        cut.write_bytes(whole[:size])
        with pytest.raises(InputError, match="fetch the model again"):
            read_gguf(cut)
    short = tmp_path / "short.gguf"
    short.write_bytes(whole[:-5000])
    with pytest.raises(InputError, match="cut short"):
        hf_folder(short, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    (tmp_path / "text.gguf").write_text("not a model, although it is long enough to be one")
    with pytest.raises(InputError, match="not a GGUF"):
        read_gguf(tmp_path / "text.gguf")
    with pytest.raises(InputError, match="no such model"):
        hf_folder(tmp_path / "none.gguf", cache=tmp_path)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(str(tmp_path / "m.gguf"), "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match="'mamba'"):
        hf_folder(tmp_path / "m.gguf", cache=tmp_path / "cache")


def test_the_adapter_means_the_same_to_llama_cpp(tiny: tuple[Path, Path], tmp_path: Path) -> None:
    """KL(HF with LoRA || llama.cpp with LoRA) over the next token, where the adapter alone moves it far."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from her.train.engine import quiet
    from her.train.sft import PROJECTIONS

    xllamacpp = pytest.importorskip("xllamacpp")
    base, gguf = tiny
    tokenizer = AutoTokenizer.from_pretrained(base)
    ids = tokenizer.encode(PROBE, add_special_tokens=False)
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(base)
        with torch.no_grad():
            bare = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        torch.manual_seed(5)
        lora = LoraConfig(r=4, lora_alpha=8, target_modules=list(PROJECTIONS), init_lora_weights=False)
        model = get_peft_model(model, lora)
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "lora_" in name:
                    p.mul_(3.0)
            tuned = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        model.save_pretrained(tmp_path / "peft")
    export_adapter(tmp_path / "peft", tmp_path / "adapter.gguf", base=base)
    params = xllamacpp.CommonParams()
    params.verbosity = -1
    params.model.path = str(gguf)
    params.n_ctx = 512
    params.warmup = False
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = str(tmp_path / "adapter.gguf"), 1.0
    params.lora_adapters = [adapter]
    server = xllamacpp.Server(params)
    reply = server.handle_completions({"prompt": ids, "n_predict": 1, "n_probs": len(tokenizer), "temperature": 0})
    found = {t["id"]: t["logprob"] for t in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}
    theirs = torch.tensor([found[i] for i in range(len(tokenizer))])
    kl = float((tuned.exp() * (tuned - theirs)).sum())
    moved = float((tuned.exp() * (tuned - bare)).sum())
    assert moved > 0.01, "the adapter changes too little to test anything"
    assert kl < 0.001 * moved


def test_what_has_no_place_in_an_adapter_is_refused(tiny: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 8, "use_dora": True}))
    with pytest.raises(TrainError, match="only plain LoRA"):
        export_adapter(tmp_path, tmp_path / "a.gguf", base=tiny[0])
    assert not (tmp_path / "a.gguf").exists()
