"""A small shelf, and an upstream that is a teacher for it and fails at every turn: what the tests of scale work."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from faulty_upstream import FaultyUpstream, Plan
from kill_suite import Steady

from her.llm import Request
from her.schema import Message
from her.synthesis import SynthConfig, book_of
from her.synthesis.rehearsal import Rehearsal, readings

ROOT = Path(__file__).parents[2]
HER = [sys.executable, "-c", "from her.cli import main; main()"]
FAULTS = Steady(seed=3)


def story(name: str, chapters: int) -> str:
    """A text in which two people talk in every chapter."""
    talk = (
        "“Is the {name} ready?” said Ann. “The tide turns at {n} bells.”\n\n“It was ready at dawn,” said Joanne.\n\n"
        "“Then we sail in her,” said Ann.\n\n“We sail when the captain of {name} is sober,” said Joanne.\n\n"
    )
    told = "".join(
        f"Chapter {n}\n\nThe harbour lay grey and still on day {n}, and {name} lay in it. {'It rained. ' * 20}\n\n"
        + talk.format(name=name, n=n)
        for n in range(1, chapters + 1)
    )
    return f"{name}\n\n{told}"


STORIES = {name: story(name, chapters) for name, chapters in (("Boats", 2), ("Ships", 1), ("Rafts", 2), ("Skiffs", 1))}
LINES: tuple[dict[str, object], ...] = (
    {"text": STORIES["Boats"], "title": "Boats"},
    {"text": 1, "title": "Nothing"},
    {"text": STORIES["Ships"], "id": "ships", "licence": "CC0-1.0"},
    {"text": STORIES["Skiffs"], "title": "Boats"},
    {"text": "Chapter 1\n\n“Hello there,” somebody said.\n\n“Hello again,” somebody said.\n", "id": "silent"},
    {"text": STORIES["Rafts"]},
    {"text": STORIES["Rafts"], "id": "ships"},
)
"""Four books, a line that is none, a book without a scene, a title that two books have, an id that two books claim."""


def shelf(folder: Path) -> Path:
    """The lines as a file, with one that is not JSON between them."""
    path = folder / "shelf.jsonl"
    rows = [json.dumps(line) for line in LINES]
    path.write_text("\n".join([*rows[:3], "{", *rows[3:]]) + "\n", encoding="utf-8")
    return path


def teaching_upstream(plan: Plan = FAULTS, *, delay_s: float = 0.0) -> FaultyUpstream:
    """An endpoint that answers as a rehearsal does."""
    said = {shown: text for t in STORIES.values() for shown, text in readings(book_of(t, stem="x"), SynthConfig())}
    model = Rehearsal(said)

    def says(asked: dict[str, Any]) -> str:
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema")
        request = Request(
            messages=tuple(Message.model_validate(m) for m in asked["messages"]),
            max_tokens=asked["max_tokens"],
            temperature=asked["temperature"],
            json_schema=json.dumps(schema) if schema else None,
        )
        coroutine = model.reply(request)  # in the server's loop already: it is stepped by hand
        try:
            coroutine.send(None)
        except StopIteration as done:
            return str(done.value.text) or "."
        raise AssertionError("a rehearsal waits for nothing")

    return FaultyUpstream(plan, delay_s=delay_s, says=says)


def named(up: FaultyUpstream) -> str:
    """The upstream as a teacher."""
    return f"openai:m@{up.url}"


def her(*args: str | Path, mark: str = "") -> "subprocess.Popen[str]":
    """The command line in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HER_TEST_MARK": mark}
    return subprocess.Popen(
        [*HER, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=ROOT
    )


def ended(process: "subprocess.Popen[str]", *, code: int = 0) -> str:
    """What a process said, which ends as it should."""
    told, _ = process.communicate(timeout=400)
    assert process.returncode == code, told
    return told


def volume(root: Path) -> dict[str, bytes]:
    """All that a run made, its manifests with it, without clocks and counts of attempts."""
    found = {}
    for path in sorted(p for folder in ("books", "synth") for p in (root / folder).rglob("*") if p.is_file()):
        if path.name not in {"clock.json", "key.json"}:
            found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found
