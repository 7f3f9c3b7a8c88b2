"""The kill suite: the small pipeline is killed again and again and goes on; what it exports, loses and pays twice.

A killed run must end with the bytes of a run that was never killed, so the upstream's faults here are of two kinds:
those that pass (a request meets one at its first asking only) and those that stay (the request meets it always). Run by
the tests in small and by `python -m bench.kill` at length.
"""

import asyncio
import hashlib
import json
import multiprocessing
import os
import random
import resource
import signal
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from fast_clock import FastClock
from faulty_upstream import FaultyUpstream
from small_pipeline import export, exported, items, work

from her.errors import StoreError
from her.llm import Ledger, LedgerModel, Request
from her.llm.http import EndpointModel
from her.llm.ledger import ledger_key
from her.llm.retry import Patience

FINGERPRINT = "the upstream, whatever its port"
_STAYS = (("bad_request", 0.04), ("wrong_schema", 0.05), ("length", 0.03))
_PASSES = (
    *("server_error", "bad_gateway", "rate_limit_bare", "rate_limit_seconds", "reset", "reset_mid_body"),
    *("close_mid_body", "truncated_json", "wrong_shape", "html_in_200", "null_content", "bad_utf8", "short_length"),
)
FULL_DISK = 23
"""Exit code of a child that stopped because its ledger could not be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """Faults that depend on the request alone, and faults of a first asking."""

    seed: int

    def fault(self, digest: str, attempt: int) -> str | None:
        drawn = hashlib.sha256(f"{self.seed}/{digest}".encode()).digest()
        luck = int.from_bytes(drawn[:6]) / 2**48
        for name, share in _STAYS:
            if luck < share:
                return name
            luck -= share
        return _PASSES[drawn[6] % len(_PASSES)] if luck < 0.25 and attempt == 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a child is told. A value, for it crosses to another process."""

    url: str
    folder: str
    count: int
    concurrency: int
    halfway: bool = False
    """Die between the two files of the export."""
    file_limit: int | None = None
    """The most bytes a file may have: a full disk, as far as a program can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillResult:
    """The books of the suite."""

    kills: int
    kills_at_work: int
    """Kills that met a run which had acknowledged some of its calls and not all."""
    kills_in_export: int
    exports: int
    equal: int
    calls: int
    """Calls that were acknowledged, in all runs together."""
    lost: int
    """Acknowledged calls that a ledger did not hold after a kill."""
    paid_twice: int
    """Sound answers beyond the first of a request, in the upstream's book. Those in flight at a kill may be."""
    in_flight: int
    """The most that could be: kills times calls in flight."""
    asked_after_paid: int
    """Requests that the upstream got after their reply had been acknowledged."""
    seconds: float


def child(job: Job) -> None:
    """One process: open the ledger, do what is not done, export."""
    folder = Path(job.folder)
    if job.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_limit, job.file_limit))
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def told(request: Request) -> None:
        key = ledger_key(stage="kill", fingerprint=FINGERPRINT, request=request)
        name = f"{request.sampling_seed()} {request.messages[-1].content}"
        if job.file_limit is None:
            os.write(acks, (json.dumps([key, name, time.monotonic()]) + "\n").encode())

    async def run() -> None:
        patience = Patience(answer_s=10, stall_s=10)
        model = EndpointModel("m", job.url, patience=patience, clock=FastClock(500))
        with Ledger(folder / "ledger.sqlite") as ledger:
            behind = LedgerModel(model, ledger, stage="kill")
            behind.fingerprint = FINGERPRINT
            outcomes = await work(items(job.count), behind, concurrency=job.concurrency, told=told)
        await model.close()
        export(outcomes, folder, halfway=(lambda: os.kill(os.getpid(), signal.SIGKILL)) if job.halfway else None)

    try:
        asyncio.run(run())
    except StoreError as e:
        (folder / "stopped").write_text(str(e)[:400])
        os._exit(FULL_DISK)


def start(job: Job) -> BaseProcess:
    """The child as a process of its own."""
    process = _context().Process(target=child, args=(job,))
    process.start()
    return process


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["her.llm", "her.llm.http"])  # a child then starts in milliseconds
    return context


def kill_suite(folder: Path, *, kills: int, seed: int, count: int = 40, concurrency: int = 8) -> KillResult:
    """Kill until there were so many kills, and let every run that was begun end."""
    begun, rng = time.monotonic(), random.Random(seed)
    done = at_work = in_export = exports = equal = calls = lost = paid_twice = after = 0
    reference, usual_s = _uninterrupted(folder / "reference", seed=seed, count=count, concurrency=concurrency)
    while done < kills:
        place = folder / f"run{exports}"
        place.mkdir(parents=True)
        with FaultyUpstream(Steady(seed=seed), delay_s=0.002) as up:
            while True:
                job = Job(
                    url=up.url, folder=str(place), count=count, concurrency=concurrency, halfway=rng.random() < 0.1
                )
                process = start(job)
                if done < kills and not job.halfway:
                    process.join(rng.random() * usual_s)
                    process.kill()
                process.join()
                if process.exitcode == 0:
                    break
                assert process.exitcode == -signal.SIGKILL, f"a child ended with {process.exitcode}"
                done += 1
                acked = _acks(place)
                in_export += job.halfway
                at_work += len(acked) > 0 and not job.halfway
                lost += _missing(place, set(acked))
            acked = _acks(place)
            lost += _missing(place, set(acked))
            paid_twice += up.paid_twice()
            ended = dict(acked.values())
            after += sum(
                any(at > ended.get(f"{s.seed} {s.about}", float("inf")) for at in s.asked_at)
                for s in up.served.values()
            )
        calls += len(acked)
        exports += 1
        equal += exported(place) == reference
    return KillResult(
        kills=done,
        kills_at_work=at_work,
        kills_in_export=in_export,
        exports=exports,
        equal=equal,
        calls=calls,
        lost=lost,
        paid_twice=paid_twice,
        in_flight=done * concurrency,
        asked_after_paid=after,
        seconds=time.monotonic() - begun,
    )


def _uninterrupted(folder: Path, *, seed: int, count: int, concurrency: int) -> tuple[bytes, float]:
    """The export of a run that nobody disturbs, and how long such a run takes."""
    folder.mkdir(parents=True)
    with FaultyUpstream(Steady(seed=seed), delay_s=0.002) as up:
        job = Job(url=up.url, folder=str(folder), count=count, concurrency=concurrency)
        start(Job(url=up.url, folder=str(folder), count=0, concurrency=1)).join()  # the fork server wakes up
        begun = time.monotonic()
        process = start(job)
        process.join()
        assert process.exitcode == 0
        return exported(folder), time.monotonic() - begun


def _acks(folder: Path) -> dict[str, tuple[str, float]]:
    """Key to (request, time of its first acknowledgement). A last line without its end was not written."""
    path = folder / "acks"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    acked: dict[str, tuple[str, float]] = {}
    for line in lines:
        key, name, at = json.loads(line)
        acked.setdefault(key, (name, at))
    return acked


def _missing(folder: Path, keys: set[str]) -> int:
    with Ledger(folder / "ledger.sqlite") as ledger:
        return sum(ledger.get(key) is None for key in keys)
