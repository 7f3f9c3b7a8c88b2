"""`her export verl`: rows as stock verl indexes them, and a reward manager that agrees with the scorer in process."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reward_cases import RuleJudge, prompt, text, turn
from test_reward_service import GATES, _moody, service

from her.cli.export import LAUNCH, MANAGER, launch, verl
from her.data.exports.verl import write_verl
from her.errors import InputError
from her.reward.group import GroupReward
from her.schema import RLPrompt
from her.store import write_jsonl

STUB = Path(__file__).with_name("verl_stub")
pytest.importorskip("pyarrow", reason="needs the data extra")


def _export(folder: Path) -> Path:
    places = [
        prompt().model_copy(update={"id": f"p{i}", "split": s}) for i, s in enumerate(("valid", "train", "train"))
    ]
    write_jsonl(folder / "rl.jsonl", places)
    verl(folder / "rl.jsonl", out=folder / "out", policy="org/m o", judge="label:run:x", group=4, gpus=2)
    return folder / "out"


def test_rows_are_what_stock_verl_indexes(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    out = _export(tmp_path)
    rows = pq.read_table(out / "train.parquet").to_pylist()
    assert [r["extra_info"]["id"] for r in rows] == ["p1", "p2"]
    assert [r["extra_info"]["index"] for r in rows] == [0, 1]
    for row in rows:
        assert set(row) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
        assert row["prompt"] == [{"role": "user", "content": "x"}]
        assert row["reward_model"]["ground_truth"] == "Ann: It went where stones go, father."
        assert RLPrompt.model_validate_json(row["extra_info"]["place"]).id == row["extra_info"]["id"]
    assert pq.read_table(out / "valid.parquet").num_rows == 1
    assert not (out / "test.parquet").exists()


def test_the_same_places_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = _export(tmp_path / "a"), _export(tmp_path / "b")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_the_launch_command_is_bash_and_quotes_what_it_is_given(tmp_path: Path) -> None:
    out = _export(tmp_path)
    bash = shutil.which("bash")
    assert bash is not None
    assert subprocess.run([bash, "-n", str(out / LAUNCH)], check=True).returncode == 0
    told = launch(out, policy="a'; rm -rf /", judge="openai:m@http://x/v1; true", group=4, gpus=1)
    assert "model.path='a'\"'\"'; rm -rf /'" in told
    assert "--judge 'openai:m@http://x/v1; true'" in told
    assert "rollout.n=4 " in told
    assert "norm_adv_by_std_in_grpo=False" in told


def test_what_is_no_place_is_refused_and_nothing_written(tmp_path: Path) -> None:
    twice = tmp_path / "twice.jsonl"
    write_jsonl(twice, [prompt(), prompt()])
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    for path, message in ((twice, "stands twice"), (empty, "no places"), (tmp_path / "gone.jsonl", "no such file")):
        with pytest.raises(InputError, match=message):
            write_verl(path, out=tmp_path / "out", texts={})
    assert not (tmp_path / "out").exists()


def test_the_manager_asks_by_cohort_and_agrees_with_the_scorer_in_process(tmp_path: Path) -> None:
    """Four replies in a cohort: one gated, one cut off by the length limit; a second cohort lacks a member."""
    import pyarrow.parquet as pq

    pytest.importorskip("aiohttp", reason="what verl's environment has")
    out = _export(tmp_path)
    row = pq.read_table(out / "train.parquet").to_pylist()[0]
    texts = [
        text(turn("one")),
        text(turn("one two")),
        "<role_action>",
        text(turn("three four five")),
    ]
    place = RLPrompt.model_validate_json(row["extra_info"]["place"])
    ends = ["stop", "stop", "stop", "length"]

    def drive(url: str, **fields: object) -> list[dict[str, object]]:
        given = tmp_path / "row.json"
        given.write_text(json.dumps({**row, **fields}))
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HER_")}
        env = {**clean, "PYTHONPATH": str(STUB), "HER_REWARD_URL": url, "HER_REWARD_DEADLINE_S": "1"}
        command = [sys.executable, str(STUB / "drive.py"), str(out / MANAGER), str(given)]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found

    with service(RuleJudge(_moody)) as client:
        got = drive(str(client.base_url), n=4, cut=3, texts=texts)
    rewarder = GroupReward(RuleJudge(_moody), gates=GATES)
    expected = asyncio.run(rewarder(place, texts, ends))  # type: ignore[arg-type]
    known = [r.reward for r in expected if r.reward is not None]
    for there, here in zip(got, expected, strict=True):
        logged = there["reward_extra_info"]
        assert isinstance(logged, dict)
        assert there["reward_score"] == (here.reward if here.reward is not None else sum(known) / len(known))
        assert (logged["her_unknown"], logged["her_gated"]) == (
            float(here.reward is None),
            float(here.gated is not None),
        )
        assert logged["her_absent"] == 0
    assert expected[3].gated == "truncated"
    with service(RuleJudge(_moody)) as client:
        partial = drive(str(client.base_url), n=4, cut=-1, texts=texts[:2])
    assert [r["reward_extra_info"]["her_absent"] for r in partial] == [2.0, 2.0]  # type: ignore[index]
