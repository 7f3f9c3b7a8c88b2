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


def _her(out: Path, *more: str) -> list[str]:
    return [*HER, "run", str(ROOT / "recipes" / "smoke.toml"), "--out", str(out), *more]


def _run(out: Path, *more: str) -> str:
    done = subprocess.run(_her(out, *more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(400)
def test_the_loop_runs_whole_and_a_second_run_is_a_resume(tmp_path: Path) -> None:
    _run(tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert {"stages", "sft", "judge", "policy", "eval"} <= set(report)
    assert [s["name"] for s in report["stages"]] == ["synth", "data", "sft", "judge", "policy", "exam"]
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!")
    start = time.monotonic()
    assert "✓" not in _run(tmp_path / "run")  # every stage was kept from before
    assert time.monotonic() - start < 60


@pytest.mark.timeout(300)
def test_a_run_killed_in_its_stages_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """SIGKILL in synthesis and in fine-tuning; every output and manifest has the same bytes in the end."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    _run(whole, "--until", "sft")
    assert [_kill_in(stage, killed) for stage in ("synth", "sft")] == [True, True]
    _run(killed, "--until", "sft")
    for stage in ("synth", "data", "sft"):
        manifest = (whole / stage / "manifest.json").read_bytes()
        assert (killed / stage / "manifest.json").read_bytes() == manifest


def _kill_in(stage: str, out: Path) -> bool:
    """Start the run and kill it a moment after `stage` has begun. Was the stage still unfinished?"""
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
