"""A judge behind a faulty endpoint, as the page and the table about it say: unread and read are all marks."""

import re
import sys
from pathlib import Path

import pytest
from faults import FAULTS
from faulty_upstream import First, Mixed, Plan
from test_evals_judge_faults import BENCH, judged

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from exam_page_case import held_in_memory

from her.errors import EndpointError
from her.evals.benchmarks.sheet import render_sheet
from her.evals.benchmarks.table import rows
from her.llm import ScriptedModel

pytest.importorskip("jinja2", reason="the report needs jinja2; pip install 'her[report]'")
LOSING = [n for n in FAULTS if FAULTS[n].always != "ok"]


@pytest.mark.parametrize("plan", [*(First(name=n, attempts=1000) for n in LOSING), Mixed(rate=0.3, seed=7, attempts=2)])
def test_what_is_shown_adds_up(plan: Plan) -> None:
    try:
        _, summary = judged(plan)
    except EndpointError:
        return  # the run stops, to be resumed: there is no page about it
    run = held_in_memory(bench=BENCH, judges=(ScriptedModel(["3"]),))
    shown = type(run)(**{**{f: getattr(run, f) for f in type(run).__slots__}, "summary": summary})
    text = " ".join(re.sub(r"<[^>]*>", " ", render_sheet([shown])).split())
    figure = summary.figure("quality")
    assert figure is not None
    assert figure.estimate.n + figure.unscored == summary.marks == 6
    assert f"6, of which {figure.unscored} unscored" in text
    assert f"n={figure.estimate.n}" in text
    (row,) = [r for r in rows([shown]) if r.headline]
    assert (row.n + row.unscored, sum(row.reasons.values())) == (6, row.unscored)
    assert (row.value is None) == (row.n == 0)
