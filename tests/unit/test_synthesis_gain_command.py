"""`her synth` to its end: thoughts weighed, a page written; killed while it weighs and resumed to the same bytes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_synthesis_extract_command import BOATS, Upstream, made
from tiny_policy import make_policy
from typer.testing import CliRunner

from her.cli.commands import app
from her.errors import ModelNameError


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    up = Upstream(BOATS)
    yield up
    up.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"hf:{make_policy(tmp_path_factory.mktemp('tiny') / 'model')}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Curated dialogues, which have thoughts: the teacher of these tests writes none that is kept."""
    talk = [
        ("Anna", "[He must not see how tired I am.] (sighs) The wheel is cracked."),
        ("Paul", "[She sighs and thinks I am deaf.] Then mend it before the flood."),
        ("Anna", "[I should have asked the smith last week.] With what?"),
        ("Paul", "With your hands."),
    ]
    conversation = {
        "scenario": "A mill.",
        "i_c": 1,
        "key_characters": [{"name": "Anna", "thought": "To mend the wheel."}],
        "dialogues": [{"character": who, "message": text} for who, text in talk],
    }
    path = tmp_path / "mill.full.json"
    path.write_text(json.dumps({"plots": [{"text": "A mill.", "i_p": 1, "conversation": [conversation]}]}))
    return path


def arguments(source: Path, out: Path, *, teacher: str, scorer: str) -> list[str]:
    return ["synth", str(source), "--teacher", teacher, "--scorer", scorer, "--out", str(out)]


def invoke(*args: str) -> None:
    done = CliRunner().invoke(app, list(args))
    if done.exception is not None:
        raise done.exception


def test_killed_while_it_weighs_and_resumed_it_makes_the_same_bytes(
    source: Path, tmp_path: Path, upstream: Upstream, tiny: str
) -> None:
    whole, cut = tmp_path / "whole" / "run", tmp_path / "cut" / "run"
    invoke(*arguments(source, whole, teacher=upstream.name, scorer=tiny))
    args = arguments(source, cut, teacher=upstream.name, scorer=tiny)
    running = subprocess.Popen([sys.executable, "-c", "from her.cli import main; main()", *args])
    while not (cut / "gain" / "key.json").exists() and running.poll() is None:
        time.sleep(0.005)
    assert running.poll() is None, "it finished before it was killed"
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (cut / "gain" / "manifest.json").exists()
    invoke(*args)
    assert made(cut / "gain") == made(whole / "gain")
    for name in ("report.html", "report.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    report = json.loads((whole / "report.json").read_text())
    (thoughts,) = report["gains"]
    counts = {c["what"]: c["n"] for c in report["counts"]}
    assert thoughts["value"]["n"] + sum(thoughts["unmeasured"].values()) == counts["turns"]
    assert thoughts["value"]["n"] == len(thoughts["values"]) > 0
    assert report["calls"][-1]["what"] == "gains"
    assert report["calls"][-1]["calls"] >= 3 * thoughts["value"]["n"]


def test_without_gains_the_page_says_so(source: Path, tmp_path: Path, upstream: Upstream) -> None:
    out = tmp_path / "run"
    invoke("synth", str(source), "--teacher", upstream.name, "--no-gain", "--out", str(out))
    assert "Absent: the weighing of thoughts did not run." in (out / "report.html").read_text()
    assert not (out / "gain").exists()


def test_a_scorer_without_weights_is_refused_before_a_folder_is_made(
    source: Path, tmp_path: Path, upstream: Upstream
) -> None:
    out = tmp_path / "run"
    asked = upstream.served
    with pytest.raises(ModelNameError, match="cannot score"):
        invoke(*arguments(source, out, teacher=upstream.name, scorer=upstream.name))
    assert upstream.served == asked
    assert not out.exists()
