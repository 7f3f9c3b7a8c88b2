"""The page and the table about exams: what was run is said, nothing unread is a number, hostile text stays text."""

import csv
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from exam_page_case import DIMENSIONS, HOSTILE, PLAN, STAGE, THOUGHT, held_in_memory, judge
from hypothesis import given
from hypothesis import strategies as st

from her.errors import InputError
from her.evals.benchmarks.chart import bar, radar
from her.evals.benchmarks.run import ExamRun
from her.evals.benchmarks.sheet_play import LONGEST, cut, shown_plays
from her.evals.benchmarks.table import Row, rows, write_csv, write_rows_json
from her.stats import Estimate

pytest.importorskip("jinja2", reason="the report needs jinja2; pip install 'her[report]'")

from her.evals.benchmarks.sheet import render_sheet


class Reader(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def run() -> ExamRun:
    return held_in_memory()


@pytest.fixture(scope="module")
def page(run: ExamRun) -> str:
    return render_sheet([run])


def test_a_page_is_one_file_whose_only_script_is_its_own(page: str) -> None:
    tags = Reader(page).tags
    assert [t for t, _ in tags if t in ("script", "link", "img", "iframe", "object", "form", "base")] == ["script"]
    policy = next(a["content"] or "" for t, a in tags if t == "meta" and "http-equiv" in a)
    assert re.fullmatch(r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[\w+/]{43}='", policy)
    for tag, attrs in tags:
        assert not [a for a in attrs if a.startswith("on") or a == "src"], (tag, attrs)
        assert (attrs.get("href") or "#").startswith("#")


def test_hostile_text_is_text(page: str) -> None:
    assert HOSTILE not in page
    assert HOSTILE in Reader(page).text


def test_every_link_lands_and_ids_are_unique(page: str) -> None:
    tags = Reader(page).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for t, a in tags if t == "a"} <= set(ids)


def test_thoughts_and_plans_stand_folded(page: str) -> None:
    shown = page
    while (shorter := re.sub(r"<details(?:(?!<details).)*?</details>", "", shown, flags=re.S)) != shown:
        shown = shorter
    opened = re.sub(r"<details><summary>(?:plan|thoughts)</summary>.*?</details>", "", page, flags=re.S)
    for hidden in (THOUGHT, PLAN):
        assert hidden in page
        assert hidden not in shown
        assert hidden not in opened, "even where a play is open"


def test_the_page_says_what_was_run(page: str) -> None:
    text = " ".join(Reader(page).text.split())
    for said in (
        "scripted:hard, scripted:mild",
        "hidden to the judge",
        "CC0-1.0",
        "8 in 4",
        "40, of which 5 unscored",
        "12% unscored, more than 5%",
        "1 unread",
    ):
        assert said in text, said


def test_unread_and_scored_are_all_marks(run: ExamRun, page: str) -> None:
    found = {f.metric: f for f in run.summary.figures if not f.group}
    assert set(found) == set(DIMENSIONS)
    for figure in found.values():
        assert (figure.estimate.n, figure.unscored, sum(figure.reasons.values())) == (7, 1, 1)
    states = [a["data-state"] for t, a in Reader(page).tags if t == "details" and "data-state" in a]
    assert (len(states), states.count("unscored")) == (8, 1)


def test_a_fault_stands_beside_the_line_it_names(run: ExamRun) -> None:
    plays = shown_plays(run, number=0)
    beside = {p.score.item_id: [len(n.findings) for n in p.lines] for p in plays}
    assert beside["scene-1"] == [0, 2]
    assert beside["scene-3"] == [0, 0]
    for play in plays:
        assert sum(len(n.findings) for n in play.lines) + len(play.loose) == play.flaws() == 2


def test_what_is_less_than_the_protocol_is_said() -> None:
    limited = held_in_memory(limit=4)
    assert "limited to 4 items" in Reader(render_sheet([limited])).text


def test_two_models_are_compared_and_ranked_and_other_conditions_are_not() -> None:
    judges = (judge("scripted:hard", 0),)
    first, second = held_in_memory(judges=judges), held_in_memory("scripted:other", judges=judges)
    shown = held_in_memory("scripted:other", judges=judges, thoughts="shown")
    text = " ".join(Reader(render_sheet([first, second, shown])).text.split())
    assert "scripted:other · role thinking hidden to the judge minus" in text
    assert "they differ in thoughts (hidden and shown)" in text
    assert "2 models are too few to say" in text or "Does the order stay?" in text


def test_equal_runs_give_equal_bytes(run: ExamRun, page: str) -> None:
    assert render_sheet([run]) == page
    with pytest.raises(InputError, match="needs a run"):
        render_sheet([])


def test_the_table_has_a_row_for_every_number(run: ExamRun, tmp_path: Path) -> None:
    table = rows([run])
    kinds = [r.kind for r in table]
    assert kinds.count("figure") == len(run.summary.figures)
    assert kinds.count("control") == len(run.summary.controls)
    assert (kinds.count("alpha"), kinds.count("leniency")) == (5, 10)
    assert [r.metric for r in table if r.headline] == ["overall"]
    assert all(sum(r.reasons.values()) == r.unscored for r in table)
    write_csv(table, tmp_path / "t.csv")
    write_rows_json(table, tmp_path / "t.json")
    with (tmp_path / "t.csv").open(newline="") as handle:
        read = list(csv.DictReader(handle))
    assert list(read[0]) == list(Row.model_fields)
    assert [r["value"] for r in read] == ["" if r.value is None else repr(r.value) for r in table]
    assert [Row.model_validate(r) for r in json.loads((tmp_path / "t.json").read_text())] == list(table)


def test_a_name_that_a_spreadsheet_would_run_is_text(tmp_path: Path) -> None:
    write_csv(rows([held_in_memory("=HYPERLINK(1)")]), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as handle:
        assert next(csv.DictReader(handle))["model"] == "'=HYPERLINK(1)"


def test_columns_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "exams.md").read_text(encoding="utf-8")
    assert not [name for name in Row.model_fields if f"`{name}`" not in text]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_bar_stays_on_its_scale(a: float, b: float, c: float) -> None:
    low, value, high = sorted((a, b, c))
    drawn = bar(Estimate(value=value, low=low - 1, high=high + 1, n=3), (0.0, 1.0))
    assert drawn is not None
    assert 0 <= drawn.low <= drawn.value <= drawn.high <= 100


def test_what_has_no_scale_is_not_drawn(run: ExamRun) -> None:
    nothing = Estimate(value=None, low=None, high=None, n=0)
    some = Estimate(value=7.0, low=6.0, high=8.0, n=2)
    assert (bar(nothing, (0, 1)), bar(some, None), bar(some, (0, 1))) == (None, None, None)
    drawn = radar([run.summary.figures], headline="overall", scale=(1.0, 5.0))
    assert drawn is not None
    assert [a.name for a in drawn.axes] == list(DIMENSIONS[1:])
    assert radar([run.summary.figures], headline="overall", scale=(0.0, 100.0)) is None


def test_a_long_text_says_what_is_left_out() -> None:
    text = cut("a" * LONGEST + "b" * 1234)
    assert "1,234 characters are left out" in text
    assert cut("short") == "short"
    assert len(text) < LONGEST + 120


def test_many_plays_make_a_page_in_bounds(run: ExamRun) -> None:
    plays = tuple(p.model_copy(update={"repeat": n}) for n in range(40) for p in run.plays)
    scores = tuple(s.model_copy(update={"repeat": n}) for n in range(40) for s in run.scores)
    many = ExamRun(
        **{**{f: getattr(run, f) for f in ExamRun.__slots__}, "plays": plays, "scores": scores, "judged": ()}
    )
    text = render_sheet([many])
    assert text.count('class="play"') == 320
    assert sys.getsizeof(text) / 320 < 8000


def test_the_benchmark_of_the_case_is_not_registered() -> None:
    """A page needs the run alone."""
    from her.evals.benchmarks import names

    assert STAGE.card.name not in names()
