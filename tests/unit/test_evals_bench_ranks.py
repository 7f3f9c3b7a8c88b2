"""Rank stability: correlations by hand, orders under the bootstrap, and what so few models cannot say."""

import json
from pathlib import Path

import pytest
from exam_page_case import held_in_memory, judge
from hypothesis import given
from hypothesis import strategies as st
from test_evals_bench_compare import held, perfect
from test_evals_bench_hitom import ITEMS, answering, tagged, wrong
from typer.testing import CliRunner

from her.cli.commands import app
from her.errors import InputError
from her.evals.benchmarks.ranking import BY_WORDS, ranking
from her.evals.benchmarks.run import read_run
from her.evals.benchmarks.trust.order import ENOUGH, chance_of, kendall, spearman
from her.evals.benchmarks.trust.ranks import Condition, rank


def test_correlations_by_hand() -> None:
    # Pairs of (1,2,3,4) against (1,3,2,4): five agree, one does not: (5 - 1) / 6. Squared rank differences:
    # 0+1+1+0 = 2, rho = 1 - 6*2 / (4*15).
    assert kendall([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(4 / 6)
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    # One tie on one side: two of three pairs agree, 2 / sqrt(2 * 3).
    assert kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / 6**0.5)
    # Ranks 1.5, 1.5, 3 against 1, 2, 3: covariance 1.5, spreads 1.5 and 2.
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(1.5 / 3**0.5)
    assert kendall([1, 1], [1, 2]) is None
    assert spearman([1], [1]) is None


@given(st.lists(st.integers(0, 5), min_size=2, max_size=7))
def test_an_order_agrees_with_itself_and_not_with_its_reverse(values: list[int]) -> None:
    for measure in (kendall, spearman):
        found = measure(values, values)
        if len(set(values)) == 1:
            assert found is None
        else:
            assert found == pytest.approx(1)
            assert measure(values, [-v for v in values]) == pytest.approx(-1)


def test_what_chance_gives_is_counted() -> None:
    assert chance_of(1.0, 3) == pytest.approx(2 / 6)
    assert chance_of(1.0, 4) == pytest.approx(2 / 24)
    assert chance_of(-1.0, 5) == pytest.approx(2 / 120)
    assert chance_of(1.0, ENOUGH) < 0.05 < chance_of(1.0, ENOUGH - 1)  # type: ignore[operator]
    assert chance_of(1.0, 40) is None


def test_a_pair_that_differs_in_one_cluster_is_no_sure_order() -> None:
    items = {f"i{n}": f"c{n}" for n in range(10)}
    base = dict.fromkeys(items, 0.5)
    values = {"good": dict.fromkeys(items, 1.0), "base": base, "lucky": {**base, "i0": 1.0}}
    found = rank("m", [Condition(name="a", values=values, clusters=items)], seed=0)
    (order,) = found.orders
    assert order.models == ("good", "lucky", "base")
    assert order.pair("good", "base").kept == 1.0
    # The one cluster is in a draw of ten with probability 1 - .9^10 = .651.
    assert order.pair("lucky", "base").kept == pytest.approx(0.651, abs=0.04)


def test_orders_under_two_conditions_are_held_together() -> None:
    items = {f"i{n}": f"c{n % 5}" for n in range(20)}
    models = [f"m{n}" for n in range(5)]

    def condition(name: str, order: list[int]) -> Condition:
        values = {m: {i: float(order[n]) for i in items} for n, m in enumerate(models)}
        return Condition(name=name, values=values, clusters=items)

    found = rank("m", [condition("a", [5, 4, 3, 2, 1]), condition("b", [5, 4, 3, 1, 2])], seed=0)
    (agreed,) = found.agreed
    assert (agreed.tau.value, agreed.tau.n, agreed.enough) == (pytest.approx(0.8), 5, True)
    assert agreed.rho == pytest.approx(0.9)


def test_unread_items_are_in_no_order() -> None:
    clusters = {"a": "1", "b": "2"}
    found = rank("m", [Condition(name="x", values={"p": {"a": 1.0}, "q": {"b": 0.0}}, clusters=clusters)], seed=0)
    assert (found.orders, found.left_out) == ((), ("x: no item has a number for every model",))


def test_judges_thoughts_and_length_are_conditions() -> None:
    panels = [
        (judge("scripted:hard", 0), judge("scripted:mild", 1)),
        (judge("scripted:hard", 2), judge("scripted:mild", 3)),
    ]
    runs = [held_in_memory(f"scripted:{n}", judges=p) for n, p in enumerate(panels)]
    runs += [held_in_memory(f"scripted:{n}", judges=p, thoughts="shown") for n, p in enumerate(panels)]
    found = ranking(runs, seed=0)
    names = [o.condition for o in found.orders]
    assert "role thinking hidden to the judge" in names
    assert "role thinking shown to the judge, scripted:mild alone" in names
    assert {"the shorter half", "the longer half", BY_WORDS} <= set(names)
    assert not any(a.enough for a in found.agreed)


def test_the_command_says_when_models_are_too_few(tmp_path: Path) -> None:
    slightly = answering(lambda i: tagged(wrong(i) if i.cluster == ITEMS[0].cluster else i.gold))
    slightly.name = "scripted:worse"
    one, two = held(tmp_path / "a", answering(perfect)), held(tmp_path / "b", slightly)
    done = CliRunner().invoke(app, ["eval", "ranks", str(one), str(two), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["orders"][0]["models"][1] == "scripted:worse"
    assert CliRunner().invoke(app, ["eval", "ranks", str(one), str(two)]).exit_code == 0
    with pytest.raises(InputError, match="all these runs are of one"):
        ranking([read_run(one)], seed=0)
    again = ranking([read_run(one), read_run(two), read_run(two)], seed=0)
    assert again.left_out == ("as held: a second run of scripted:worse, held alike",)
