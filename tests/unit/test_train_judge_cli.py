"""`her reward train`: from labelled pairs to a judge that can be asked by name, in stages that are kept."""

import asyncio
from pathlib import Path

import pytest
from judge_lessons import COUPLED, pairs
from tiny_policy import make_policy
from typer.testing import CliRunner

from her.cli.judge_run import spread
from her.cli.reward import app
from her.errors import ConfigError, InputError
from her.llm import ScriptedModel
from her.reward.names import judge_folder, load_brief, open_judge
from her.schema import Unparsed
from her.store import write_jsonl

RECIPE = """
seed = 3
[brief]
mode = "coupled"
max_turns = 0
max_words = 2
max_findings = 1
[sft]
max_steps = 1
max_tokens = 2000
row_tokens = 800
rank = 4
[rl]
steps = 1
group_size = 2
max_completion_tokens = 4
max_prompt_tokens = 2000
save_every = 1
rank = 4
"""


def _train(folder: Path, *more: str) -> str:
    arguments = ["train", "--pairs", str(folder / "pairs.jsonl"), "--out", str(folder / "run"), *more]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "pairs.jsonl", pairs(8))
    (tmp_path / "judge.toml").write_text(RECIPE)
    return tmp_path


def test_a_judge_is_trained_in_stages_that_are_kept(folder: Path) -> None:
    base = f"hf:{make_policy(folder / 'base')}"
    options = ("--base", base, "--recipe", str(folder / "judge.toml"))
    assert "sft" in _train(folder, *options)
    root = folder / "run"
    assert judge_folder(root) == root / "sft" / "model"
    output = _train(folder, *options, "--rl")
    assert output.count("kept from before") == 2
    assert judge_folder(root) == root / "rl" / "model"
    assert load_brief(root / "rl" / "model") == COUPLED
    assert _train(folder, *options, "--rl").count("kept from before") == 3
    assert f"--judge coupled:{base} --judge run:{root}" in output
    asked = ScriptedModel(["no verdict"])
    found = asyncio.run(open_judge(f"run:{root}", None, model=asked).judge([pairs()[0].comparison]))
    assert found == [Unparsed(reason="no_json")]
    assert "Write the rules" in asked.requests[0].messages[0].content


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        (("--base", "openai:m@http://x"), ConfigError, "cannot be trained"),
        (("--mode", "both"), ConfigError, "one of independent, coupled, pack"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    folder: Path, options: tuple[str, ...], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        _train(folder, *options)
    assert not (folder / "run").exists()


def test_no_pairs(folder: Path) -> None:
    (folder / "pairs.jsonl").write_text("\n")
    with pytest.raises(InputError):
        _train(folder)


def test_pairs_are_spread() -> None:
    assert [p.comparison.id for p in spread(pairs(8), 3)] == ["c0", "c2", "c5"]
    assert spread(pairs(2), 9) == pairs(2) == spread(pairs(2), None)
