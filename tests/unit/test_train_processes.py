"""Two processes train what one does: the same rows, the same replies, the same losses; the first alone rewards."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import processes_case as case
import pytest
from test_train_sft import _samples
from tiny_policy import make_policy

from her.errors import TrainError
from her.train import PolicyResult, SFTResult, train_sft
from her.train.batches import deal
from her.train.processes import Processes, led, processes
from her.train.sft import SFTJob

HERE = Path(__file__).parent
TOLERANCE = 2e-5
"""Nats a token: gradients are summed in another order."""


def together(*command: str) -> list[subprocess.CompletedProcess[str]]:
    """The same command in two processes that find each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    done = [(p, *p.communicate()) for p in started]
    return [subprocess.CompletedProcess(command, p.returncode, out, err) for p, out, err in done]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The base, and the folders of one process and of two."""
    folder = tmp_path_factory.mktemp("runs")
    base = make_policy(folder / "base")
    case.work(base, folder / "one")
    for done in together(str(HERE / "processes_case.py"), str(base), str(folder / "two")):
        assert done.returncode == 0, done.stderr[-2000:]
        assert not done.stdout
    return base, folder / "one", folder / "two"


def _sft(folder: Path) -> SFTResult:
    return SFTResult.model_validate_json((folder / "sft" / "training.json").read_text())


def _policy(folder: Path, name: str = "policy") -> PolicyResult:
    return PolicyResult.model_validate_json((folder / name / "training.json").read_text())


@pytest.mark.timeout(900)
def test_fine_tuning_in_two_processes_has_the_losses_of_one(runs: tuple[Path, Path, Path]) -> None:
    one, two = _sft(runs[1]), _sft(runs[2])
    assert two.steps == one.steps == 4
    assert two.losses == pytest.approx(one.losses, abs=TOLERANCE)
    assert two.losses[0] - two.losses[-1] > 1000 * TOLERANCE, "too little was learnt to tell anything apart"
    assert [h.loss for h in two.held_out] == pytest.approx([h.loss for h in one.held_out], abs=TOLERANCE)
    assert [len(h.samples) for h in two.held_out] == [3, 3]
    assert (two.samples_seen, two.label_tokens_seen) == (one.samples_seen, one.label_tokens_seen)


@pytest.mark.timeout(900)
def test_reinforcement_in_two_processes_writes_and_rewards_the_same_replies(runs: tuple[Path, Path, Path]) -> None:
    one, two = _policy(runs[1]), _policy(runs[2])
    assert (runs[2] / "policy" / "rollouts.jsonl").read_text() == (runs[1] / "policy" / "rollouts.jsonl").read_text()
    assert [s.replies for s in two.curve] == [6] * 3
    assert [s.loss for s in two.curve] == pytest.approx([s.loss for s in one.curve], abs=TOLERANCE)
    assert [s.reward for s in two.curve] == pytest.approx([s.reward for s in one.curve])
    assert [s.token_entropy for s in two.curve] == pytest.approx([s.token_entropy for s in one.curve], abs=1e-3)


@pytest.mark.timeout(900)
def test_adapters_agree_and_a_step_without_a_lesson_does_not_hang(runs: tuple[Path, Path, Path]) -> None:
    from safetensors.numpy import load_file

    for name in ("sft", "policy"):
        one, two = (load_file(r / name / "peft" / "adapter_model.safetensors") for r in runs[1:])
        moved = max(abs(w).max() for key, w in one.items() if "lora_B" in key)
        assert max(abs(one[key] - two[key]).max() for key in one) < 0.02 * moved
    assert _policy(runs[2], "cut_off").curve[0].truncated == 6
    still = load_file(runs[2] / "cut_off" / "peft" / "adapter_model.safetensors")
    assert all(abs(w).max() < 1e-8 for key, w in still.items() if "lora_B" in key)


@pytest.mark.timeout(900)
def test_what_two_processes_began_one_goes_on_with(runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    shutil.copytree(runs[2] / "sft", tmp_path / "sft")
    shutil.rmtree(tmp_path / "sft" / "checkpoints" / "checkpoint-4")
    samples = _samples()
    result = train_sft(case.SFT, base=runs[0], train=samples[:7], valid=samples[7:], out=tmp_path / "sft")
    assert result.resumed_from == 2
    assert result.losses == pytest.approx(_sft(runs[1]).losses, abs=TOLERANCE)


@pytest.mark.timeout(900)
def test_under_a_launcher_the_first_has_the_command_and_the_others_leave_with_it() -> None:
    first, second = together("-m", "her", "models", "list")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "smollm2" in first.stdout
    assert not second.stdout
    first, second = together("-m", "her", "run", "no-such-recipe.toml")
    assert first.returncode == 2
    assert "no such file" in first.stderr
    assert second.returncode == 1
    assert "process 1: the first process is gone" in second.stderr


def test_rows_are_dealt_so_that_a_step_stays_a_step() -> None:
    assert deal("abcdef", per_step=3, processes=1) == [(row, True) for row in "abcdef"]
    dealt = deal("abcdef", per_step=3, processes=2)
    assert [row for row, counts in dealt if counts] == list("abcdef")
    assert [dealt[i : i + 4] for i in (0, 4)] == [
        [("a", True), ("b", True), ("c", True), ("a", False)],
        [("d", True), ("e", True), ("f", True), ("d", False)],
    ]


def test_trainings_that_would_wait_for_ever_are_refused(tmp_path: Path) -> None:
    job = SFTJob(config=case.SFT, base=tmp_path, adapter=None, train=(), valid=(), out=tmp_path, run="r", resume=None)
    with led(job), pytest.raises(TrainError, match="inside another"), led(job):
        raise AssertionError("not reached")
    assert not processes().busy
    processes().refuse_unled()
    two = Processes(rank=0, size=2)
    with pytest.raises(TrainError, match="one process only, and 2 were started"):
        two.refuse_unled()
    assert two.share(4, "prompts_per_step") == 2
    with pytest.raises(TrainError, match=r"prompts_per_step=3 cannot be dealt.*multiple of 2"):
        two.share(3, "prompts_per_step")


@pytest.mark.parametrize(
    "path", sorted((HERE.parents[1] / "recipes" / "accelerate").glob("*.yaml")), ids=lambda p: p.stem
)
def test_launcher_settings_are_ones_that_accelerate_knows(path: Path) -> None:
    """Read by accelerate's own reader, which refuses unknown keys. Nothing more was tested of them: they need GPUs."""
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes == 8
    wanted = {"gpus": "MULTI_GPU", "fsdp": "FSDP", "deepspeed": "DEEPSPEED"}
    assert config.distributed_type.value == wanted[path.stem]
