"""The Slurm scripts, run as Slurm would run them but one after the other and without it: same shell, same variables."""

import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from her.store import lines

ROOT = Path(__file__).parents[2]
SLURM = ROOT / "recipes" / "slurm"
HER = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT / "src")!r})
from her.cli import main
main()
"""
VLLM = f"""#!{sys.executable}
# `vllm serve MODEL --host HOST --port PORT`, as far as the script can tell.
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({{"data": [{{"id": sys.argv[2]}}]}})
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        with open("asked-" + sys.argv[6], "a") as file:
            file.write("1")
        choice = {{"message": {{"role": "assistant", "content": "Nothing."}}, "finish_reason": "stop"}}
        self.answer({{"choices": [choice], "usage": {{"prompt_tokens": 2, "completion_tokens": 1}}}})
    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *args):
        pass
ThreadingHTTPServer((sys.argv[4], int(sys.argv[6])), Handler).serve_forever()
"""
STORY = (
    "Chapter 1\n\nThe harbour lay grey, and {0} lay in it.\n\n“Is the {0} ready?” said Ann. “The tide turns at "
    "noon.”\n\n“It was ready at dawn,” said Joanne.\n\n“Then we sail in her,” said Ann.\n\n“We sail when the captain "
    "is sober,” said Joanne.\n"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a shelf, a script for a teacher, and `her` and `vllm` on its path."""
    books = [{"id": name, "text": STORY.format(name)} for name in ("Boat", "Ship", "Raft")]
    (tmp_path / "shelf.jsonl").write_text("".join(json.dumps(b) + "\n" for b in books), encoding="utf-8")
    (tmp_path / "teacher.jsonl").write_text(json.dumps({"text": "Nothing."}) + "\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    for name, text in (("her", HER), ("vllm", VLLM)):
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run(place: Path, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    env = {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "SHELF": "shelf.jsonl",
        "RUNS": "runs",
        "TEACHER": "scripted:teacher.jsonl",
        "HER_OPTIONS": "--no-gain",
        **variables,
    }
    return subprocess.run(
        ["bash", SLURM / script], cwd=place, env=env, capture_output=True, text=True, check=False, timeout=200
    )


def test_an_array_of_shards_and_a_merge_that_waits_for_them(place: Path) -> None:
    for task in ("1", "2"):
        done = run(place, "shard.sh", SHARDS="2", SLURM_ARRAY_TASK_ID=task)
        assert done.returncode == 0, done.stdout + done.stderr
        if task == "1":
            early = run(place, "merge.sh")
            assert early.returncode == 1
            assert "of 2 shards these are missing: 2" in early.stderr
            assert not (place / "runs" / "whole").exists()
    done = run(place, "merge.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept from before" in done.stdout
    assert (place / "runs" / "whole" / "report.html").exists()
    assert sum(1 for _ in lines(place / "runs" / "whole" / "synth" / "books.jsonl")) == 3
    assert "submit this with --array" in run(place, "shard.sh", SHARDS="2").stderr


def two_ports() -> int:
    """The first of two free ports in a row, below those that the system hands to the tests beside this one."""
    for port in random.sample(range(20_000, 32_000), 100):
        try:
            for each in (port, port + 1):
                with socket.socket() as free:
                    free.bind(("127.0.0.1", each))
        except OSError:
            continue
        return port
    raise OSError("no two free ports in a row between 20000 and 32000")


def test_several_servers_of_one_node_are_one_teacher(place: Path) -> None:
    port = two_ports()
    done = run(place, "vllm.sh", MODEL="m", SERVERS="2", PORT=str(port), HER_OPTIONS="--no-gain --extract rules")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((place / f"asked-{port + i}").exists() for i in range(2))
    report = json.loads((place / "runs" / "synth" / "report.json").read_text(encoding="utf-8"))
    assert report["teacher"] == f"openai:m@http://127.0.0.1:{port}/v1,http://127.0.0.1:{port + 1}/v1"


def test_a_server_that_ends_is_not_waited_for(place: Path) -> None:
    (place / "bin" / "vllm").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    done = run(place, "vllm.sh", MODEL="m", SERVERS="1", PORT="9")
    assert done.returncode == 1
    assert "a server ended before it answered" in done.stderr
