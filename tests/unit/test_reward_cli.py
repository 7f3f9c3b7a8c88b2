"""`her reward`: packs are shown and refused, judges are measured."""

import json
from pathlib import Path

import pytest
from reward_cases import preference, turn
from typer.testing import CliRunner

from her.cli.reward import app
from her.errors import InputError, VerdictError
from her.store import write_jsonl


def test_principles_show_and_check(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["principles", "show"])
    assert shown.exit_code == 0
    assert "Own Voice" in shown.output
    checked = CliRunner().invoke(app, ["principles", "check"])
    assert "12 of 12 dimensions" in checked.output
    (tmp_path / "bad.toml").write_text("name = 'x'\nversion = '1'\n")
    with pytest.raises(VerdictError, match=r"bad\.toml"):
        CliRunner().invoke(app, ["principles", "check", str(tmp_path / "bad.toml")], catch_exceptions=False)


def test_bench_prints_a_column_per_judge(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    write_jsonl(pairs, [preference(turn("a b"), turn("a"), "cand_1", id=f"c{i}") for i in range(3)])
    script = tmp_path / "judge.jsonl"
    script.write_text(json.dumps({"text": '{"findings":[],"better_response":"cand_1"}'}) + "\n")
    arguments = ["bench", "--judge", "control:longer-reply", "--judge", f"scripted:{script}", "--pairs", str(pairs)]
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    longer, habit = (json.loads(line) for line in done.output.splitlines())
    assert longer["accuracy"]["value"] == 1.0
    assert habit["accuracy"]["value"] == 0.5
    assert habit["swap_consistency"]["value"] == 0.0
    assert habit["first_place"]["value"] == 1.0
    table = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "by construction" in table.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pairs", "nowhere.jsonl"], "no such file"),
        (["--part", "half"], "no such part"),
    ],
)
def test_bench_refuses(arguments: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        CliRunner().invoke(app, ["bench", "--judge", "control:longer-reply", *arguments], catch_exceptions=False)
