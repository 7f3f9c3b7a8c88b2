"""`her reward`: packs are shown and refused, judges are measured."""

import json
from pathlib import Path

import pytest
from reward_cases import preference, turn
from typer.testing import CliRunner

from her.cli.reward import app
from her.errors import InputError, VerdictError
from her.reward.induction.audit import Planted
from her.store import read_jsonl, write_jsonl


def test_principles_show_and_check(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["principles", "show"])
    assert shown.exit_code == 0
    assert "Own Voice" in shown.output
    checked = CliRunner().invoke(app, ["principles", "check"])
    assert "12 of 12 dimensions" in checked.output
    (tmp_path / "bad.toml").write_text("name = 'x'\nversion = '1'\n")
    with pytest.raises(VerdictError, match=r"bad\.toml"):
        CliRunner().invoke(app, ["principles", "check", str(tmp_path / "bad.toml")], catch_exceptions=False)


VERDICT = '{"findings":[],"better_response":"cand_1"}'


def _script(tmp_path: Path, text: str = VERDICT) -> str:
    script = tmp_path / "judge.jsonl"
    script.write_text(json.dumps({"text": text}) + "\n")
    return f"pack:scripted:{script}"


def test_bench_prints_a_column_per_judge_and_the_controls_beside_them(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    write_jsonl(pairs, [preference(turn("a b"), turn("a"), "cand_1", id=f"c{i}") for i in range(3)])
    arguments = ["bench", "--judge", "control:longer-reply", "--judge", _script(tmp_path), "--pairs", str(pairs)]
    done = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    longer, habit, coin = (json.loads(line) for line in done.output.splitlines())
    assert longer["accuracy"]["value"] == 1.0
    assert habit["accuracy"]["value"] == 0.5
    assert habit["swap_consistency"]["value"] == 0.0
    assert habit["first_place"]["value"] == 1.0
    assert habit["tokens"]["calls"] == 2, "three pairs that read alike are one question, in two orders"
    assert habit["tokens"]["written"] == 2 * len(VERDICT.split()) / 6
    assert coin["judge"] == "control:random"
    table = CliRunner().invoke(app, [*arguments, "--no-controls"], catch_exceptions=False)
    assert "by construction" in table.output
    assert "mixed selection" in table.output
    assert "random" not in table.output


def test_the_shipped_pairs_have_a_reference_to_overlap_with() -> None:
    arguments = ["bench", "--judge", "control:shorter-reply", "--limit", "14", "--json"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    reports = {r["judge"]: r for r in map(json.loads, done.output.splitlines())}
    assert set(reports) == {"control:shorter-reply", "control:longer-reply", "control:random", "control:bleu"}
    assert reports["control:bleu"]["unread"]["value"] == 0.0


def test_attack_prints_families_and_writes_what_it_asked(tmp_path: Path) -> None:
    out = tmp_path / "hacks.jsonl"
    arguments = ["attack", "--judge", _script(tmp_path), "--family", "verbosity", "--family", "repetition"]
    done = CliRunner().invoke(app, [*arguments, "--contexts", "2", "--out", str(out), "--json"], catch_exceptions=False)
    habit, *controls = (json.loads(line) for line in done.output.splitlines())
    assert [(f["family"], f["pairs"], f["ties"]) for f in habit["families"]] == [
        ("verbosity", 2, 2),
        ("repetition", 2, 2),
    ]
    assert habit["rate"]["value"] == 0.0
    assert [c["judge"] for c in controls] == ["control:longer-reply", "control:random"]
    assert [p.family for p in read_jsonl(out, Planted)] == ["verbosity"] * 2 + ["repetition"] * 2
    table = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "(12 tied)" in table.output
    with pytest.raises(InputError, match="no such family"):
        CliRunner().invoke(app, ["attack", "--judge", "control:longer-reply", "--family", "x"], catch_exceptions=False)


def test_pairs_that_hold_no_question_are_refused_by_name_and_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    good = preference(turn("a b"), turn("a"), "cand_1", id="c0")
    line = good.model_dump_json()
    missing = json.loads(line)
    del missing["comparison"]["cand_2"]
    for bad, says in (
        (preference(turn("a"), turn("a"), "cand_1", id="twin").model_dump_json(), "twin: both sides are the same"),
        (json.dumps(missing), r"pairs\.jsonl:2: .*comparison\.cand_2"),
        (line.replace("a b", "\\ud800"), r"pairs\.jsonl:2: "),
    ):
        path.write_text(f"{line}\n{bad}\n")
        with pytest.raises(InputError, match=says):
            CliRunner().invoke(
                app, ["bench", "--judge", "control:longer-reply", "--pairs", str(path)], catch_exceptions=False
            )


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
