"""What a shell learns: every way of ending has its exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HER = [sys.executable, "-c", "from her.cli import main; main()"]


def _her(*arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*HER, *arguments], capture_output=True, text=True, check=False, cwd=cwd)


def test_success_a_wrong_word_and_an_error_are_told_apart(tmp_path: Path) -> None:
    assert _her("--version").returncode == 0
    assert _her("nonsense").returncode == 2
    missing = _her("parse", str(tmp_path / "none.txt"))
    assert missing.returncode != 0
    assert missing.stderr.startswith("error: ")


def _extra(name: str, body: str) -> list[str]:
    """A command of our own, run as `her` runs every command."""
    code = (
        "import signal, sys, time, typer; import her.cli as cli; from her.cli.commands import app\n"
        # Whoever runs the tests in the background has Ctrl-C ignored, which children inherit.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"@app.command()\ndef {name}() -> None:\n    {body}\n"
        f"sys.argv = ['her', '{name}']; cli.main()"
    )
    return [sys.executable, "-c", code]


def test_a_command_that_ends_with_a_code_ends_the_process_with_it() -> None:
    assert subprocess.run(_extra("seven", "raise typer.Exit(7)"), check=False).returncode == 7


@pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
def test_ctrl_c_is_130_and_says_that_nothing_is_lost() -> None:
    command = _extra("wait", "print('ready', flush=True); time.sleep(60)")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "the same command goes on from there" in said
