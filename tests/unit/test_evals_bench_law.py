"""Law of the benchmarks: each says where its data come from, how its profiles differ, and is tested by known models."""

import ast
import json
from importlib.resources import files
from pathlib import Path

import pytest

from her.cli.eval import BENCHMARKS
from her.errors import ConfigError
from her.evals.benchmarks import Settings, benchmark, names
from her.evals.benchmarks.data import mini_set

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "evals"
KNOWN_MODELS = ("perfect", "adversarial", "never_parses", "shortest")
"""Scripted models that every benchmark is tested with; `shortest` may be excused in words where nothing is chosen."""


def test_the_command_line_has_every_benchmark() -> None:
    assert sorted(BENCHMARKS) == list(names())


@pytest.mark.parametrize("name", names())
def test_a_card_is_complete(name: str) -> None:
    card = benchmark(name).card
    assert card.name == name
    assert card.sources, "where the data are published"
    assert all(s.where and s.licence for s in card.sources)
    assert all(s.url is None or s.url.startswith(("https://", "hf:")) for s in card.sources)
    assert card.profiles[0].name == "fixed", "ours is the default"
    assert card.scale[0] < card.scale[1]
    if len(card.profiles) > 1:
        assert card.one_profile is None
        assert card.differences, "two profiles that do not differ are one"
    else:
        assert card.one_profile, "one profile needs its reason"
    for difference in card.differences:
        assert all((difference.what, difference.upstream, difference.fixed, difference.why))
    known = {o.name for o in card.options}
    assert all(o.default in o.choices for o in card.options if o.choices)
    for profile in card.profiles:
        assert profile.options.keys() <= known
        settled = card.settle(Settings(profile=profile.name))
        assert settled.options.keys() == known
    with pytest.raises(ConfigError, match="no profile"):
        card.settle(Settings(profile="nobody's"))
    with pytest.raises(ConfigError, match="no option"):
        card.settle(Settings(options={"nobody's": "1"}))


@pytest.mark.parametrize("name", names())
def test_a_mini_set_is_there_and_large_enough(name: str) -> None:
    bench = benchmark(name)
    exam = bench.load(mini_set(bench.card), bench.card.settle(Settings()))
    assert exam.data.licence == "CC0-1.0"
    assert len({i.cluster for i in exam.items}) >= 12 or len(exam.items) >= 60
    licence = files("her.evals").joinpath("mini", "LICENSE").read_text(encoding="utf-8")
    assert "CC0" in licence
    assert bench.card.mini in licence, "the licence names every set that it is of"
    assert all(s.url is None or bench.card.mini not in s.url for s in bench.card.sources)


@pytest.mark.parametrize("name", names())
def test_known_models_have_golden_scores_with_their_arithmetic(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert set(KNOWN_MODELS) <= golden["arithmetic"].keys()
    tests = (HERE / f"test_evals_bench_{name}.py").read_text(encoding="utf-8")
    defined = {n.name for n in ast.walk(ast.parse(tests)) if isinstance(n, ast.FunctionDef)}
    for known in KNOWN_MODELS[:3]:
        assert f"test_{known}" in defined
