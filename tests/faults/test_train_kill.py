"""kill -9 at a random step of each training: the run goes on to the same numbers, and no judge's call is paid twice."""

import json
import multiprocessing
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from train_kill_case import CALLS_A_STEP, FINE_TUNED, POLICY, base_in, work

from her.llm import Ledger
from her.train import PolicyResult, SFTResult

DICE = random.Random(11)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_in(tmp_path_factory.mktemp("tiny"))


def _child(stage: str, base: Path, out: Path, dies_at: int | None) -> int | None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["her.train.group_trainer", "her.train.label_trainer"])  # torch is read once
    out.mkdir(exist_ok=True)
    child = context.Process(target=work, args=(stage, base, out, dies_at))
    child.start()
    child.join()
    return child.exitcode


def _peace_and_war(stage: str, base: Path, folder: Path, *, dies_at: int) -> tuple[Path, Path]:
    """The folders of a run that nobody disturbed, and of one that was killed and went on."""
    peace, war = folder / "peace", folder / "war"
    assert _child(stage, base, peace, None) == 0
    assert _child(stage, base, war, dies_at) == -signal.SIGKILL, "death came too late"
    assert _child(stage, base, war, None) == 0
    assert _learning_rates(war) == _learning_rates(peace) != []
    return peace, war


def _learning_rates(out: Path) -> list[float]:
    newest = max((out / "checkpoints").glob("checkpoint-*"), key=lambda p: int(p.name.removeprefix("checkpoint-")))
    log: list[dict[str, Any]] = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    return [entry["learning_rate"] for entry in log if "learning_rate" in entry]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("stage", sorted(FINE_TUNED))
def test_fine_tuning_goes_on_to_the_same_losses(stage: str, base: Path, tmp_path: Path) -> None:
    config = FINE_TUNED[stage]
    dies_at = DICE.randint(config.save_every + 1, 4)
    folders = _peace_and_war(stage, base, tmp_path, dies_at=dies_at)
    one, two = (SFTResult.model_validate_json((f / "training.json").read_text()) for f in folders)
    assert two.resumed_from == (dies_at - 1) // config.save_every * config.save_every
    assert two.losses == pytest.approx(one.losses, abs=1e-6)
    assert [h.loss for h in two.held_out] == pytest.approx([h.loss for h in one.held_out], abs=1e-6)


@pytest.mark.timeout(900)
def test_reinforcement_goes_on_and_pays_for_no_verdict_twice(base: Path, tmp_path: Path) -> None:
    # Within the scoring of a step: some of its calls are paid, none of its gradients is there.
    dies_at = DICE.randint(POLICY.save_every * CALLS_A_STEP + 2, POLICY.steps * CALLS_A_STEP)
    peace, war = _peace_and_war("policy", base, tmp_path, dies_at=dies_at)
    before, after = (PolicyResult.model_validate_json((f / "training.json").read_text()) for f in (peace, war))
    assert after.resumed_from == 2
    assert [s.loss for s in after.curve] == pytest.approx([s.loss for s in before.curve], abs=1e-6)
    # The same prompts in the same order, the same replies, the same rewards.
    assert (war / "rollouts.jsonl").read_bytes() == (peace / "rollouts.jsonl").read_bytes()
    calls = (war / "calls.txt").read_text().splitlines()
    assert len(calls) == len(set(calls)), "a call was paid twice"
    assert sorted(calls) == sorted((peace / "calls.txt").read_text().splitlines())
    with Ledger(war / "ledger.sqlite") as ledger:
        assert ledger.tally("policy").calls == len(calls) >= dies_at - 1
