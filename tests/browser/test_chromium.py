"""The report in a real browser: it parses, nothing runs, nothing is fetched, it fits a telephone."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from her.evals.report import write_report
from her.evals.run_report import RunReport

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")


def browse(address: str, profile: Path, *flags: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def width_of(page: Path, profile: Path, *, width: int) -> int:
    """How wide a page is in a frame of that width: headless windows have a smallest width of their own."""
    probe = page.parent / f"probe{width}.html"
    measure = (
        "const d=f.contentDocument.documentElement;document.title='fits';"
        "document.body.innerHTML=JSON.stringify({scroll:d.scrollWidth,client:d.clientWidth})"
    )
    frame = f'<iframe id=f src="{page.name}" style="border:0;width:{width}px;height:800px"></iframe>'
    probe.write_text(f"<!doctype html><body>{frame}<script>f.onload=()=>{{{measure}}}</script>", encoding="utf-8")
    dom = browse(probe.as_uri(), profile, "--dump-dom", "--allow-file-access-from-files")
    found = re.search(r"\{.*\}", dom)
    assert found is not None, dom[:500]
    size = json.loads(found[0])
    assert size["client"] == width
    return int(size["scroll"])


@pytest.fixture(scope="module")
def page(report: RunReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    write_report(report, folder / "report.html", folder / "report.json")
    return folder / "report.html"


def test_nothing_runs_and_nothing_is_fetched(page: Path, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    dom = browse(page.as_uri(), tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    assert "<title>HER · quickstart</title>" in dom  # a script that ran would have changed it
    assert dom.count("<svg") == 4
    assert "<script" not in dom
    assert "<img" not in dom
    asked = re.findall(r'"url":"(https?://[^"]+)"', log.read_text(encoding="utf-8", errors="replace"))
    assert not [url for url in asked if "evil.example" in url]


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_fits(page: Path, tmp_path: Path, width: int) -> None:
    assert width_of(page, tmp_path / "profile", width=width) == width
