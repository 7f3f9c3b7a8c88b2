"""The page about exams in a real browser: filters work, nothing else runs, nothing is fetched, it fits a telephone."""

import json
import re
import sys
from pathlib import Path

import pytest
from test_chromium import CHROMIUM, browse, width_of

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from exam_page_case import held_in_memory, judge

from her.evals.benchmarks.sheet import write_sheet

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
LONG = "scripted:a-model-with-quite-a-long-name-and-nothing-to-break-it-at-2026-11-24"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "exams.html"
    write_sheet([held_in_memory(), held_in_memory(LONG, judges=(judge("scripted:one", 2),))], path)
    return path


def used(page: Path, profile: Path, script: str) -> object:
    """What `script` makes of the page's document `d`; `put(field, value)` types into a filter."""
    put = (
        "const put=(n,v)=>{const f=d.querySelector(`[data-filter=${n}]`);f.value=v;"
        "f.dispatchEvent(new Event('input',{bubbles:true}))};"
    )
    probe = page.parent / "used.html"
    run = f"const d=f.contentDocument;{put}const seen=()=>[...d.querySelectorAll('.play')].filter(p=>!p.hidden);"
    wait = f"new Promise(r=>setTimeout(r,400)).then(()=>{{{script}}}).then(v=>{{document.body.innerHTML=''"
    said = (
        "const t=document.createElement('pre');t.textContent='RESULT'+JSON.stringify(v)+'END';document.body.append(t)"
    )
    probe.write_text(
        f'<!doctype html><body><iframe id=f src="{page.name}" style="width:1200px;height:800px"></iframe>'
        f"<script>f.onload=()=>{{{run}{wait};{said}}})}}</script>",
        encoding="utf-8",
    )
    dom = browse(probe.as_uri(), profile, "--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=5000")
    found = re.search(r"RESULT(.*)END", dom)
    assert found is not None, dom[-500:]
    return json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def test_filters_show_what_they_say(page: Path, tmp_path: Path) -> None:
    script = (
        "const out=[d.getElementById('filters').hidden,seen().length];"
        "put('run','1');out.push(seen().length,d.querySelector('output').textContent);"
        "put('state','unscored');out.push(seen().map(p=>p.querySelector('.name').textContent.trim().split(' ')[0]));"
        "put('state','');put('facet','setting: indoors');out.push(seen().length);"
        "put('order','down');out.push(seen().map(p=>Number(p.dataset.value)));"
        "put('facet','');put('run','');put('text','6 LANTERNS');"
        "return new Promise(r=>setTimeout(r,400)).then(()=>{out.push(seen().length);return out})"
    )
    hidden, every, one_run, told, unscored, indoors, values, by_text = used(page, tmp_path / "profile", script)  # type: ignore[misc]
    assert (hidden, every, one_run, told) == (False, 16, 8, "8 of 16")
    assert (unscored, indoors, by_text) == (["scene-5"], 4, 2)
    known = [v for v in values if v is not None]
    assert known == sorted(known, reverse=True)


def test_nothing_else_runs_and_nothing_is_fetched(page: Path, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    dom = browse(page.as_uri(), tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    assert "<title>HER · Exams</title>" in dom  # a script that ran would have changed it
    assert dom.count("<script") == 1
    assert "<img" not in dom
    asked = re.findall(r'"url":"(file://[^"]+)"', log.read_text(encoding="utf-8", errors="replace"))
    assert not [url for url in asked if url != page.as_uri()]


def test_a_script_that_is_not_the_page_s_own_is_refused(page: Path, tmp_path: Path) -> None:
    """The policy holds even where escaping would fail."""
    broken = page.parent / "broken.html"
    attack = "<script>document.title='owned'</script><p onclick=\"document.title='owned'\" id=hit>x</p>"
    broken.write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{attack}"), encoding="utf-8")
    title = used(broken, tmp_path / "profile", "d.getElementById('hit').click();return d.title")
    assert title == "HER · Exams"


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("opened", [False, True])
def test_the_page_fits(page: Path, tmp_path: Path, width: int, opened: bool) -> None:
    shown = page
    if opened:
        shown = page.parent / "opened.html"
        text = page.read_text(encoding="utf-8").replace("<details", "<details open")
        shown.write_text(text.replace("content-visibility: auto;", ""), encoding="utf-8")
    assert width_of(shown, tmp_path / "profile", width=width) == width
