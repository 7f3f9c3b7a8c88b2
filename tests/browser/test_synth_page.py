"""The page of a synthesis: what it says, that it stands alone, that a book's title and a model's words are text."""

import json
import re
from pathlib import Path

import pytest
from synth_page_case import TITLE, synth_page
from test_chromium import CHROMIUM, browse, width_of
from test_report import Page, alone, unfolded

from her.evals.synth_headline import caveats, headline
from her.evals.synth_page import render_synth_page, write_synth_page
from her.evals.synth_sections import SynthPage
from her.renderers.layouts import dialogue_layouts
from her.stats import clustered_mean, share


@pytest.fixture(scope="module")
def record() -> SynthPage:
    return synth_page()


@pytest.fixture(scope="module")
def page(record: SynthPage) -> str:
    return render_synth_page(record)


def test_page_stands_alone(page: str) -> None:
    alone(page)


def test_a_hostile_title_is_text(page: str) -> None:
    assert TITLE not in page
    assert TITLE in Page(page).text


def test_every_link_lands(page: str) -> None:
    tags = Page(page).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {(a.get("href") or "")[1:] for t, a in tags if t in ("a", "use")} <= set(ids)


def test_figures_are_on_the_page(page: str) -> None:
    text = re.sub(r"\s+", " ", Page(page).text)
    for said in (
        "109 of 112",
        "copies_speech 21",
        "injection 2",
        "635,911",
        "1.21",
        "openai:some-large-model",
        "not measured",
        "no_control 3",
        "Edmund",
    ):
        assert said in text, said


def test_hidden_layers_are_folded(record: SynthPage, page: str) -> None:
    shown = unfolded(page)
    thoughts = [p.text for s in record.samples for t in s.dialogue.turns for p in t.parts if p.kind == "thought"]
    assert thoughts
    assert all(t.split("'")[0] in page and t.split("'")[0] not in shown for t in thoughts)
    assert "A plan with markup" in page
    assert "A plan with markup" not in shown


def test_equal_records_give_equal_bytes_and_the_json_reads_back(record: SynthPage, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_synth_page(record, tmp_path / f"{name}.html", tmp_path / f"{name}.json")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert SynthPage.model_validate_json(text) == record
    assert not re.search("second|clock|attempt", " ".join(json.loads(text)))


def test_an_unknown_cost_is_not_a_number(record: SynthPage) -> None:
    unknown = record.calls[0].model_copy(update={"cost_usd": None})
    changed = record.model_copy(update={"calls": (unknown, *record.calls[1:])})
    assert changed.cost_usd() is None
    assert any("cost is not known" in s for s in caveats(changed))
    assert Page(render_synth_page(changed)).text.count("not known") == 3


def test_gains_that_were_not_asked_for_are_absent_and_empty_ones_no_number(record: SynthPage) -> None:
    assert "Absent: the weighing of thoughts did not run." in render_synth_page(
        record.model_copy(update={"gains": None})
    )
    assert record.gains is not None
    nothing = clustered_mean([], [], seed=1)
    empty = record.gains[0].model_copy(
        update={
            "values": (),
            "characters": (),
            "positive": share(0, 0),
            **dict.fromkeys(("value", "over_without", "over_shuffled", "copied"), nothing),
        }
    )
    changed = record.model_copy(update={"gains": (empty,)})
    assert "no data (n=0)" in render_synth_page(changed)
    assert "No thought could be weighed." in headline(changed)


def test_a_synthesis_that_kept_nothing_still_has_a_page(record: SynthPage) -> None:
    none = dialogue_layouts([])
    text = render_synth_page(
        record.model_copy(
            update={"layouts_before": none, "layouts_after": none, "samples": (), "calls": (), "lost": (), "flags": {}}
        )
    )
    for said in (
        "no turns",
        "no dialogue was kept",
        "Nothing was given up",
        "Nothing was marked",
        "No model was asked",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("shift", "said"), [(1.0, "helps local:smollm2-135m"), (-1.0, "does not help"), (0.0, "is not shown to help")]
)
def test_the_headline_claims_only_what_the_interval_allows(record: SynthPage, shift: float, said: str) -> None:
    assert record.gains is not None
    value = clustered_mean([shift - 0.1, shift + 0.1, shift], ["a", "b", "c"], seed=1)
    changed = record.model_copy(update={"gains": (record.gains[0].model_copy(update={"value": value}),)})
    assert any(said in s for s in headline(changed))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_runs_and_it_fits(record: SynthPage, tmp_path: Path, width: int) -> None:
    write_synth_page(record, tmp_path / "report.html", tmp_path / "report.json")
    dom = browse((tmp_path / "report.html").as_uri(), tmp_path / "profile", "--dump-dom")
    assert "<title>HER · The Ninth Lantern" in dom  # a script that ran would have changed it
    assert dom.count("<svg") == 2
    assert width_of(tmp_path / "report.html", tmp_path / "frame", width=width) == width
