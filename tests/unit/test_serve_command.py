"""`her serve` as a process: it starts, answers, stops, and refuses what it must."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from serving import CONTENT, REPLY

COMMAND = "from her.cli.serve import serve; import typer; typer.run(serve)"


def start(folder: Path, *options: str) -> list[str]:
    (folder / "mara.jsonl").write_text(json.dumps({"text": REPLY}) + "\n", encoding="utf-8")
    return [sys.executable, "-c", COMMAND, "--model", f"scripted:{folder}/mara.jsonl", *options]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_a_persona_server_answers_until_it_is_stopped(tmp_path: Path) -> None:
    port = free_port()
    options = ["--port", str(port), "--scene", "s03", "--character", "Mara"]
    with subprocess.Popen(start(tmp_path, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        assert f"http://127.0.0.1:{port}/v1" in up.stdout.readline()
        body = {"messages": [{"role": "user", "content": "Lit?"}]}
        answer = httpx2.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, timeout=20)
        assert answer.json()["choices"][0]["message"]["content"] == CONTENT
        up.send_signal(signal.SIGINT)
        _, err = up.communicate(timeout=20)
    assert (up.returncode, err) == (0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "0.0.0.0"), "without a key"),
        (("--host", "0.0.0.0", "--api-key-env", "HER_NO_SUCH"), "HER_NO_SUCH"),
        (("--host", "0.0.0.0", "--api-key-env", "HER_SHORT"), "too short"),
        (("--scene", "s03"), "--scene needs --character"),
        (("--scene", "s99", "--character", "Mara"), "there is no scene 's99'"),
        (("--port", "TAKEN"), "is taken"),
    ],
)
def test_a_start_that_must_not_be(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = [port if o == "TAKEN" else o for o in options]
        done = subprocess.run(
            start(tmp_path, *words),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "HER_SHORT": "k3y-canary", "COLUMNS": "400"},
        )
    assert done.returncode != 0
    assert message in done.stderr
    assert "k3y-canary" not in done.stderr
