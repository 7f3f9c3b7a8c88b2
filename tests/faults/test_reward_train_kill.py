"""`her reward train` killed in the midst of reinforcement: it goes on, and the teacher is not asked again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from judge_lessons import pairs
from tiny_policy import make_policy

from her.llm import Ledger
from her.store import write_jsonl

STEPS = 12
RECIPE = f"""
[brief]
mode = "coupled"
max_turns = 0
max_words = 2
max_findings = 1
[sft]
max_steps = 1
max_tokens = 2000
row_tokens = 800
rank = 4
[rl]
steps = {STEPS}
group_size = 2
max_completion_tokens = 4
max_prompt_tokens = 2000
save_every = 1
rank = 4
"""


@pytest.mark.timeout(600)
def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "pairs.jsonl", pairs(8))
    (tmp_path / "judge.toml").write_text(RECIPE)
    # Whatever it is asked, this teacher prefers the long reply, by a principle of the shipped pack.
    lines = []
    for winner, first in (
        ("cand_1", r"===cand_1===\n<<<\nAnn: It went"),
        ("cand_2", r"===cand_2===\n<<<\nAnn: It went"),
    ):
        answer = {"findings": [{"principle": "Own Voice", "winner": winner}], "better_response": winner}
        lines.append(json.dumps({"match": first, "text": json.dumps(answer)}))
    (tmp_path / "teacher.jsonl").write_text("\n".join(lines))
    make_policy(tmp_path / "base")
    run = tmp_path / "run"
    command = [
        *(sys.executable, "-c", "from her.cli import main; main()", "reward", "train", "--rl"),
        *("--pairs", str(tmp_path / "pairs.jsonl"), "--recipe", str(tmp_path / "judge.toml"), "--out", str(run)),
        *("--base", f"hf:{tmp_path / 'base'}", "--teacher", f"scripted:{tmp_path / 'teacher.jsonl'}"),
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        while not (run / "rl/model/checkpoints/checkpoint-2/her-checkpoint.json").exists():
            assert child.poll() is None, "the training ended before it could be killed"
            time.sleep(0.01)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    assert not (run / "rl" / "manifest.json").exists()
    paid = _paid(run)
    assert paid == 12, "both orders of the six pairs that are not of the test part"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kept from before") == 2
    assert _paid(run) == paid
    result = json.loads((run / "rl/model/training.json").read_text())
    assert 2 <= result["resumed_from"] < STEPS
    steps = [json.loads(line)["step"] for line in (run / "rl/model/rollouts.jsonl").read_text().splitlines()]
    assert steps == [s for s in range(1, STEPS + 1) for _ in range(4)], "every verdict once"


def _paid(run: Path) -> int:
    with Ledger(run / "ledger.sqlite") as ledger:
        return ledger.tally("lessons").calls
