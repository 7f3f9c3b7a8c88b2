"""`her export model`: the merged folder and the GGUF are the trained model; the card copies what was measured."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_policy import make_policy
from typer.testing import CliRunner

from her.cli.model_card import card_text
from her.errors import StoreError, TrainError
from her.evals.exam import ExamConfig, ExamResult
from her.evals.metrics import measure
from her.evals.run_report import About, RunReport, SFTSection
from her.evals.winrate import WinRate
from her.llm import TrainedCard, load_trained, save_card
from her.stats import Estimate
from her.store import write_json
from her.train.model_gguf import write_gguf

PROBE = "You are Ann.<role_action>nods</role_action> Where is the key? 3 < 5 é 1234"


def _adapter(base: Path, folder: Path) -> None:
    """A LoRA adapter that moves the model far."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from her.train.engine import quiet
    from her.train.sft import PROJECTIONS

    with quiet():
        torch.manual_seed(5)
        lora = LoraConfig(r=4, lora_alpha=8, target_modules=list(PROJECTIONS), init_lora_weights=False)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora)
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "lora_" in name:
                    p.mul_(3.0)
        model.save_pretrained(folder)


def _logprobs(folder: Path, ids: list[int], peft: Path | None = None) -> Any:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from her.train.engine import quiet

    with quiet(), torch.no_grad():
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        model = model if peft is None else PeftModel.from_pretrained(model, peft)
        return model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base, and a run in which it was trained and examined."""
    folder = tmp_path_factory.mktemp("run")
    base = make_policy(folder / "base")
    model = folder / "run" / "policy" / "model"
    model.mkdir(parents=True)
    _adapter(base, model / "peft")
    card = TrainedCard(
        base=f"hf:{base}",
        base_fingerprint="f",
        adapter=None,
        peft="peft",
        history_policy="drop_own_system",
        system_thinking=True,
        stage="policy",
        her_version="0.1.0",
    )
    save_card(model, card)
    sft = SFTSection(
        base=card.base,
        samples_train=9,
        samples_valid=3,
        tokens=90,
        loss=(),
        heldout_before=Estimate(value=3.4, low=3.25, high=3.55, n=16),
        heldout_after=None,
    )
    exam = ExamResult(
        config=ExamConfig(),
        policies=("base", "policy"),
        prompts=12,
        judge="blend",
        replies=(),
        single=(measure("policy", [], seed=7),),
        scenes=(),
        plays=(),
        win_rates=(
            WinRate(
                policy="policy", against="base", rate=Estimate(value=0.83, low=0.67, high=1.0, n=11), pairs=12, wins=9,
                losses=1, ties=1, unread=1, no_contest=0, inconsistent=1, identical=0, forfeits=0, forfeits_against=0,
                games=(),
            ),
        ),
    )  # fmt: skip
    report = RunReport(about=About(run="run", seed=7, seconds=1.0), stages=(), sft=sft, eval=exam)
    write_json(folder / "run" / "report.json", report.model_dump(mode="json"))
    return base, folder / "run"


@pytest.fixture(scope="module")
def exported(run: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from her.cli.commands import app

    out = tmp_path_factory.mktemp("exported") / "model"
    done = CliRunner().invoke(app, ["export", "model", str(run[1]), "--out", str(out), "--gguf"])
    assert done.exit_code == 0, done.output
    assert "model.safetensors" in done.output
    assert "--reasoning-parser her" in done.output
    return out


def test_the_merged_folder_is_the_trained_model(run: tuple[Path, Path], exported: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    ours, theirs = AutoTokenizer.from_pretrained(exported), AutoTokenizer.from_pretrained(run[0])
    ids = theirs.encode(PROBE, add_special_tokens=False)
    assert ours.encode(PROBE, add_special_tokens=False) == ids
    assert (ours.chat_template, ours.eos_token_id) == (theirs.chat_template, theirs.eos_token_id)
    tuned = _logprobs(run[0], ids, run[1] / "policy" / "model" / "peft")
    assert torch.allclose(_logprobs(exported, ids), tuned, atol=1e-4)
    assert not torch.allclose(_logprobs(run[0], ids), tuned, atol=0.1), "the adapter changes too little to tell"
    assert not list(exported.parent.glob(".*"))
    assert not list(exported.glob("*.bin")), "nothing that must be unpickled"


def _llama_cpp(gguf: Path, prompt: str | list[int], size: int) -> Any:
    """llama.cpp's log-probabilities of the next token."""
    import torch

    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.verbosity = -1
    params.model.path = str(gguf)
    params.n_ctx = 512
    params.warmup = False
    server = xllamacpp.Server(params)
    reply = server.handle_completions({"prompt": prompt, "n_predict": 1, "n_probs": size, "temperature": 0})
    found = {t["id"]: t["logprob"] for t in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}
    return torch.tensor([found[i] for i in range(size)])


