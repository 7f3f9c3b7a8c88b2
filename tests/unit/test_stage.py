"""A stage is done once, resumes after a kill, and is made again when what it is made from changes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from her.errors import StoreError
from her.schema import Record
from her.stage import Outcome, RunFolder, stage_key
from her.store import write_json, write_text


class Settings(Record):
    word: str


def _work(folder: Path) -> Outcome:
    with (folder / "calls").open("a") as calls:
        calls.write("x")
    write_text(folder / "out.txt", "done")
    return Outcome(outputs=("out.txt",), kept=1, rejected={"blank": 2})


def _run(root: Path, source: Path, word: str = "a") -> tuple[bool, str]:
    with RunFolder(root) as run:
        key = stage_key("one", inputs={"source": source}, settings=Settings(word=word), rooms=("schema",), models={})
        done = run.run(key, _work)
    return done.skipped, (root / "one" / "calls").read_text()


def test_a_matching_manifest_is_skipped(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("1")
    root = tmp_path / "run"
    assert _run(root, source) == (False, "x")
    manifest = (root / "one" / "manifest.json").read_bytes()
    assert _run(root, source) == (True, "x")
    assert _run(root, source, word="b") == (False, "x")
    assert _run(root, source) == (False, "x")
    assert (root / "one" / "manifest.json").read_bytes() == manifest
    source.write_text("2")
    assert _run(root, source)[0] is False
    (root / "one" / "out.txt").write_text("damaged")
    assert _run(root, source)[0] is False


def test_a_killed_stage_goes_on_from_its_own_work(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("1")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from her.schema import Record\n"
        "from her.stage import Outcome, RunFolder, stage_key\n"
        "root = Path(sys.argv[1])\n"
        "class S(Record): pass\n"
        "def work(folder):\n"
        "    half = folder / 'half'\n"
        "    if not half.exists():\n"
        "        half.write_text('paid'); print('half', flush=True); time.sleep(60)\n"
        "    (folder / 'out').write_text(half.read_text())\n"
        "    return Outcome(outputs=('out',), kept=1)\n"
        "with RunFolder(root / 'run') as run:\n"
        "    key = stage_key('s', inputs={'i': root / 'in.txt'}, settings=S(), rooms=('schema',), models={})\n"
        "    print(run.run(key, work).clock.attempts)\n"
    )
    child = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "half\n"
    with pytest.raises(StoreError, match="in use by another process"), RunFolder(tmp_path / "run"):
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    start = time.monotonic()
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert time.monotonic() - start < 30


def test_a_folder_from_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match="not a run folder and not empty"), RunFolder(tmp_path / "mine"):
        pass
    write_json(tmp_path / "old" / "run.json", {"format": 0, "her_version": "0.0.1"})
    with pytest.raises(StoreError, match="run format 0"), RunFolder(tmp_path / "old"):
        pass
