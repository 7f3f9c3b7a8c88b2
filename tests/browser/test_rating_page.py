"""The rating page in a real browser: keys rate, what was rated is kept and downloaded, nothing is fetched, it fits."""

import json
import re
from pathlib import Path

import pytest
from test_chromium import browse, pytestmark, width_of  # noqa: F401 -- the mark skips where there is no browser

from her.evals.benchmarks.rating.ballot import read_ballots
from her.evals.benchmarks.rating.form import Quality
from her.evals.benchmarks.rating.packet import Entry, Key, Packet, Piece, Sheet, SheetLine
from her.evals.benchmarks.rating.page import write_rating_page

HOSTILE = "<script>document.title='owned'</script><img src=https://evil.example/x.png onerror=alert(1)>"
NAMES = ('wit & "warmth"', "role consistency")
QUALITIES = tuple(Quality(name=n, meaning="What it means.", metric=n) for n in NAMES)
"""One with signs that a page must not trip over."""
KEY = Key(
    packet="0123456789abcdef",
    benchmark="dynsess",
    qualities=QUALITIES,
    entries=tuple(
        Entry(sheet=f"d0{n}", run="r", model="m", item_id=f"s{n}", repeat=0, cluster=f"s{n}") for n in (1, 2, 3)
    ),
    skipped=0,
)


def line(text: str, *, rated: bool) -> SheetLine:
    pieces = (Piece(kind="action", text="turns round"), Piece(kind="speech", text=text))
    return SheetLine(speaker="Mara" if rated else "Ben", rated=rated, given=False, pieces=pieces)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (line("Who is there?", rated=False), line(f"Nobody. {HOSTILE} " + "wide" * 60, rated=True))
    sheets = tuple(Sheet(id=e.sheet, context=(("persona", "A lamp lighter. " * 30),), lines=lines) for e in KEY.entries)
    path = tmp_path_factory.mktemp("rate") / "rate.html"
    write_rating_page(Packet(id=KEY.packet, qualities=QUALITIES, sheets=sheets), path)
    return path


def acted(page: Path, profile: Path, actions: str) -> dict[str, object]:
    """What a script that holds the page in a frame comes back with: `key(k)` presses, `give(x)` answers."""
    probe = page.parent / "probe.html"
    code = (
        "const d=f.contentDocument,w=f.contentWindow;"
        "const key=(k,at)=>(at||d).dispatchEvent(new w.KeyboardEvent('keydown',{key:k,bubbles:true,cancelable:true}));"
        "const shown=()=>[...d.querySelectorAll('article.sheet')].filter(s=>!s.hidden).map(s=>s.id).join();"
        "const give=x=>{document.body.textContent='\\u0001'+JSON.stringify(x)+'\\u0001'};"
        f"{actions}"
    )
    frame = f'<iframe id=f src="{page.name}" style="width:900px;height:700px"></iframe>'
    probe.write_text(f"<!doctype html><meta charset=utf-8><body>{frame}<script>f.onload=async()=>{{{code}}}</script>")
    dom = browse(probe.as_uri(), profile, "--dump-dom", "--allow-file-access-from-files", "--virtual-time-budget=3000")
    found = re.search("\x01(.*)\x01", dom, re.DOTALL)
    assert found is not None, dom[:500]
    value = json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert isinstance(value, dict)
    return value


def test_keys_rate_move_and_download_what_import_reads(page: Path, tmp_path: Path) -> None:
    actions = (
        "let blob=null;w.URL.createObjectURL=b=>{blob=b;return 'about:blank'};"
        "w.HTMLAnchorElement.prototype.click=()=>{};"
        "const state=d.getElementById('state'),load=d.getElementById('download'),seen=[shown()];"
        "load.click();const first=state.textContent;"  # no name yet
        "const r=d.getElementById('rater');r.value='Ada';r.dispatchEvent(new w.Event('input'));key('5',r);"  # no rating
        "key('4');key('2');key('ArrowUp');key('3');"
        "key('ArrowRight');seen.push(shown());key('7');key('1');key('5');"
        "key('u');seen.push(shown());key('2');key('2');key('u');"
        "const t=d.querySelector('#d03 textarea');t.value='dull';t.dispatchEvent(new w.Event('input'));key('1',t);"
        "load.click();give({text:await blob.text(),state:state.textContent,first,seen});"
    )
    found = acted(page, tmp_path / "profile", actions)
    assert found["first"] == "0 of 3 finished · write your name or sign first"
    assert found["seen"] == ["d01", "d02", "d03"]
    assert found["state"] == "3 of 3 finished · downloaded"
    path = tmp_path / "ratings.json"
    path.write_text(str(found["text"]))
    (ballot,) = read_ballots([path], KEY)
    # After 4 and 2 the last quality is still marked; one up and 3 rates the first anew.
    assert [list(r.scores.values()) for r in ballot.ratings] == [[3, 2], [1, 5], [2, 2]]
    assert (ballot.rater, ballot.ratings[2].note) == ("Ada", "dull")


def test_what_was_rated_is_kept_for_the_next_visit(page: Path, tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    acted(page, profile, "key('4');key('5');key('ArrowRight');key('1');give({})")
    kept = (
        "give({shown:shown(),state:d.getElementById('state').textContent,"
        "checked:[...d.querySelectorAll('input:checked')].map(i=>i.value).join()})"
    )
    assert acted(page, profile, kept) == {"shown": "d02", "state": "1 of 3 finished", "checked": "4,5,1"}


def test_nothing_runs_but_our_script_and_nothing_is_fetched(page: Path, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    dom = browse(page.as_uri(), tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    assert "<title>Rating dialogues</title>" in dom
    assert "<img" not in dom
    asked = re.findall(r'"url":"(https?://[^"]+)"', log.read_text(encoding="utf-8", errors="replace"))
    assert not [url for url in asked if "evil.example" in url]


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_fits(page: Path, tmp_path: Path, width: int) -> None:
    assert width_of(page, tmp_path / "profile", width=width) == width
