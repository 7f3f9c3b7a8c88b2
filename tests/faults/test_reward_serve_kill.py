"""`her reward serve`, killed without warning: started again on the same ledger, it asks no question twice."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from her.renderers import render_turn
from her.schema import Character, Message, Part, RLPrompt, Scene, Turn

SCENE = Scene(
    id="quay",
    book_id=None,
    chapter=None,
    scenario="A quay at night.",
    characters=(Character(name="Ann", profile="A pilot."), Character(name="Tom", profile="A clerk.")),
)


def _turn(said: str) -> Turn:
    return Turn(id="r", speaker="Ann", system_thinking=None, parts=(Part(kind="speech", text=said),))


PROMPT = RLPrompt(
    id="p",
    dialogue_id="d",
    turn_id="r",
    character="Ann",
    scene=SCENE,
    history=(),
    messages=(Message(role="user", content="x"),),
    reference=_turn("Nothing."),
    split="train",
    provenance="gold",
    history_policy="drop_own_system",
    system_thinking=False,
)
SAID = ("Yes.", "No, sir.", "Ask Tom.", "Go.")
REPLIES = [{"text": render_turn(_turn(said)), "finish_reason": "stop"} for said in SAID]


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx2.Client]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = folder / "judge.jsonl"
    verdict = json.dumps({"findings": [], "better_response": "cand_1"})
    script.write_text("".join(json.dumps({"text": verdict}) + "\n" for _ in range(20)))
    command = [sys.executable, "-c", "from her.cli import main; main()", "reward", "serve", "--port", str(port)]
    command += ["--judge", f"pack:scripted:{script}", "--out", str(folder), "--no-system-thinking", "--deadline", "5"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(600):
                assert process.poll() is None, process.stderr.read().decode()
                try:
                    client.get("/health")
                    break
                except httpx2.TransportError:
                    time.sleep(0.1)
            yield process, client
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()


def test_killed_between_two_groups(tmp_path: Path) -> None:
    place = PROMPT.model_dump(mode="json")
    whole = {"prompt": place, "replies": REPLIES}
    with served(tmp_path) as (process, client):
        first = client.post("/v1/groups", json={**whole, "replies": REPLIES[:3]}).json()
        assert len(first["games"]) == 6
        paid = client.get("/v1/tally").json()["ledger"]
        assert paid["calls"] == 6
        process.send_signal(signal.SIGKILL)
        process.wait()
    with served(tmp_path) as (_, client):
        again = client.post("/v1/groups", json={**whole, "replies": REPLIES[:3]}).json()
        assert again == first
        found = client.post("/v1/groups", json=whole).json()
        assert len(found["games"]) == 8
        ledger = client.get("/v1/tally").json()["ledger"]
        assert ledger["calls"] == 6 + len({(g["first"], g["second"]) for g in found["games"]} - _pairs(first))
        assert ledger["hits"] >= 6


def _pairs(answer: dict[str, list[dict[str, int]]]) -> set[tuple[int, int]]:
    return {(g["first"], g["second"]) for g in answer["games"]}
