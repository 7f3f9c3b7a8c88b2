"""A judge behind a faulty endpoint: every fault is a retry, an unscored mark or a stopped run, and never a number."""

import asyncio
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fast_clock import FastClock
from faults import FAULTS
from faulty_upstream import FaultyUpstream, First, Mixed, Plan, Sound

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from exam_cases import settled
from toy_benchmark import Toy

from her.errors import EndpointError
from her.evals.benchmarks import Cast, Scored, Summary, summarise
from her.evals.benchmarks.asked import Lost, Response
from her.evals.benchmarks.sitting import sit
from her.llm import ScriptedModel
from her.llm.http import EndpointModel
from her.llm.retry import Patience

PATIENCE = Patience(attempts=3, wall_s=60)
QUICK = replace(PATIENCE, answer_s=0.15, stall_s=0.15, slow_s=0.15, slow_bytes_s=300)
_SILENT = {"hang", "hang_after_head", "hang_mid_body", "trickle"}


class Counting(Toy):
    """Reads a mark out of what the endpoint says when it is sound: 1 to 5 from the number of lanterns."""

    def rating(self, returned: Response | Lost) -> int | None:
        if not isinstance(returned, Response) or returned.finish_reason != "stop":
            return None
        try:
            found = re.fullmatch(r"She counted (\d+) lanterns .*", json.loads(returned.text)["said"])
        except (ValueError, TypeError, KeyError):
            return None
        return None if found is None else int(found[1]) % 5 + 1


BENCH = Counting()


def judged(plan: Plan) -> tuple[dict[str, float], Summary]:
    """The marks of six items whose judge is behind `plan`, by item, and their summary."""
    settings = settled(BENCH)
    exam = BENCH.load(Path("-"), settings)
    cast = Cast(player=ScriptedModel(["Mara: Nine."]), user=ScriptedModel(["Go on."]))
    silent = isinstance(plan, First) and plan.name in _SILENT

    async def run() -> tuple[dict[str, float], Summary]:
        with FaultyUpstream(plan) as up:
            judge = EndpointModel("m", up.url, patience=QUICK if silent else PATIENCE, clock=FastClock())
            try:
                scores = await sit(BENCH, exam, cast, settings, [judge])
            finally:
                await judge.close()
        values = {s.item_id: m.value for s in scores for m in s.marks if isinstance(m, Scored) and m.judge is None}
        return values, summarise(BENCH, scores, settings, model="m", judges=["j"], data=exam.data, refused=exam.refused)

    return asyncio.run(run())


def test_a_sound_judge_scores_everything() -> None:
    values, summary = judged(Sound())
    assert (len(values), summary.unscored) == (6, 0)
    assert set(values.values()) <= {1.0, 2.0, 3.0, 4.0, 5.0}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_always_comes_is_never_a_number(name: str) -> None:
    try:
        values, summary = judged(First(name=name, attempts=1000))
    except EndpointError:
        return  # the run stops, to be resumed: no number either
    if FAULTS[name].always == "ok":
        assert values == judged(Sound())[0]
        return
    figure = summary.figure("quality")
    assert figure is not None
    assert values == {}
    assert (figure.estimate.value, figure.estimate.n, figure.unscored) == (None, 0, 6)
    assert sum(figure.reasons.values()) == summary.unscored == summary.marks == 6
    assert summary.marked


def test_what_is_scored_among_faults_is_what_a_sound_judge_says() -> None:
    sound, _ = judged(Sound())
    values, summary = judged(Mixed(rate=0.3, seed=7, attempts=2))
    assert values.items() <= sound.items()
    assert len(values) + summary.unscored == 6
    assert len(values) >= 4
