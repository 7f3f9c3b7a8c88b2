"""The report: what the page says, that it stands alone, and that nothing a model wrote runs in it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from her.evals.headline import caveats, headline
from her.evals.report import render_report, write_report
from her.evals.run_report import About, JudgeRow, JudgeSection, RunReport
from her.stats import share

NETWORK = ("src", "href", "action", "data", "poster", "srcset", "xlink:href", "formaction")


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

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
def page(report: RunReport) -> str:
    return render_report(report)


def alone(page: str) -> None:
    """Nothing on the page runs, and nothing on it asks for anything."""
    tags = Page(page).tags
    assert not {t for t, _ in tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for tag, attrs in tags:
        assert not [a for a in attrs if a.startswith("on")], (tag, attrs)
        links = [attrs[a] or "" for a in NETWORK if a in attrs]
        assert all(link.startswith("#") for link in links), (tag, links)
    outside_text = re.sub(r">[^<]*<", "><", page)  # what a model wrote may name any address it likes
    assert "http://" not in outside_text
    assert "https://" not in outside_text
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", outside_text)


def unfolded(page: str) -> str:
    """What is on the page outside <details>."""
    while (
        shorter := re.sub(r"<details(?![^>]*open)[^>]*>(?:(?!<details).)*?</details>", "", page, flags=re.S)
    ) != page:
        page = shorter
    return page


def test_page_stands_alone(page: str) -> None:
    alone(page)


def test_hostile_text_is_text(page: str, hostile: str) -> None:
    assert hostile not in page
    assert hostile in Page(page).text


def test_hostile_names_are_text(report: RunReport, hostile: str) -> None:
    """A policy, a run and a reason may be called anything; a plot may not be the way in."""
    assert report.eval is not None
    name = json.dumps(f"$x_1$ & {hostile}")
    text = re.sub(r'"sft"(?!:)', lambda _: name, report.model_dump_json())
    evil = RunReport.model_validate_json(text.replace('"quickstart"', json.dumps(hostile)))
    page = render_report(evil)
    assert not {t for t, _ in Page(page).tags} & {"script", "img"}
    assert "$x_1$ & " in Page(page).text


def test_ids_are_unique_and_every_link_lands(page: str) -> None:
    tags = Page(page).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = {(a.get("href") or "")[1:] for t, a in tags if t in ("a", "use")}
    assert links <= set(ids)
    assert {"happened", "stages", "sft", "judge", "policy", "eval", "samples", "about"} <= links


def test_hidden_layers_are_folded(page: str) -> None:
    """Outside <details> no thought and no plan is on the page, the raw replies included."""
    shown = unfolded(page)
    assert "Fed men talk." in page
    assert "Fed men talk." not in shown
    assert "probe with hospitality" in page
    assert "probe with hospitality" not in shown


def test_equal_reports_give_equal_bytes(report: RunReport, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(report, tmp_path / f"{name}.html", tmp_path / f"{name}.json")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_json_has_the_sections_and_reads_back(report: RunReport, tmp_path: Path) -> None:
    write_report(report, tmp_path / "r.html", tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    data = json.loads(text)
    assert {"stages", "sft", "judge", "policy", "eval", "samples", "about"} == set(data)
    assert {"name", "kept", "rejected", "calls", "tokens", "seconds", "resumed"} <= set(data["stages"][0])
    assert data["stages"][0]["rejected"] == {"speech_not_in_text": 3}
    assert {"value", "low", "high", "n"} == set(data["eval"]["single"][0]["well_formed"])
    assert RunReport.model_validate_json(text) == report


def test_absent_sections_are_shown_as_absent() -> None:
    empty = RunReport(about=About(run="nothing", seed=1, seconds=0.1), stages=())
    text = Page(render_report(empty)).text
    for what in ("fine-tuning", "judge measurement", "reinforcement learning", "the exam"):
        assert f"Absent: {what} did not run." in text
    assert "no dialogue was kept" in text


def test_headline_claims_only_what_the_interval_allows(report: RunReport) -> None:
    assert report.eval is not None
    said = headline(report)
    assert any("better than even in this judge's eyes" in s for s in said)
    last = report.eval.win_rates[-1]
    even = last.model_copy(update={"rate": share(11, 20)})
    changed = report.model_copy(update={"eval": report.eval.model_copy(update={"win_rates": (even,)})})
    assert any("no difference is shown" in s for s in headline(changed))


def test_caveats_name_weak_and_dependent_examiners() -> None:
    def row(right: int, *, rewards: bool) -> JudgeRow:
        return JudgeRow(
            name="J",
            choose=None,
            test=share(right, 30),
            swap_consistency=None,
            ties=0,
            unread=0,
            rewards=rewards,
            examines=True,
        )

    def of(r: JudgeRow) -> str:
        about = About(run="r", seed=1, seconds=1.0)
        return " ".join(caveats(RunReport(about=about, stages=(), judge=JudgeSection(rows=(r,)))))

    assert "not shown to be better than chance" in of(row(16, rewards=False))
    assert "not shown to be better than chance" not in of(row(29, rewards=False))
    assert "not an independent exam" in of(row(29, rewards=True))


def test_unread_counts_add_up(report: RunReport) -> None:
    assert report.eval is not None
    for w in report.eval.win_rates:
        assert w.wins + w.losses + w.ties + w.unread + w.no_contest == w.pairs
        assert w.rate.n == w.wins + w.losses + w.ties
    for m in (*report.eval.single, *report.eval.scenes):
        assert m.leaks.n == m.words.n == m.layouts.n == m.n - m.unread