def _same(folder: Path, gguf: Path, *, kl: float) -> None:
    """The same next token, given the probe as ids and as text: the second reads it with llama.cpp's tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.encode(PROBE, add_special_tokens=False)
    ours = _logprobs(folder, ids)
    for prompt in (ids, PROBE):
        theirs = _llama_cpp(gguf, prompt, len(tokenizer))
        assert int(theirs.argmax()) == int(ours.argmax())
        assert float((ours.exp() * (ours - theirs)).sum()) < kl


def test_llama_cpp_reads_the_gguf_as_the_same_model(exported: Path) -> None:
    _same(exported, exported / "model.gguf", kl=1e-4)


@pytest.mark.parametrize("arch", ["qwen2", "qwen3"])
def test_other_architectures_too_in_bf16_and_untied(arch: str, run: tuple[Path, Path], tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(run[0])
    kind, make = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}[arch]
    torch.manual_seed(7)
    config: Any = kind(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        initializer_range=0.2,
    )
    model: Any = make(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias"):
                p.normal_(std=0.5)
    model.to(torch.bfloat16).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    write_gguf(tmp_path, tmp_path / "model.gguf")
    _same(tmp_path, tmp_path / "model.gguf", kl=0.02)


def test_what_llama_cpp_would_read_otherwise_is_refused_by_name(run: tuple[Path, Path], tmp_path: Path) -> None:
    base = run[0]
    for file in base.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((base / "config.json").read_text())
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    write_json(tmp_path / "config.json", {**config, "rope_parameters": {"rope_type": "yarn", "factor": 4.0}})
    with pytest.raises(TrainError, match="type 'yarn'"):
        write_gguf(tmp_path, tmp_path / "m.gguf")
    write_json(tmp_path / "config.json", {**config, "model_type": "mamba"})
    with pytest.raises(TrainError, match="'mamba', only for llama, qwen2, qwen3"):
        write_gguf(tmp_path, tmp_path / "m.gguf")
    write_json(tmp_path / "config.json", config)
    write_json(tmp_path / "tokenizer.json", {**tokenizer, "pre_tokenizer": {"type": "Whitespace"}})
    with pytest.raises(TrainError, match="cuts text in a way"):
        write_gguf(tmp_path, tmp_path / "m.gguf")
    write_json(tmp_path / "tokenizer.json", {**tokenizer, "model": {**tokenizer["model"], "type": "Unigram"}})
    with pytest.raises(TrainError, match="not byte-level BPE"):
        write_gguf(tmp_path, tmp_path / "m.gguf")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in base.iterdir())


def test_the_card_copies_what_was_measured_and_tells_no_path(run: tuple[Path, Path], exported: Path) -> None:
    text = (exported / "README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "other"
    assert "base_model" not in front, "a folder is no model of the hub"
    assert "| held-out loss before training, nats a token | 3.400 [3.250, 3.550] (n=16) |" in text
    assert "| held-out loss after fine-tuning | not measured |" in text
    assert "| well-formed replies to held-out prompts | no data (n=0) |" in text
    assert "| win rate against base, judged by blend; 1 of 12 pairs unread | 0.830 [0.670, 1.000] (n=11) |" in text
    assert str(run[0].parent) not in text
    assert "model.gguf" in text
    trained = load_trained(run[1])
    (run[1] / "report.json").rename(run[1] / "elsewhere.json")
    bare = card_text(trained, licence="Apache-2.0", gguf=False)
    (run[1] / "elsewhere.json").rename(run[1] / "report.json")
    assert "Nothing: the run that made this model did not come to its exam." in bare
    assert "license: apache-2.0" in bare
    assert "model.gguf" not in bare
    (run[1] / "elsewhere.json").write_text((run[1] / "report.json").read_text().replace('"stages"', '"steps"'))
    (run[1] / "report.json").rename(run[1] / "kept.json")
    (run[1] / "elsewhere.json").rename(run[1] / "report.json")
    with pytest.raises(StoreError, match="of another version"):
        card_text(trained, licence="Apache-2.0", gguf=False)
    (run[1] / "kept.json").rename(run[1] / "report.json")


def test_a_foreign_folder_is_not_written_over_and_an_export_is_replaced(
    run: tuple[Path, Path], exported: Path, tmp_path: Path
) -> None:
    from her.cli.commands import app

    (tmp_path / "mine.txt").write_text("mine")
    done = CliRunner().invoke(app, ["export", "model", str(run[1]), "--out", str(tmp_path)])
    assert "not an exported model" in str(done.exception)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    done = CliRunner().invoke(app, ["export", "model", str(run[1]), "--out", str(exported)])
    assert done.exit_code == 0, done.output
    assert not (exported / "model.gguf").exists()
