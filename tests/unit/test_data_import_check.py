"""`her data import --check`: imported dialogues with the checker's doubts attached, and otherwise the same."""

import json
from pathlib import Path

from typer.testing import CliRunner

from her.cli.commands import app
from her.schema import Dialogue
from her.store import read_jsonl
from her.synthesis import flagged

CHAT = {
    "messages": [
        {"role": "system", "content": "You are Mara, who keeps a lighthouse."},
        {"role": "user", "content": "Will you light it tonight?"},
        {"role": "assistant", "content": "<role_thinking>The user wants to know.</role_thinking>I will, at dusk."},
    ]
}


def test_checked_at_import_is_imported_and_then_checked(tmp_path: Path) -> None:
    source = tmp_path / "chats.jsonl"
    source.write_text(json.dumps(CHAT) + "\n", encoding="utf-8")
    made = {}
    for name, more in (("plain", ()), ("checked", ("--check",))):
        out = tmp_path / f"{name}.jsonl"
        done = CliRunner().invoke(app, ["data", "import", "messages", str(source), "--out", str(out), *more])
        assert done.exit_code == 0, done.output
        made[name] = read_jsonl(out, Dialogue)
    assert made["checked"] == [flagged(d) for d in made["plain"]]
    assert any(flag.kind == "says_user" for d in made["checked"] for t in d.turns for flag in t.flags)
    assert made["checked"] != made["plain"]
