"""How many calls a second the engine makes, as ratios within one run.

    python -m bench.client --setup     # once: the peers, pinned, in an environment of their own (build/bench-venv)
    python -m bench.client             # 64 in flight against an instant upstream; 256 in flight against one of 200 ms

Upstream and client are processes of their own. Rounds are interleaved, so that whatever else the machine does falls on
all alike; ratios are taken within a round, and the median of rounds is shown with the least and the most.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "build" / "bench-venv"
PEER_PYTHON = PEERS / "bin" / "python"
LATENCY_S = 0.2
LATE = 256
LATE_CALLS = 80 * LATE
"""Whole waves: with a last wave of a few calls, the best possible would be a full latency for next to nothing."""
LONGEST_S = 180
CONSOLE = Console()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One client in one round."""

    rate: float
    """Calls a second."""
    cpu_ms: float
    """Processor time of the client's process, a call."""
    version: str


def setup() -> None:
    """Make the peers' environment."""
    subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    pins = str(Path(__file__).with_name("requirements.txt"))
    subprocess.run([str(PEER_PYTHON), "-m", "pip", "install", "-q", "--no-deps", "-r", pins], check=True)


@contextmanager
def upstream(latency_s: float) -> Iterator[str]:
    """An upstream in a process of its own."""
    command = [sys.executable, "-m", "bench.instant_upstream", "--latency", str(latency_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def measure(kind: str, url: str, *, calls: int, concurrency: int) -> Sample:
    """One client, in a process of its own."""
    python = str(PEER_PYTHON) if kind in ("openai", "litellm") else sys.executable
    command = [python, "-m", "bench.callers", kind, url, str(calls), str(concurrency)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        # Seen of a peer on a busy machine. Said, and tried once more: an attempt that hangs is no speed.
        CONSOLE.print(f"{kind} hung for {LONGEST_S} s and is started again")
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=LONGEST_S)
    if done.returncode:
        raise SystemExit(f"{kind} failed:\n{done.stderr[-2000:]}")
    return Sample(**json.loads(done.stdout.strip().splitlines()[-1]))


def rounds(
    kinds: Sequence[str], *, times: int, calls: int, concurrency: int, latency_s: float
) -> dict[str, list[Sample]]:
    """Every kind once a round, each round beginning with another."""
    samples: dict[str, list[Sample]] = defaultdict(list)
    with upstream(latency_s) as url, Progress(console=CONSOLE, transient=True) as progress:
        task = progress.add_task(f"{concurrency} in flight", total=times * len(kinds))
        for n in range(times):
            for kind in (*kinds[n % len(kinds) :], *kinds[: n % len(kinds)]):
                samples[kind].append(measure(kind, url, calls=calls, concurrency=concurrency))
                progress.advance(task)
    return samples


def show(samples: dict[str, list[Sample]], title: str) -> None:
    """What each client did."""
    table = Table("client", "calls a second", "least to most", "ms of processor a call", "version", title=title)
    for kind, taken in samples.items():
        rates = [s.rate for s in taken]
        cpu_ms = statistics.median(s.cpu_ms for s in taken)
        spread = f"{min(rates):.0f} to {max(rates):.0f}"
        table.add_row(kind, f"{statistics.median(rates):.0f}", spread, f"{cpu_ms:.2f}", taken[0].version)
    CONSOLE.print(table)


def ratio(what: str, ratios: Sequence[float], target: float) -> bool:
    """One ratio, its spread, and whether its median reaches the target."""
    middle = statistics.median(ratios)
    reached = middle >= target
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    CONSOLE.print(f"{what}: {middle:.2f} ({spread}); target {target:g}: {'reached' if reached else 'MISSED'}")
    return reached


def main() -> None:
    """Measure and print; exit code 1 if a target is missed."""
    options = argparse.ArgumentParser(prog="python -m bench.client", description=__doc__)
    options.add_argument("--setup", action="store_true", help="install the peers and end")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--calls", type=int, default=2000, help="a client and round, against the instant upstream")
    options.add_argument("--late-calls", type=int, default=LATE_CALLS, help="the same, against the late one")
    options.add_argument("--only", choices=["instant", "late"])
    chosen = options.parse_args()
    if chosen.setup:
        setup()
        return
    if not PEER_PYTHON.exists() and chosen.only != "late":
        raise SystemExit("the peers are not installed; run: python -m bench.client --setup")
    load = os.getloadavg()[0]
    CONSOLE.print(
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, load {load:.1f} before the start"
    )
    reached = []
    if chosen.only != "late":
        kinds = ("bare", "ours", "ledger", "openai", "litellm")
        taken = rounds(kinds, times=chosen.rounds, calls=chosen.calls, concurrency=64, latency_s=0.0)
        show(taken, "64 in flight, instant upstream")
        by_round = list(zip(*(taken[kind] for kind in kinds), strict=True))
        reached.append(ratio("ours / bare loop", [o.rate / b.rate for b, o, *_ in by_round], 0.7))
        reached.append(ratio("ours / best peer", [o.rate / max(p.rate, q.rate) for _, o, _, p, q in by_round], 2.0))
        ratio("with ledger / bare loop", [w.rate / b.rate for b, _, w, *_ in by_round], 0.7)
    if chosen.only != "instant":
        ideal = LATE / LATENCY_S
        taken = rounds(
            ("bare", "ours", "ledger"),
            times=chosen.rounds,
            calls=chosen.late_calls,
            concurrency=LATE,
            latency_s=LATENCY_S,
        )
        show(taken, f"{LATE} in flight, {1000 * LATENCY_S:.0f} ms upstream: at best {ideal:.0f} a second")
        reached.append(ratio("ours / ideal", [s.rate / ideal for s in taken["ours"]], 0.95))
        ratio("with ledger / ideal", [s.rate / ideal for s in taken["ledger"]], 0.95)
        ratio("bare loop / ideal", [s.rate / ideal for s in taken["bare"]], 0.95)
    raise SystemExit(0 if all(reached) else 1)


if __name__ == "__main__":
    main()
