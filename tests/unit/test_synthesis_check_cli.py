"""`her synth check` as a person types it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from her.cli.synth_check import check
from her.errors import InputError
from her.schema import Dialogue
from her.store import read_jsonl, write_jsonl
from her.story import load_gold
from her.synthesis import Finding, flagged
from her.synthesis.checks.labelled import load_cases

app = typer.Typer()
app.command()(check)
CASE = next(c for c in load_cases() if c.id == "mr01x").record()
THOUGHT = "She hates me for selling it"


def _run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))


@pytest.fixture
def dialogues(tmp_path: Path) -> Path:
    path = tmp_path / "dialogues.jsonl"
    write_jsonl(path, [CASE, *load_gold()[:2]])
    return path


def test_counts_are_printed_and_no_hidden_thought(dialogues: Path, tmp_path: Path) -> None:
    out = tmp_path / "findings.jsonl"
    done = _run(str(dialogues), "--out", str(out))
    assert done.exit_code == 0
    assert "3 dialogues, 18 turns" in done.stdout
    assert "mind_reading" in done.stdout
    assert THOUGHT not in done.stdout
    (finding,) = read_jsonl(out, Finding)
    assert THOUGHT in finding.flag.detail
    assert (finding.dialogue_id, finding.turn_id) == ("mr01x", "t2")


def test_the_words_are_shown_where_they_are_asked_for(dialogues: Path) -> None:
    assert THOUGHT in _run(str(dialogues), "--show").stdout


def test_marked_dialogues_carry_what_was_found(dialogues: Path, tmp_path: Path) -> None:
    out = tmp_path / "marked.jsonl"
    assert _run(str(dialogues), "--mark", str(out)).exit_code == 0
    marked = read_jsonl(out, Dialogue)
    assert marked == [flagged(d) for d in read_jsonl(dialogues, Dialogue)]
    assert [f.kind for f in marked[0].turn("t2").flags] == ["mind_reading"]


def test_json_is_one_object(dialogues: Path) -> None:
    found = json.loads(_run(str(dialogues), "--json").stdout)
    assert (found["dialogues"], found["turns"], found["asked"]) == (3, 18, 0)
    kinds = {k["kind"]: k for k in found["kinds"]}
    assert (kinds["mind_reading"]["findings"], kinds["injection"]["findings"]) == (1, 0)
    assert kinds["mind_reading"]["turns"]["n"] == 18


@pytest.mark.parametrize(("kinds", "code"), [("mind_reading", 1), ("says_user,mind_reading", 1), ("says_user", 0)])
def test_findings_fail_only_where_they_are_told_to(dialogues: Path, kinds: str, code: int) -> None:
    assert _run(str(dialogues), "--fail-on", kinds).exit_code == code


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nowhere.jsonl"],
        ["--bench", "x.jsonl"],
        ["--bench", "--fail-on", "rudeness"],
        ["--bench", "--show", "--json"],
    ],
)
def test_what_cannot_be_done_is_said(words: list[str]) -> None:
    assert isinstance(_run(*words).exception, InputError)


def test_a_broken_line_names_its_number_and_writes_nothing(dialogues: Path, tmp_path: Path) -> None:
    out = tmp_path / "findings.jsonl"
    dialogues.write_text(dialogues.read_text(encoding="utf-8") + '{"id": 1}\n', encoding="utf-8")
    failed = _run(str(dialogues), "--out", str(out))
    assert isinstance(failed.exception, InputError)
    assert ":4:" in str(failed.exception)
    assert not out.exists()


def test_a_file_without_dialogues_is_no_clean_bill(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n", encoding="utf-8")
    assert isinstance(_run(str(empty)).exception, InputError)


def test_a_second_reader_is_counted(dialogues: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": '{"findings": []}'}) + "\n", encoding="utf-8")
    done = _run(str(dialogues), "--teacher", f"scripted:{script}")
    assert done.exit_code == 0
    assert "second reader: 18 turns asked, 0 answers unread, 0 claims" in done.stdout


def test_what_a_terminal_would_obey_is_not_printed(tmp_path: Path) -> None:
    told = CASE.turns[1].parts[0].model_copy(update={"text": f"{THOUGHT}\x1b]52;c;eA==\x07 and pretends"})
    turn = CASE.turns[1].model_copy(update={"parts": (told,)})
    path = tmp_path / "dialogues.jsonl"
    write_jsonl(path, [Dialogue(id="d", scene=CASE.scene, turns=(turn,), provenance="teacher")])
    shown = _run(str(path), "--show").stdout
    assert THOUGHT in shown
    assert "\x1b" not in shown


def test_the_bench_prints_every_kind_and_part() -> None:
    scores = json.loads(_run("--bench", "--json").stdout)["scores"]
    assert {(s["kind"], s["split"]) for s in scores} == {
        (c.kind, split) for c in load_cases() for split in ("dev", "test", "unseen")
    }
    assert all(s["recall"]["n"] >= 6 and s["recall"]["low"] is not None for s in scores)
    printed = _run("--bench").stdout
    assert "precision" in printed
    assert "unseen" in printed
