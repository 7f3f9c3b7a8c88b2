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
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
HER = [sys.executable, "-c", "from her.cli import main; main()"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_a_recipe_is_read(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.run.name == path.stem


def _run(out: Path) -> subprocess.CompletedProcess[str]:
    command = [*HER, "run", str(ROOT / "recipes" / "smoke.toml"), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _figures(out: Path) -> dict[str, object]:
    """The report without what a clock or a resume changes."""
    report = json.loads((out / "report.json").read_text())
    for row in report["stages"]:
        del row["seconds"], row["resumed"]
    del report["about"]
    return dict(report)


@pytest.mark.timeout(420)
def test_the_loop_runs_whole_and_a_killed_one_ends_the_same(tmp_path: Path) -> None:
    """One run is killed with SIGKILL once in every stage and started again; its figures are those of a whole run."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    done = _run(whole)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((whole / "report.json").read_text())
    assert {"stages", "sft", "judge", "policy", "eval"} <= set(report)
    assert [s["name"] for s in report["stages"]] == ["synth", "data", "sft", "judge", "policy", "exam"]
    assert (whole / "report.html").read_text().startswith("<!")

    start = time.monotonic()
    again = _run(whole)
    assert again.returncode == 0, again.stdout + again.stderr
    assert time.monotonic() - start < 60
    assert "✓" not in again.stdout  # every stage was kept from before

    caught = [_kill_in(stage, killed) for stage in ("synth", "sft", "judge", "policy", "exam")]
    assert sum(caught) >= 4, f"too many stages were over before the signal came: {caught}"
    done = _run(killed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _figures(killed) == _figures(whole)


def _kill_in(stage: str, out: Path) -> bool:
    """Start the run and kill it a moment after `stage` has begun. Was the stage still unfinished?"""
    command = [*HER, "run", str(ROOT / "recipes" / "smoke.toml"), "--out", str(out)]
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
