"""Runs side by side: comparison, gate, and what a folder holds. The folders are written without an engine."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from exam_cases import settled
from test_evals_bench_hitom import ITEMS, answering, tagged, wrong
from typer.testing import CliRunner

from her.cli.commands import app
from her.cli.exams.sit import Desk, judge_and_score, titles_of
from her.cli.loop.board import Board
from her.errors import ConfigError, InputError, StoreError
from her.evals.benchmarks import Cast, benchmark
from her.evals.benchmarks.compare import compare, gate
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.hitom import HITOM, HiToMQuestion
from her.evals.benchmarks.run import Plan, read_run, write_played
from her.llm import ChatModel, Ledger
from her.stage import RunFolder
from her.store import sha256_file


def quiet() -> Board:
    from rich.console import Console

    return Board(Console(quiet=True))


def held(root: Path, player: ChatModel, **changes: Any) -> Path:
    """A run of Hi-ToM's mini-set, as `her eval` leaves it; played here one item after the other."""
    settings = settled(HITOM, **changes)
    exam = HITOM.load(mini_set(HITOM.card), settings)
    plan = Plan(benchmark="hitom", settings=settings, model=player.name, parts={}, data=exam.data, refused=exam.refused)

    async def played() -> Any:
        cast = Cast(player=player)
        return [await HITOM.play(i, cast, settings, repeat=r) for i in exam.items for r in range(settings.repeats)]

    plays = asyncio.run(played())
    with RunFolder(root) as run, Ledger(root / "ledger.sqlite") as ledger:
        write_played(root / "play", plan, exam, tuple(plays))
        desk = Desk(run=run, ledger=ledger, board=quiet(), connections=1, budget_usd=None)
        judge_and_score(desk, (), settings, trained_on=None)
    return root


def perfect(item: HiToMQuestion) -> str:
    return tagged(item.gold)


def half(item: HiToMQuestion) -> str:
    """Right in the first six stories, wrong in the others."""
    stories = list(dict.fromkeys(i.cluster for i in ITEMS))
    return tagged(item.gold if stories.index(item.cluster) < 6 else wrong(item))


def test_a_difference_and_its_p_value_by_hand(tmp_path: Path) -> None:
    first = read_run(held(tmp_path / "a", answering(half)))
    second = read_run(held(tmp_path / "b", answering(perfect)))
    accuracy, joint = compare(first, second, seed=0)
    # Six of twelve stories gain 1, the others 0: mean .5. A flip of the six signs reaches |6| in 2 of 2^6 ways.
    assert (accuracy.metric, accuracy.headline, accuracy.result.difference.value) == ("accuracy", True, 0.5)
    assert accuracy.result.p == pytest.approx(2 / 64)
    assert (accuracy.result.difference.n, accuracy.result.clusters) == (60, 12)
    assert (joint.metric, joint.result.difference.value, joint.result.difference.n) == ("joint accuracy", 0.5, 12)


def test_the_gate_fails_where_a_skill_drops_by_more_than_its_interval(tmp_path: Path) -> None:
    good = held(tmp_path / "good", answering(perfect))
    poor = held(tmp_path / "poor", answering(half))
    (dropped,) = gate([read_run(good)], [read_run(poor)], seed=0)
    assert (dropped.failed, dropped.result.difference.value) == (True, -0.5)
    (rose,) = gate([read_run(poor)], [read_run(good)], seed=0)
    (same,) = gate([read_run(good)], [read_run(good)], seed=0)
    assert (rose.failed, same.failed) == (False, False)
    run = CliRunner().invoke
    assert run(app, ["eval", "gate", "--base", str(good), "--new", str(poor)]).exit_code == 1
    assert run(app, ["eval", "gate", "--base", str(poor), "--new", str(good)]).exit_code == 0


def test_a_drop_that_so_few_cannot_see_passes_and_says_so(tmp_path: Path) -> None:
    one_story = ITEMS[0].cluster
    slightly = answering(lambda i: tagged(wrong(i) if i.cluster == one_story else i.gold))
    good, worse = held(tmp_path / "good", answering(perfect)), held(tmp_path / "worse", slightly)
    (found,) = gate([read_run(good)], [read_run(worse)], seed=0)
    assert found.result.difference.value == pytest.approx(-1 / 12)
    assert not found.failed
    assert found.result.detectable is not None
    assert found.result.detectable > 1 / 12
    said = CliRunner().invoke(app, ["eval", "gate", "--base", str(good), "--new", str(worse)]).output
    assert "may pass" in " ".join(said.split())


