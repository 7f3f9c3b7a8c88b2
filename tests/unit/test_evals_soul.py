"""SOUL's bundle: every part beside the mean, what was not held named, and no mean where a part has no number."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from exam_cases import Answering, examined, settled
from typer.testing import CliRunner

from her.cli.eval import app
from her.errors import ConfigError
from her.evals.benchmarks import benchmark, names
from her.evals.benchmarks.hitom import HITOM
from her.evals.benchmarks.soul import TASKS, NotHeld, Part, bundle, part_of, profile_of
from her.stats import Estimate


def part(low: float | None, value: float | None, high: float | None, n: int = 100) -> Part:
    share = Estimate(value=value, low=low, high=high, n=n)
    return Part(
        task="t", benchmark="b", profile="fixed", metric="m", data="d", estimate=share, share=share, unscored=0,
        marked=False,
    )  # fmt: skip


def test_the_mean_by_hand() -> None:
    found = bundle("m", [part(0.4, 0.5, 0.7), part(0.6, 0.9, 1.0)], [NotHeld(task="x", reason="y")]).mean
    assert (found.value, found.n) == (pytest.approx(0.7), 2)
    assert found.low == pytest.approx(0.7 - (0.1**2 + 0.3**2) ** 0.5 / 2)
    assert found.high == pytest.approx(0.7 + (0.2**2 + 0.1**2) ** 0.5 / 2)


def test_a_part_without_a_number_leaves_no_mean() -> None:
    assert bundle("m", [part(0.4, 0.5, 0.7), part(None, None, None, 0)], []).mean.value is None
    assert bundle("m", [], [NotHeld(task="x", reason="y")]).mean.value is None


def test_shares_are_of_the_scale_and_turned_where_less_is_better() -> None:
    (_, summary), task = examined(HITOM, Answering(lambda _: "A")), TASKS[1]
    other = {"scale": (-1.0, 3.0), "higher_is_better": False}
    plain, turned = (part_of(task, card, summary) for card in (HITOM.card, HITOM.card.model_copy(update=other)))
    value = plain.share.value
    assert value is not None
    assert turned.share.value == pytest.approx(1 - (value + 1) / 4)
    assert turned.share.low == pytest.approx(1 - ((plain.share.high or 0) + 1) / 4)


def test_every_task_is_there_or_named_as_missing() -> None:
    assert len(TASKS) == 10
    for task in TASKS:
        assert task.benchmark is None or task.benchmark in names()
    assert profile_of(benchmark("fantom").card, "soul") == "soul"
    assert profile_of(HITOM.card, "soul") == "upstream"
    assert profile_of(HITOM.card, "fixed") == "fixed"
    assert settled(HITOM, profile=profile_of(HITOM.card, "soul")).options["prompting"] == "cot"


def test_the_command_holds_what_needs_no_judge(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    script = tmp_path / "script.jsonl"
    script.write_text('{"text": "<answer>A</answer>"}\n')
    out = tmp_path / "soul"
    words = ["her", "eval", "soul", "--model", f"scripted:{script}", "--limit", "4", "--out", str(out)]
    # A process of its own: libraries of the engine warn of each other, and warnings are errors here.
    code = f"import sys; from her.cli import main; sys.argv = {words!r}; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "not held: CoSER, UserLLM" in done.stdout
    found = json.loads((out / "soul.json").read_text())
    assert [p["task"] for p in found["parts"]] == ["FanToM", "HiToM", "LifeChoices", "TwinVoice"]
    assert {n["task"] for n in found["not_held"]} == {"ToMi", "CoSER", "Sotopia", "Mistakes", "MirrorBench", "UserLLM"}
    assert all((out / p["benchmark"] / "score" / "summary.json").is_file() for p in found["parts"])
    assert found["mean"]["n"] == 4


def test_a_task_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="soul has no task 'minimax'"):
        CliRunner().invoke(app, ["soul", "--model", "scripted:x", "--data", "minimax=hub"], catch_exceptions=False)
