"""`her reward pairs`: sampled, labelled by a model, balanced, exported, compared."""

import json
from pathlib import Path

import pytest
from reward_cases import SCENE, preference, prompt, turn
from typer.testing import CliRunner

from her.cli.pairs import app
from her.errors import InputError
from her.reward import Joint
from her.reward.sampling import Judged
from her.schema import Comparison, Decided, Preference, PrincipleFinding, RLPrompt, Scene
from her.store import read_json, read_jsonl, write_jsonl


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def script(path: Path, *texts: str) -> str:
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    return f"scripted:{path}"


def prompts(tmp_path: Path, n: int) -> Path:
    made = []
    for i in range(n):
        scene = Scene.model_validate({**SCENE.model_dump(), "id": f"talk{i}"})
        made.append(RLPrompt.model_validate({**prompt().model_dump(), "id": f"p{i}", "scene": scene.model_dump()}))
    path = tmp_path / "rl.jsonl"
    write_jsonl(path, made)
    return path


MIXED = json.dumps(
    {
        "findings": [{"principle": "Own Voice", "winner": "cand_1"}, {"principle": "Subtext", "winner": "cand_2"}],
        "better_response": "cand_1",
    }
)


def test_from_prompts_to_balanced_pairs(tmp_path: Path) -> None:
    policy = script(tmp_path / "policy.jsonl", *(f"Ann: Stone {i}." for i in range(12)), "<role_action>x")
    judge = script(tmp_path / "judge.jsonl", MIXED)
    out = tmp_path / "pairs.jsonl"
    arguments = ("sample", "--policy", policy, "--prompts", prompts(tmp_path, 4), "-n", 4, "--out", out)
    said = run(*arguments, "--judge", f"pack:{judge}")
    pairs = read_jsonl(out, Preference)
    assert f"{len(pairs)} inconsistent" in said, "a judge that always names the first is of two minds"
    assert {p.winner for p in pairs} == {"tie"}
    before = (out.read_bytes(), out.with_suffix(".verdicts.jsonl").read_bytes())
    run(*arguments, "--judge", f"pack:{judge}")
    assert (out.read_bytes(), out.with_suffix(".verdicts.jsonl").read_bytes()) == before
    with pytest.raises(InputError, match=f"{len(pairs)} tie"):
        run("balance", out, "--out", tmp_path / "dealt")
    with pytest.raises(InputError, match="--any-shape"):
        run("balance", prompts(tmp_path, 1), "--out", tmp_path / "dealt")


def test_balance_reads_the_verdicts_beside_the_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    pairs = [preference(turn("a"), turn(f"b{i}"), "cand_1", id=f"c{i}") for i in range(10)]
    write_jsonl(path, pairs)
    mixed = (PrincipleFinding(principle="x", winner="cand_1"), PrincipleFinding(principle="y", winner="cand_2"))
    verdicts = [Decided(winner="cand_1", findings=mixed if i < 4 else mixed[:1]) for i in range(10)]
    joints = [Joint(verdict=v, consistent=True, first=v, second=v) for v in verdicts]
    write_jsonl(
        tmp_path / "pairs.verdicts.jsonl",
        [Judged(id=p.comparison.id, joint=j) for p, j in zip(pairs, joints, strict=True)],
    )
    said = run("balance", path, "--out", tmp_path / "dealt", "--valid", 0, "--test", 0)
    assert said.splitlines() == [
        "train: 8 pairs (4 mixed, 4 one_sided), the first is better in 4",
        "left out: 2 surplus_one_sided",
    ]


def test_sampled_without_a_judge_waits_for_a_person(tmp_path: Path) -> None:
    policy = script(tmp_path / "policy.jsonl", *(f"Ann: Stone {'x' * i}." for i in range(12)))
    out = tmp_path / "pairs.jsonl"
    said = run("sample", "--policy", policy, "--prompts", prompts(tmp_path, 3), "--out", out, "--limit", 2)
    assert "2 prompts, 4 replies each" in said
    waiting = read_jsonl(out, Comparison)
    assert waiting
    mine, theirs = tmp_path / "mine.jsonl", tmp_path / "theirs.jsonl"
    for path, answer, seed in ((mine, "1", 0), (theirs, "1", 3)):
        answers = f"{answer}\n" * len(waiting)
        done = CliRunner().invoke(
            app, ["label", str(out), "--out", str(path), "--seed", str(seed)], input=answers, catch_exceptions=False
        )
        assert done.exit_code == 0
    assert len(read_jsonl(mine, Preference)) == len(waiting)
    assert "kappa" in run("agree", mine, theirs)
    dealt = tmp_path / "dealt"
    said = run("balance", mine, "--out", dealt, "--any-shape", "--valid", 0, "--test", 0)
    assert said.startswith(f"train: {len(waiting)} pairs")
    assert read_json(dealt / "balance.json")
    assert run("export", dealt / "train.jsonl", "--out", tmp_path / "trl.jsonl").startswith(f"{len(waiting)} rows")
    assert run("import", "trl", tmp_path / "trl.jsonl", "--out", tmp_path / "again.jsonl").startswith(
        f"{len(waiting)} pairs"
    )


def test_shipped_pairs_go_out_in_every_format(tmp_path: Path) -> None:
    for format, name in (("trl", "a.jsonl"), ("rewardbench", "b.jsonl"), ("her-rm", "c.parquet")):
        assert "rows" in run("export", "shipped", "--format", format, "--out", tmp_path / name)
    with pytest.raises(InputError, match=r"\.parquet"):
        run("export", "shipped", "--format", "her-rm", "--out", tmp_path / "c.jsonl")
