"""Law: `--thoughts` and `--system-thinking` mean the same in every benchmark that has them, and nothing hidden leaks.

A plan reaches nobody. A thought reaches a judge where the run says so, and never whoever plays along.
"""

import asyncio
from typing import Any

import pytest
from exam_cases import Answering, mini, settled
from typer.testing import CliRunner

from her.cli.commands import app
from her.errors import ConfigError
from her.evals.benchmarks import Cast, benchmark, names
from her.evals.benchmarks.cast import PARTS
from her.evals.benchmarks.sitting import judge_item
from her.llm import Request

THOUGHT, PLAN = "I counted eight lanterns and will keep it.", "She should be shown as somebody who lies."
SAYS = f"<system_thinking>{PLAN}</system_thinking><role_thinking>{THOUGHT}</role_thinking>Nine, always nine."
WITH_THOUGHTS = [n for n in names() if "thoughts" in benchmark(n).card.uses]
WITH_PLANS = [n for n in names() if "system_thinking" in benchmark(n).card.uses]
WITHOUT = [n for n in names() if not benchmark(n).card.uses]


def heard(name: str, **changes: Any) -> tuple[str, str, str]:
    """What the player, those who play along, and the judge are sent over one item."""
    bench = benchmark(name)
    settings = settled(bench, **changes)
    item = mini(bench, settings).items[0]
    player, along, judge = (Answering(lambda _, s=said: s) for said in (SAYS, "Go on.", "hm"))
    cast = Cast(player=player, **{p: along for p in PARTS if p in bench.card.parts})
    play = asyncio.run(bench.play(item, cast, settings, repeat=0))
    if bench.card.judged:
        asyncio.run(judge_item(bench, item, play, [judge], settings))
    return _said(player.requests), _said(along.requests), _said(judge.requests)


def _said(requests: list[Request]) -> str:
    return "\n".join(m.content for r in requests for m in r.messages)


@pytest.mark.parametrize("name", WITH_THOUGHTS)
def test_a_judge_is_shown_thoughts_where_the_run_says_so_and_plans_never(name: str) -> None:
    for thoughts in ("hidden", "shown"):
        _, along, judge = heard(name, thoughts=thoughts)
        assert "Nine, always nine." in judge
        assert (THOUGHT in judge) == (thoughts == "shown")
        assert THOUGHT not in along
        assert PLAN not in along + judge


@pytest.mark.parametrize("name", WITH_PLANS)
def test_a_plan_is_asked_for_where_the_run_says_so(name: str) -> None:
    on, off = (heard(name, system_thinking=asked)[0] for asked in (True, False))
    assert on != off
    assert ("system_thinking" in on, "system_thinking" in off) == (True, False)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_setting_that_changes_nothing_is_refused(name: str) -> None:
    for words in (["--thoughts", "shown"], ["--system-thinking", "off"]):
        done = CliRunner().invoke(app, ["eval", name, "--model", "scripted:x", *words])
        assert isinstance(done.exception, ConfigError)
        assert "changes nothing" in str(done.exception)
