"""The control `reference likelihood`: the arithmetic, and every way in which there is no number."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from exam_cases import mini, settled
from exam_page_case import Stage, held_in_memory
from test_evals_bench_compare import quiet
from toy_benchmark import ToyItem

from her.cli.exams.likelihood import read_likelihood, weigh
from her.cli.exams.sit import Desk
from her.errors import DeadLetterError
from her.evals.benchmarks import Exam, Settings
from her.evals.benchmarks.coser import COSER
from her.evals.benchmarks.run import Played
from her.evals.benchmarks.trust.likelihood import NAME, Measured, Unmeasured, measure, missing, with_likelihood
from her.llm import Ledger, Score, ScoreItem
from her.schema import ENVIRONMENT, Message
from her.stage import RunFolder


class Letters:
    """A scorer that finds every letter equally likely, half a nat each, and cannot read more than twenty."""

    name = fingerprint = "letters"

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        if any(len(i.text) > 20 for i in items):
            raise DeadLetterError("too long", reason="too_long", attempts=1)
        return [Score(logprob=-0.5 * len(i.text), tokens=len(i.text) // 2) for i in items]


def reference(text: str) -> ScoreItem:
    return ScoreItem(messages=(Message(role="user", content="How many?"),), text=text)


class Booked(Stage):
    """With a reference for every scene."""

    def references(self, item: ToyItem, settings: Settings) -> tuple[ScoreItem, ...]:
        return (reference("Nine."),)


def test_the_mean_is_over_all_tokens_of_all_references() -> None:
    lines = [
        asyncio.run(measure("scene-0", [reference("Nine"), reference("Nine, again.")], Letters())),
        asyncio.run(measure("scene-1", [reference("x" * 21)], Letters())),
        asyncio.run(measure("scene-2", [], Letters())),
    ]
    # 4 + 12 letters at -.5 over 2 + 6 tokens.
    assert [line.found for line in lines] == [
        Measured(item_id="scene-0", logprob=-8.0, tokens=8),
        Unmeasured(item_id="scene-1", reason="too_long"),
        Unmeasured(item_id="scene-2", reason="no reference"),
    ]
    assert missing(lines) == "2 of 3 items: no reference 1, too_long 1"
    assert missing(lines[:1]) is None
    scores = with_likelihood(held_in_memory().scores, lines)
    found = {s.item_id: [c.value for c in s.controls if c.name == NAME] for s in scores}
    assert (found["scene-0"], found["scene-1"], found["scene-2"]) == ([-1.0], [], [])


@pytest.mark.parametrize(
    ("bench", "said"), [(Booked(), "a scorer needs the weights"), (Stage(), "no reference replies")]
)
def test_why_there_is_no_number_is_said(tmp_path: Path, bench: Stage, said: str) -> None:
    run = held_in_memory(bench=bench)
    exam = Exam(items=run.items, refused=(), data=run.plan.data)
    played = Played(benchmark=bench, plan=run.plan, exam=exam, plays=run.plays)
    with RunFolder(tmp_path) as folder, Ledger(tmp_path / "ledger.sqlite") as ledger:
        desk = Desk(run=folder, ledger=ledger, board=quiet(), connections=1, budget_usd=None)
        assert said in weigh(desk, played, run.summary.settings)[NAME]
    assert read_likelihood(tmp_path) == ()


def test_cosers_references_are_what_was_seen_after_what_was_seen() -> None:
    item = mini(COSER).items[0]
    found = COSER.references(item, settled(COSER))
    spoken = [r for r in item.reference if r.speaker != ENVIRONMENT]
    assert len(found) == len(spoken) > 2
    for asked, said in zip(found, spoken, strict=True):
        assert asked.text.startswith(f"{said.speaker}: ")
        everything = asked.text + "".join(m.content for m in asked.messages[1:])
        thoughts = [t for r in item.reference for t in re.findall(r"\[(.*?)\]", r.message)]
        assert thoughts
        assert not [t for t in thoughts if t in everything]
