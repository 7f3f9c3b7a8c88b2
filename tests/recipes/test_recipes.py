"""Every recipe is read; the smallest one runs whole, on the real embedded model, and a second run is a resume."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from her.cli.recipe import load_recipe

ROOT = Path(__file__).parents[2]
RECIPES = [p for p in sorted((ROOT / "recipes").glob("*.toml")) if "[run]" in p.read_text(encoding="utf-8")]
HER = [sys.executable, "-c", "from her.cli import main; main()"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_a_recipe_is_read(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.run.name == path.stem


def test_the_papers_recipe_is_the_papers_method() -> None:
    recipe = load_recipe(ROOT / "recipes" / "paper.toml")
    assert recipe.run.system_thinking
    assert (recipe.group.schedule, recipe.group.anchor_both_orders, recipe.novelty.weight) == ("anchor", False, 0.0)
    assert recipe.policy.loss_type == "dapo"
    assert recipe.policy.epsilon_high > recipe.policy.epsilon


def _her(out: Path, *more: str) -> list[str]:
    return [*HER, "run", str(ROOT / "recipes" / "smoke.toml"), "--out", str(out), *more]


def _run(out: Path, *more: str) -> str:
    done = subprocess.run(_her(out, *more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the whole loop that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    _run(out)
    return out


@pytest.mark.timeout(600)
def test_the_loop_runs_whole_and_a_second_run_is_a_resume(whole: Path) -> None:
    report = json.loads((whole / "report.json").read_text())
    assert {"stages", "sft", "judge", "policy", "eval"} <= set(report)
    assert [s["name"] for s in report["stages"]] == ["synth", "data", "sft", "judge", "policy", "exam"]
    assert (whole / "report.html").read_text().startswith("<!")
    for stage in report["stages"]:
        folder = whole / stage["name"]
        for name in json.loads((folder / "manifest.json").read_text())["outputs"]:
            # Where a run lies is in nothing that it writes: the same run elsewhere has the same bytes.
            written = folder / name
            assert not written.is_file() or str(whole).encode() not in written.read_bytes(), written
    start = time.monotonic()
    assert "✓" not in _run(whole)  # every stage was kept from before
    assert time.monotonic() - start < 60


@pytest.mark.timeout(300)
def test_a_run_killed_in_its_stages_ends_as_one_that_was_not(whole: Path, tmp_path: Path) -> None:
    """SIGKILL in synthesis and in fine-tuning; every output and manifest has the same bytes in the end."""
    killed = tmp_path / "killed"
    assert [_kill_in(stage, killed) for stage in ("synth", "sft")] == [True, True]
    _run(killed, "--until", "sft")
    for stage in ("synth", "data", "sft"):
        assert (killed / stage / "manifest.json").read_bytes() == (whole / stage / "manifest.json").read_bytes(), stage


def _kill_in(stage: str, out: Path) -> bool:
    """Go on with the run and kill it a moment after `stage` has begun. Was the stage still unfinished?"""
    command = _her(out, "--until", "sft")
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        while not (out / stage / "key.json").exists():
            assert child.poll() is None, f"the run ended before {stage}"
            time.sleep(0.05)
        time.sleep(3)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return not (out / stage / "manifest.json").exists()
