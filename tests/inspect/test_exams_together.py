"""Every benchmark by one recipe: nothing is skipped in silence, a failure keeps none back, a second call resumes."""

import json
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="Inspect AI is not installed; pip install 'her[evals]'")

from typer.testing import CliRunner

from her.cli.commands import app
from her.cli.exams.together import load_together
from her.errors import ConfigError
from her.evals.benchmarks import benchmark, names
from her.evals.benchmarks.run import read_run

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "default::DeprecationWarning")
SHIPPED = Path(__file__).parents[2] / "recipes" / "exams.toml"
SMALLEST = {"turns": "2", "rounds": "2"}


def recipe(tmp_path: Path, **changes: str) -> Path:
    """All benchmarks, one item of each, by a model that always says the same."""
    script = tmp_path / "says.jsonl"
    script.write_text(json.dumps({"text": "B"}) + "\n")
    lines = [f'name = "all"\nmodel = "scripted:{script}"\njudges = ["scripted:{script}"]\n']
    for name in names():
        options = {o.name: SMALLEST[o.name] for o in benchmark(name).card.options if o.name in SMALLEST}
        told = ", ".join(f'{k} = "{v}"' for k, v in options.items())
        lines.append(changes.get(name, f"[exams.{name}]\nlimit = 1\noptions = {{ {told} }}\n"))
    path = tmp_path / "all.toml"
    path.write_text("\n".join(lines))
    return path


def held(path: Path, out: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["eval", "all", str(path), "--out", str(out)], env={"COLUMNS": "220"})
    return result.exit_code, result.output


@pytest.mark.timeout(600)
def test_all_benchmarks_are_held_and_a_second_call_asks_nobody(tmp_path: Path) -> None:
    path, out = recipe(tmp_path), tmp_path / "runs"
    code, said = held(path, out)
    assert code == 0, said
    page = (out / "report.html").read_text(encoding="utf-8")
    for name in names():
        run = read_run(out / name)
        assert (run.plan.benchmark, run.plan.data.name) == (name, "mini-set")
        assert benchmark(name).card.title in page
    assert "limited to 1 items" in said
    before = {p: p.read_bytes() for p in sorted(out.rglob("clock.json"))}
    code, said = held(path, out)
    assert code == 0, said
    assert {p: p.read_bytes() for p in sorted(out.rglob("clock.json"))} == before


def test_one_that_fails_keeps_the_others_and_one_left_out_says_why(tmp_path: Path) -> None:
    broken = '[exams.twinvoice]\noptions = { history = "0" }\n'
    left_out = '[exams.userllm]\nskip = "no judge yet"\n'
    others = {n: f'[exams.{n}]\nskip = "not here"\n' for n in names() if n not in {"hitom"}}
    code, said = held(recipe(tmp_path, **{**others, "twinvoice": broken, "userllm": left_out}), tmp_path / "runs")
    assert code == 1
    assert "twinvoice failed: history is a number of lines" in said
    assert "left out: no judge yet" in said
    assert read_run(tmp_path / "runs" / "hitom").summary.items == 5  # a story has five questions
    assert (tmp_path / "runs" / "report.html").exists()


def test_a_recipe_says_something_of_every_benchmark(tmp_path: Path) -> None:
    path = recipe(tmp_path, userllm="")
    with pytest.raises(ConfigError, match=r"says nothing of userllm; add \[exams.userllm\]"):
        load_together(path)
    with pytest.raises(ConfigError, match="no benchmark is called 'chess'"):
        load_together(recipe(tmp_path, hitom="[exams.chess]\n[exams.hitom]\n"))
    with pytest.raises(ConfigError, match="hitom has no option 'depth'"):
        load_together(recipe(tmp_path, hitom='[exams.hitom]\noptions = { depth = "1" }\n'))


def test_the_shipped_recipe_holds_all_of_them() -> None:
    shipped = load_together(SHIPPED)
    assert not [n for n, e in shipped.exams.items() if e.skip is not None]
