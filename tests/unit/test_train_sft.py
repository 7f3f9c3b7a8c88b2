"""SFT: what is learnt is what is labelled, the order is fixed, and a killed run goes on to the same numbers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from tiny_policy import make_policy

from her.errors import StoreError, TrainError
from her.renderers import Encoded
from her.train import SFTConfig, SFTResult, TrainStep, train_sft
from her.train.batches import plan_rows

CONFIG = SFTConfig(rank=4, alpha=8, learning_rate=5e-3, max_steps=6, batch=2, grad_accum=2, save_every=2, seed=3)


def _samples(n: int = 10) -> list[Encoded]:
    """A prompt of varying length, then always the same five labelled tokens and the end of turn."""
    out = []
    for i in range(n):
        prompt = tuple(3 + (7 * i + j) % 300 for j in range(8 + 3 * i % 11))
        target = (10, 20, 30, 40, 50, 2)
        out.append(
            Encoded(
                sample_id=f"s{i}",
                input_ids=prompt + target,
                labels=(-100,) * len(prompt) + target,
                dropped_messages=0,
            )
        )
    return out


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SFTResult, Path]:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole")
    told: list[TrainStep] = []
    samples = _samples()
    result = train_sft(CONFIG, base=base, train=samples[:8], valid=samples[8:], out=out, progress=told.append)
    assert [t.step for t in told] == [1, 2, 3, 4, 5, 6]
    assert all(t.steps == 6 and "loss" in t.figures for t in told)
    return result, out


def test_the_loss_falls_and_the_adapter_is_there(whole: tuple[SFTResult, Path]) -> None:
    result, out = whole
    assert result.steps == len(result.losses) == 6
    assert result.loss_before is not None
    assert result.loss_after is not None
    assert result.loss_after < result.loss_before
    assert not result.resumed
    assert result.label_tokens_seen == 6 * result.samples_seen
    assert (out / "peft" / "adapter_model.safetensors").is_file()
    assert (out / "adapter.gguf").is_file()
    assert SFTResult.model_validate_json((out / "training.json").read_text()) == result
    assert not list(out.glob(".*"))


def test_held_out_loss_is_the_mean_over_label_tokens(base: Path, whole: tuple[SFTResult, Path]) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    total, count = 0.0, 0
    for s in _samples()[8:]:
        with torch.no_grad():
            logprobs = model(input_ids=torch.tensor([s.input_ids])).logits[0].log_softmax(-1)
        for i, label in enumerate(s.labels):
            if label != -100:
                total -= float(logprobs[i - 1, label])
                count += 1
    assert whole[0].loss_before == pytest.approx(total / count, abs=1e-5)


class _Stop(Exception):
    pass


def test_a_stopped_run_goes_on_to_the_same_curve(base: Path, whole: tuple[SFTResult, Path], tmp_path: Path) -> None:
    def stop(step: TrainStep) -> None:
        if step.step == 5:
            raise _Stop

    samples = _samples()
    with pytest.raises(_Stop):
        train_sft(CONFIG, base=base, train=samples[:8], valid=samples[8:], out=tmp_path, progress=stop)
    half = tmp_path / "checkpoints" / "checkpoint-5"
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half")
    result = train_sft(CONFIG, base=base, train=samples[:8], valid=samples[8:], out=tmp_path)
    assert result.resumed_from == 4
    assert not half.exists()
    assert result.losses == pytest.approx(whole[0].losses, abs=1e-6)
    assert [h.loss for h in result.held_out] == pytest.approx([h.loss for h in whole[0].held_out], abs=1e-6)


def test_kill_minus_nine_then_resume(base: Path, whole: tuple[SFTResult, Path], tmp_path: Path) -> None:
    script = (
        "import os,signal,sys;sys.path.insert(0,sys.argv[3]);from pathlib import Path;import test_train_sft as t\n"
        "def die(s):\n  if s.step==3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "x=t._samples();t.train_sft(t.CONFIG,base=Path(sys.argv[1]),train=x[:8],valid=x[8:],out=Path(sys.argv[2]),progress=die)"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", script, str(base), str(tmp_path), here], capture_output=True, env={**os.environ}
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-500:]
    assert done.stdout == b""
    samples = _samples()
    result = train_sft(CONFIG, base=base, train=samples[:8], valid=samples[8:], out=tmp_path)
    assert result.resumed_from == 2
    assert result.losses == pytest.approx(whole[0].losses, abs=1e-6)


def test_other_settings_do_not_continue_a_checkpoint(base: Path, tmp_path: Path) -> None:
    samples = _samples()
    short = CONFIG.model_copy(update={"max_steps": 2})
    train_sft(short, base=base, train=samples[:8], valid=[], out=tmp_path)
    other = train_sft(short.model_copy(update={"seed": 4}), base=base, train=samples[:8], valid=[], out=tmp_path)
    assert not other.resumed
    assert other.loss_before is None
    again = train_sft(short.model_copy(update={"seed": 4}), base=base, train=samples[:8], valid=[], out=tmp_path)
    assert again.resumed_from == 2
    assert again.losses == other.losses


def test_an_adapter_can_be_continued(base: Path, whole: tuple[SFTResult, Path], tmp_path: Path) -> None:
    samples = _samples()
    one = CONFIG.model_copy(update={"max_steps": 1})
    result = train_sft(one, base=base, train=samples[:8], valid=samples[8:], out=tmp_path, adapter=whole[1] / "peft")
    assert result.loss_before == pytest.approx(whole[0].loss_after, abs=1e-5)


def test_a_full_disk_says_what_to_do(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import her.train.label_trainer as label_trainer

    def full(checkpoint: Path, run: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(label_trainer, "mark_whole", full)
    with pytest.raises(StoreError, match=r"No space left.*free space.*goes on from the last checkpoint"):
        train_sft(CONFIG, base=base, train=_samples(), valid=[], out=tmp_path)


def test_bad_samples_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    good = _samples(1)[0]
    silent = good.model_copy(update={"labels": (-100,) * len(good.labels)})
    with pytest.raises(TrainError, match="no label"):
        train_sft(CONFIG, base=tmp_path, train=[silent], valid=[], out=tmp_path)
    with pytest.raises(TrainError, match="over max_tokens=4"):
        train_sft(CONFIG.model_copy(update={"max_tokens": 4}), base=tmp_path, train=[good], valid=[], out=tmp_path)
    with pytest.raises(TrainError, match="no samples"):
        train_sft(CONFIG, base=tmp_path, train=[], valid=[], out=tmp_path)
    with pytest.raises(TrainError, match="not a Hugging Face model folder"):
        train_sft(CONFIG, base=tmp_path, train=[good], valid=[], out=tmp_path)
    with pytest.raises(ValidationError, match="targets are among"):
        SFTConfig(targets=("lm_head",))


def test_the_order_uses_every_row_before_any_twice() -> None:
    plan = plan_rows(6, wanted=12, seed=1)
    assert sorted(plan[:6]) == sorted(plan[6:]) == list(range(6))
    assert plan == plan_rows(6, wanted=12, seed=1)
    assert plan != plan_rows(6, wanted=12, seed=2)
