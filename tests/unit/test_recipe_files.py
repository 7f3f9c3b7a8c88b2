"""Shipped recipes: each loads, and the paper's says what the paper says."""

from pathlib import Path

import pytest

from her.cli.recipe import load_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
RUNS = [p for p in RECIPES if "[run]" in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_a_recipe_loads_and_is_named_as_its_file(path: Path) -> None:
    assert load_recipe(path).run.name == path.stem


def test_the_papers_recipe_is_the_papers_method() -> None:
    recipe = load_recipe(next(p for p in RUNS if p.stem == "paper"))
    assert recipe.run.system_thinking
    assert (recipe.group.schedule, recipe.group.anchor_both_orders, recipe.novelty.weight) == ("anchor", False, 0.0)
    assert recipe.policy.loss_type == "dapo"
    assert recipe.policy.epsilon_high > recipe.policy.epsilon
