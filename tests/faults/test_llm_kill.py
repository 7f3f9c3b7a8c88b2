"""kill -9, a full disk, a damaged file: a clear stop, nothing acknowledged is lost, and the same bytes in the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_upstream import FaultyUpstream
from kill_suite import FULL_DISK, Job, Steady, kill_suite, start
from small_pipeline import exported

from her.errors import StoreError
from her.llm import Ledger

_PAYER = """
import sys
from pathlib import Path
from her.llm.ledger import Ledger, Paid
ledger = Ledger(Path(sys.argv[1]))
n = int(sys.argv[2])
while True:
    ledger.put(f"k{n}", Paid(stage="s", fingerprint="f", request="{}", answer=f'"{n}"' + " " * 3000))
    print(n, flush=True)
    n += 1
"""


def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    seen: set[int] = set()
    for round_ in range(3):
        payer = subprocess.Popen(
            [sys.executable, "-c", _PAYER, str(path), str(round_ * 100_000)], stdout=subprocess.PIPE, text=True
        )
        assert payer.stdout is not None
        first = payer.stdout.readline()  # it is paying by now
        time.sleep(0.1 + 0.07 * round_)
        os.kill(payer.pid, signal.SIGKILL)
        rest = payer.stdout.read()
        payer.stdout.close()
        payer.wait()
        lines = (first + rest).split("\n")[:-1]  # a last line without its end was not acknowledged
        seen |= {int(line) for line in lines}
    with Ledger(path) as ledger:
        assert all((ledger.get(f"k{n}") or "").strip() == f'"{n}"' for n in seen)
        assert ledger.tally("s").calls >= len(seen) >= 3


def test_a_run_that_is_killed_six_times_exports_the_same_bytes(tmp_path: Path) -> None:
    result = kill_suite(tmp_path, kills=6, seed=7)
    assert result.kills >= 6
    assert result.equal == result.exports > 0
    assert (result.lost, result.asked_after_paid) == (0, 0)
    assert result.paid_twice <= result.in_flight


def finish(job: Job) -> int | None:
    process = start(job)
    process.join()
    return process.exitcode


def test_a_full_disk_stops_the_run_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with FaultyUpstream(Steady(seed=1)) as up:
        for name in ("whole", "full"):
            (tmp_path / name).mkdir()
        assert finish(Job(url=up.url, folder=str(tmp_path / "whole"), count=40, concurrency=8)) == 0
        short = Job(url=up.url, folder=str(tmp_path / "full"), count=40, concurrency=8, file_limit=120_000)
        assert finish(short) == FULL_DISK
        stopped = (tmp_path / "full" / "stopped").read_text()
        assert "free disk space" in stopped
        with Ledger(tmp_path / "full" / "ledger.sqlite") as ledger:
            assert 0 < ledger.tally("kill").calls < 80
        assert finish(Job(url=up.url, folder=str(tmp_path / "full"), count=40, concurrency=8)) == 0
        assert exported(tmp_path / "full") == exported(tmp_path / "whole")


def test_a_damaged_ledger_stops_the_run_and_moved_away_it_is_paid_again(tmp_path: Path) -> None:
    with FaultyUpstream(Steady(seed=1)) as up:
        job = Job(url=up.url, folder=str(tmp_path), count=20, concurrency=8)
        assert finish(job) == 0
        whole = exported(tmp_path)
        path = tmp_path / "ledger.sqlite"
        sound = path.read_bytes()
        path.write_bytes(sound[:4096] + b"\xff" * (len(sound) - 4096))
        assert finish(job) == FULL_DISK
        assert "malformed" in (tmp_path / "stopped").read_text()
        with pytest.raises(StoreError, match="run the same again"), Ledger(path) as ledger:
            ledger.get("any")
        path.write_bytes(sound)
        assert finish(job) == 0
        path.unlink()
        assert finish(job) == 0
        assert exported(tmp_path) == whole