def test_unread_items_are_left_out_of_a_difference_and_counted(tmp_path: Path) -> None:
    first = read_run(held(tmp_path / "a", answering(perfect)))
    second = read_run(held(tmp_path / "b", answering(lambda i: "hm" if i.order > 2 else perfect(i))))
    accuracy = compare(first, second, seed=0)[0].result
    assert (accuracy.difference.value, accuracy.difference.n, accuracy.only_first, accuracy.only_second) == (
        0.0,
        36,
        24,
        0,
    )
    nothing = read_run(held(tmp_path / "c", answering(lambda _: "hm")))
    assert compare(first, nothing, seed=0)[0].result.difference.value is None
    with pytest.raises(InputError, match="no item has a number in both runs"):
        gate([first], [nothing], seed=0)


def test_exams_held_differently_are_not_compared(tmp_path: Path) -> None:
    first = read_run(held(tmp_path / "a", answering(perfect)))
    other = read_run(held(tmp_path / "b", answering(perfect), options={"prompting": "cot"}))
    with pytest.raises(InputError, match="differ in options"):
        compare(first, other, seed=0)
    with pytest.raises(InputError, match="two runs of one side"):
        gate([first, first], [first], seed=0)


def test_scoring_again_has_the_same_bytes(tmp_path: Path) -> None:
    root = held(tmp_path / "a", answering(half))
    files = [root / "score" / name for name in ("scores.jsonl", "summary.json", "manifest.json")]
    before = [sha256_file(f) for f in files]
    assert CliRunner().invoke(app, ["eval", "rescore", str(root)]).exit_code == 0
    (root / "score" / "manifest.json").unlink()
    assert CliRunner().invoke(app, ["eval", "rescore", str(root)]).exit_code == 0
    assert [sha256_file(f) for f in files] == before


def test_another_profile_is_another_run_over_the_same_plays(tmp_path: Path) -> None:
    root = held(tmp_path / "a", answering(lambda i: i.gold))
    refused = CliRunner().invoke(app, ["eval", "rescore", str(root), "--profile", "upstream"])
    assert refused.exit_code != 0
    other = tmp_path / "b"
    done = CliRunner().invoke(app, ["eval", "rescore", str(root), "--profile", "upstream", "--out", str(other)])
    assert done.exit_code == 0, done.output
    values = [read_run(r).summary.figures[0].estimate.value for r in (root, other)]
    assert values == [1.0, 0.0]  # a bare letter is read by us and not by upstream
    assert sha256_file(root / "play" / "plays.jsonl") == sha256_file(other / "play" / "plays.jsonl")


def test_titles_that_were_trained_on(tmp_path: Path) -> None:
    listed = tmp_path / "titles.txt"
    listed.write_text('Emma\n\n{"title": "Dune"}\n{"book": "Emma"}\n')
    assert titles_of(listed) == ("Emma", "Dune")
    listed.write_text('{"name": "Dune"}\n')
    with pytest.raises(InputError, match=":1 has neither 'title' nor 'book'"):
        titles_of(listed)


def test_a_report_shows_every_item_and_escapes_what_models_wrote(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    root = held(tmp_path / "a", answering(lambda _: "<script>alert(1)</script>"))
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["eval", "report", str(root), "--html", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert all(i.id in text for i in ITEMS)
    assert text.count("<script") == 1, "the page's own"
    assert "60, of which 60 unscored" in text


def test_without_the_engine_one_is_told_what_to_install(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"text": "A"}')
    code = (
        "import sys; sys.modules['inspect_ai'] = None\n"  # as where it is not installed
        "from her.cli import main\n"
        f"sys.argv = ['her', 'eval', 'hitom', '--model', 'scripted:{script}', '--out', '{tmp_path / 'run'}']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'her[evals]'" in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_a_benchmark_does_not_have_is_said(tmp_path: Path) -> None:
    for words in ([], ["--recorded", "x.json"], ["--model", "a:b", "--thoughts", "perhaps"]):
        done = CliRunner().invoke(app, ["eval", "hitom", *words])
        assert isinstance(done.exception, ConfigError)


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a run folder"):
        read_run(tmp_path / "none")
    with RunFolder(tmp_path / "empty"):
        pass
    with pytest.raises(StoreError, match="is not a finished exam"):
        read_run(tmp_path / "empty")


def test_list_and_describe_name_everything() -> None:
    listed = CliRunner().invoke(app, ["eval", "list"])
    assert listed.exit_code == 0
    assert "hitom" in listed.output
    described = CliRunner().invoke(app, ["eval", "describe", "hitom"], env={"COLUMNS": "200"}).output
    card = benchmark("hitom").card
    flat = "".join(c for c in described if c.isalnum())
    for difference in card.differences:
        for said in (difference.what, difference.why):
            words = "".join(c for c in said.split()[0] if c.isalnum())
            assert words in flat
    assert "Apache-2.0" in described
