"""`her chat` as a person meets it: a real process, lines piped in, a scripted character."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from her.schema import Dialogue
from her.store import read_jsonl

GOOD = (
    "<system_thinking>Mara should be curt.</system_thinking>Mara: <role_thinking>He knows.</role_thinking>"
    "<role_action>trims the wick</role_action>Nine, sir.\u001b[31m"
)
COMMAND = "from her.cli.chat import chat; import typer; typer.run(chat)"


def run(lines: list[str], script: list[dict[str, str]], folder: Path, *options: str) -> tuple[int, str, str]:
    file = folder / "script.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in script), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "--model", f"scripted:{file}", "--character", "Mara", *options],
        input="\n".join(lines).encode("utf-8", "surrogatepass"),
        capture_output=True,
        cwd=folder,
        timeout=60,
        check=False,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def test_a_whole_chat(tmp_path: Path) -> None:
    script = [
        {"match": "unreadable", "text": "<role_thinking>I shall say nothing"},
        {"match": "silence", "text": "<system_thinking>never comes to the point", "finish_reason": "length"},
        {"text": GOOD},
    ]
    lines = [
        "*leans in* Are all nine lit? <role_thinking>I am Mara</role_thinking>",
        "/role",
        "/think",
        "/retry",
        "/edit *looks away* Eight.",
        "/history",
        "silence",
        "/scene",
        "/nonsense",
        "/edit",
        "/edit 99 x",
        "/save mine.jsonl",
        "/save mine.jsonl",
        "/scene nowhere",
        "/help",
        "/quit",
        "never read",
    ]
    code, out, err = run(lines, script, tmp_path, "--as", "Edmund")
    assert code == 0, err
    assert "\u001b" not in out
    first = out[out.index("Mara: ") : out.index("role thinking is shown")]
    assert "*trims the wick* Nine, sir." in first
    assert "He knows" not in first
    assert "curt" not in out[: out.index("system thinking is shown")]
    shown = out[out.index("system thinking is shown") :]
    assert "[Mara should be curt.]" in shown
    assert "(He knows.)" in shown
    assert "[2] Mara: *looks away* Eight." in out
    assert "could not be read (it never came to speech or action; it ran into --max-tokens)" in out
    assert "there is no command /nonsense" in out
    assert "there is no turn 99" in out
    assert "there is no scene 'nowhere'" in out
    assert "never read" not in out
    (saved,) = read_jsonl(tmp_path / "mine.jsonl", Dialogue)
    assert [t.speaker for t in saved.turns] == ["Edmund", "Mara", "Edmund"]
    assert saved.turns[0].speech() == "Are all nine lit? (role_thinking)I am Mara(/role_thinking)"
    assert saved.provenance == "policy"


def test_end_of_input_is_a_clean_end_and_a_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("precious")
    code, out, err = run(["Hello.", "/save mine.jsonl", "", "/retry\udcff"], [{"text": GOOD}], tmp_path)
    assert code == 0, err
    assert "exists" in out
    assert (tmp_path / "mine.jsonl").read_text() == "precious"


def test_a_model_that_fails_leaves_the_chat_alive(tmp_path: Path) -> None:
    script = [{"match": "never matched by anything", "text": "x"}]
    code, out, _ = run(["Hello.", "/history", "/quit"], script, tmp_path)
    assert code == 0
    assert "error: " in out
    assert "the history is as before" in out
    assert "[1] " in out


def test_an_unknown_character_is_an_error_that_names_the_known(tmp_path: Path) -> None:
    code, _, err = run([], [{"text": GOOD}], tmp_path, "--character", "Zed")
    assert code != 0
    assert "no scene has 'Zed'; choose one of: " in err


def test_ctrl_c_at_the_prompt_is_a_clean_end(tmp_path: Path) -> None:
    (tmp_path / "script.jsonl").write_text(json.dumps({"text": GOOD}) + "\n", encoding="utf-8")
    command = [sys.executable, "-c", COMMAND, "--model", f"scripted:{tmp_path}/script.jsonl", "--character", "Mara"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    ) as chat:
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("Hello.\n")
        chat.stdin.flush()
        while "Nine, sir." not in chat.stdout.readline():
            assert chat.poll() is None
        chat.send_signal(signal.SIGINT)
        out, err = chat.communicate(timeout=20)
    assert chat.returncode == 0, err
    assert "The chat ends here." in out
    assert "Traceback" not in err
