"""`--engine ray` on a local Ray with two workers, against a faulty upstream: the bytes of a run without it; workers and
the whole engine killed, and no reply asked for again that a ledger holds."""

import importlib.util
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_upstream import FaultyUpstream
from shelf_case import FAULTS, ended, her, named, shelf, teaching_upstream, volume

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed: pip install -c constraints.txt -e '.[ray]'",
    ),
    pytest.mark.timeout(1200),
]
RAY = ("--engine", "ray", "--workers", "2")


@pytest.fixture
def up() -> Iterator[FaultyUpstream]:
    with teaching_upstream() as upstream:
        yield upstream


def ours(mark: str, *, named: bytes = b"") -> list[int]:
    """Processes of ours by the environment that they were born with, and by the beginning of what they call
    themselves: a worker with a book is `ray::work`."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            so_named = place.name.isdigit() and (place / "cmdline").read_bytes().startswith(named)
            if so_named and f"HER_TEST_MARK={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            continue  # it is gone
    return found


def test_two_workers_make_the_bytes_of_one_process(tmp_path: Path, up: FaultyUpstream) -> None:
    source = shelf(tmp_path)
    common = ("synth", source, "--teacher", named(up), "--no-gain")
    ended(her(*common, "--out", tmp_path / "alone"))
    calls = sum(s.whole for s in up.served.values())
    up.served.clear()
    ended(her(*common, "--out", tmp_path / "ray", *RAY))
    assert any(s.faults for s in up.served.values())
    assert volume(tmp_path / "ray") == volume(tmp_path / "alone")
    assert sum(s.whole for s in up.served.values()) == calls
    assert up.paid_twice() == 0
    assert not list((tmp_path / "ray" / "ledgers").iterdir())
    # Either goes on from the other, out of one ledger.
    attempts = sum(s.attempts for s in up.served.values())
    for path in (tmp_path / "ray").glob("*/**/manifest.json"):
        path.unlink()
    ended(her(*common, "--out", tmp_path / "ray", *RAY))
    assert volume(tmp_path / "ray") == volume(tmp_path / "alone")
    assert sum(s.attempts for s in up.served.values()) == attempts


def test_killed_workers_and_a_killed_engine_lose_nothing(tmp_path: Path) -> None:
    source, kills = shelf(tmp_path), 0
    with teaching_upstream(FAULTS) as up:
        common = ("synth", source, "--teacher", named(up), "--no-gain", "--concurrency", "2")
        ended(her(*common, "--out", tmp_path / "alone"))
        up.served.clear()
        up._delay_s = 0.1
        mark = uuid.uuid4().hex
        process = her(*common, "--out", tmp_path / "ray", *RAY, mark=mark)
        for enough in (6, 14):
            wait_for(up, enough, process)
            while not (busy := ours(mark, named=b"ray::work")):
                time.sleep(0.01)
            os.kill(busy[0], signal.SIGKILL)
            kills += 1
        wait_for(up, 22, process)
        process.kill()  # the one who deals out, and with it its Ray
        process.communicate()
        up._delay_s = 0.0
        ended(her(*common, "--out", tmp_path / "ray", *RAY))
        assert volume(tmp_path / "ray") == volume(tmp_path / "alone")
        for left in ours(mark):  # what a Ray that was killed does not clear away
            os.kill(left, signal.SIGKILL)
        # What was in flight at a kill may be asked again: two calls of each of up to two books.
        assert up.paid_twice() <= 2 * kills + 4
        assert not list((tmp_path / "ray" / "ledgers").iterdir())


def wait_for(up: FaultyUpstream, enough: int, process: "subprocess.Popen[str]") -> None:
    """Until so many requests were answered."""
    while sum(s.whole for s in up.served.values()) < enough:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)


def test_an_endpoint_that_is_down_ends_the_run_in_plain_words(tmp_path: Path) -> None:
    down = ("--teacher", "openai:m@http://127.0.0.1:9/v1", "--no-gain", "--out", tmp_path / "run")
    told = ended(her("synth", shelf(tmp_path), *down, *RAY), code=3)
    assert "error: " in told
    assert "Traceback" not in told
    assert "ray::" not in told
