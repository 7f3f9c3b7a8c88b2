"""How long forty scenes of CoSER Test take, played and judged, against playing them one call after the other.

    python -m bench.exams          # two minutes; exit code 1 where ours is less than 8 times as fast

Upstream is a process of its own that answers after 200 ms. Ours is what `her eval coser` does: Inspect, a ledger, 32
scenes at work. The released evaluators play one scene at a time, and in a scene every call waits for the one before;
HER's asks its four judge questions side by side. That is measured with the very requests that ours sent, through a bare
HTTP client: their own overhead is not counted against them. As each such call takes the same time, a part of them is
sent and the whole is reckoned from it.
"""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from bench.client import LATENCY_S, upstream
from her.evals.benchmarks import Cast, Settings, benchmark
from her.evals.benchmarks.data import mini_set
from her.evals.inspect.engine import hold
from her.llm import ChatModel, Delta, Ledger, LedgerModel, Reply, Request
from her.llm.http import EndpointModel

TARGET = 8.0
DIMENSIONS = 4
CONSOLE = Console()


@dataclass(slots=True)
class Kept:
    """A model that keeps the requests it was sent."""

    model: ChatModel
    sent: list[Request] = field(default_factory=list)
    waited_s: float = 0.0
    """Sum over calls of the time until the reply."""

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def fingerprint(self) -> str:
        return self.model.fingerprint

    async def reply(self, request: Request) -> Reply:
        self.sent.append(request)
        began = time.perf_counter()
        try:
            return await self.model.reply(request)
        finally:
            self.waited_s += time.perf_counter() - began

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        reply = await self.reply(request)
        yield Delta(text=reply.text, finish_reason=reply.finish_reason)

    async def close(self) -> None:
        await self.model.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What ours took."""

    wall_s: float
    cpu_s: float
    played: tuple[Request, ...]
    judged: tuple[Request, ...]
    late_s: float
    """Mean time of a call beyond the upstream's latency."""


def scenes(folder: Path, count: int) -> Path:
    """So many scenes: our mini-set over and over, each time as another part of its book."""
    records = json.loads(mini_set(benchmark("coser").card).read_text(encoding="utf-8"))
    made = [{**records[n % len(records)], "i_c": 100 + n} for n in range(count)]
    path = folder / "scenes.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


async def ours(url: str, folder: Path, count: int, connections: int) -> Ours:
    """Played and then judged, as `her eval coser` does."""
    import her.evals.inspect.tasks  # noqa: F401 - loading Inspect is a start-up, not a cost of a call

    bench = benchmark("coser")
    settings = bench.card.settle(Settings())
    exam = bench.load(scenes(folder, count), settings)
    with Ledger(folder / "ledger.sqlite") as ledger:

        def opened(stage: str) -> Kept:
            return Kept(LedgerModel(EndpointModel("m", url, key="key-for-the-bench"), ledger, stage=stage))

        player, judge = opened("play"), opened("judge")
        cast = Cast(player=player, environment=player, next_speaker=player)
        began, busy = time.perf_counter(), time.process_time()
        held = await hold(bench, exam, settings, cast=cast, log=folder / "log", connections=connections)
        plays = {(p.item_id, p.repeat): p for p in held.plays}
        await hold(
            bench,
            exam,
            settings,
            cast=Cast(player=judge),
            judges=[judge],
            plays=plays,
            log=folder / "log",
            connections=connections,
        )
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - busy
        for model in (player, judge):
            await model.close()
    lost = Counter(a.returned.kind for p in held.plays for a in p.asked)["lost"]
    if lost:
        raise SystemExit(f"{lost} calls were given up; the comparison is off")
    calls = len(player.sent) + len(judge.sent)
    return Ours(
        wall_s=wall_s,
        cpu_s=cpu_s,
        played=tuple(player.sent),
        judged=tuple(judge.sent),
        late_s=(player.waited_s + judge.waited_s) / calls - LATENCY_S,
    )


async def bare(url: str, requests: tuple[Request, ...]) -> float:
    """Seconds for these calls, one after the other."""
    import httpx2

    async with httpx2.AsyncClient(timeout=120) as client:
        began = time.perf_counter()
        for request in requests:
            body = {
                "model": "m",
                "messages": [m.model_dump() for m in request.messages],
                "max_tokens": request.max_tokens,
                "temperature": request.temperature,
            }
            answer = await client.post(f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer key"})
            answer.raise_for_status()
            if not answer.json()["choices"][0]["message"]["content"]:
                raise SystemExit("an empty reply; the comparison is off")
        return time.perf_counter() - began


def main() -> None:
    """Measure and print; exit code 1 if the target is missed."""
    options = argparse.ArgumentParser(prog="python -m bench.exams", description=__doc__)
    options.add_argument("--scenes", type=int, default=40)
    options.add_argument("--connections", type=int, default=32, help="scenes at work at once")
    options.add_argument("--sample", type=int, default=200, help="calls that are sent one after the other")
    chosen = options.parse_args()
    CONSOLE.print(
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f} before the start"
    )
    with tempfile.TemporaryDirectory() as place, upstream(LATENCY_S) as url:
        found = asyncio.run(ours(url, Path(place), chosen.scenes, chosen.connections))
        sample = found.played[: chosen.sample]
        each_s = asyncio.run(bare(url, sample)) / len(sample)
    calls = len(found.played) + len(found.judged)
    in_a_row = len(found.played) + len(found.judged) / DIMENSIONS
    theirs_s = each_s * in_a_row
    CONSOLE.print(
        f"ours: {chosen.scenes} scenes, {chosen.connections} at once, {calls} calls in {found.wall_s:.1f} s; "
        f"{1000 * found.cpu_s / calls:.1f} ms of processor a call, {1000 * found.late_s:.0f} ms a call beyond the "
        "latency"
    )
    CONSOLE.print(
        f"one after the other: {1000 * each_s:.1f} ms a call over {len(sample)} calls, {in_a_row:.0f} in a row: "
        f"{theirs_s:.0f} s"
    )
    ratio = theirs_s / found.wall_s
    reached = ratio >= TARGET
    CONSOLE.print(f"times as fast: {ratio:.1f}; target {TARGET:g}: {'reached' if reached else 'MISSED'}")
    raise SystemExit(0 if reached else 1)


if __name__ == "__main__":
    main()
