"""One measured client: so many chat completions, so many at a time, against one upstream.

    python -m bench.callers KIND URL CALLS CONCURRENCY   # prints one line of JSON

Every kind sends the same messages and settings and reads the reply's text. Each imports its own library alone, for the
peers live in an environment of their own.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

Call = Callable[[int], Awaitable[str]]

SYSTEM = "You are Mara, who keeps the lighthouse and owes the harbour master a letter. Answer in her voice."
USER = "Tell me what you saw on the night when the ninth lantern was lit. " * 30


@asynccontextmanager
async def bare(url: str, concurrency: int) -> AsyncIterator[Call]:
    """A loop that a careful person writes in five minutes: one client of httpx2, one body, one look at the reply."""
    import httpx2

    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx2.AsyncClient(limits=limits, timeout=120) as client:

        async def call(n: int) -> str:
            body = {"model": "m", "messages": _messages(), "max_tokens": 200, "temperature": 0.7, "seed": n}
            response = await client.post(
                f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer key-for-the-bench"}
            )
            response.raise_for_status()
            return str(response.json()["choices"][0]["message"]["content"])

        yield call


@asynccontextmanager
async def ours(url: str, concurrency: int) -> AsyncIterator[Call]:
    """`her.llm`, without a ledger."""
    from her.llm import Request
    from her.llm.http import EndpointModel
    from her.schema import Message

    model = EndpointModel("m", url, key="key-for-the-bench")
    messages = tuple(Message.model_validate(m) for m in _messages())

    async def call(n: int) -> str:
        return (await model.reply(Request(messages=messages, max_tokens=200, temperature=0.7, seed=n))).text

    yield call
    await model.close()


@asynccontextmanager
async def ledger(url: str, concurrency: int) -> AsyncIterator[Call]:
    """`her.llm` with a ledger: every reply is on disk before it is handed on."""
    from her.llm import Ledger, LedgerModel, Request
    from her.llm.http import EndpointModel
    from her.schema import Message

    messages = tuple(Message.model_validate(m) for m in _messages())
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as book:
        model = LedgerModel(EndpointModel("m", url, key="key-for-the-bench"), book, stage="bench")

        async def call(n: int) -> str:
            return (await model.reply(Request(messages=messages, max_tokens=200, temperature=0.7, seed=n))).text

        yield call
        await model.close()


@asynccontextmanager
async def openai(url: str, concurrency: int) -> AsyncIterator[Call]:
    """The openai package's client as it comes, without its own retries."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="key-for-the-bench", max_retries=0, timeout=120) as client:

        async def call(n: int) -> str:
            reply = await client.chat.completions.create(
                model="m", messages=_messages(), max_tokens=200, temperature=0.7, seed=n
            )
            return reply.choices[0].message.content or ""

        yield call


@asynccontextmanager
async def litellm(url: str, concurrency: int) -> AsyncIterator[Call]:
    """litellm as it comes, without its own retries."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the network for prices
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True

    async def call(n: int) -> str:
        reply = await litellm.acompletion(
            model="openai/m",
            api_base=url,
            api_key="key-for-the-bench",
            messages=_messages(),
            max_tokens=200,
            temperature=0.7,
            seed=n,
            num_retries=0,
            max_retries=0,
            timeout=120,
        )
        return reply.choices[0].message.content or ""

    yield call


KINDS = {"bare": bare, "ours": ours, "ledger": ledger, "openai": openai, "litellm": litellm}
PACKAGES = {"bare": "httpx2", "ours": "her", "ledger": "her", "openai": "openai", "litellm": "litellm"}


async def measure(kind: str, url: str, calls: int, concurrency: int) -> dict[str, float | str]:
    """Calls a second and processor time a call, once connections are open and admission has found its limit."""
    async with KINDS[kind](url, concurrency) as call:
        await _crowd(call, 10**6, 8 * concurrency, concurrency)
        began, busy = time.perf_counter(), time.process_time()
        await _crowd(call, 0, calls, concurrency)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - busy
    return {
        "rate": calls / seconds,
        "cpu_ms": 1000 * cpu_s / calls,
        "version": f"{PACKAGES[kind]} {version(PACKAGES[kind])}",
    }


async def _crowd(call: Call, first: int, calls: int, concurrency: int) -> None:
    numbers = iter(range(first, first + calls))

    async def one() -> None:
        for n in numbers:
            if not await call(n):
                raise SystemExit("an empty reply; the comparison is off")

    await asyncio.gather(*(one() for _ in range(concurrency)))


def _messages() -> list[dict[str, str]]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]


if __name__ == "__main__":
    kind, url, calls, concurrency = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(kind, url, int(calls), int(concurrency)))))
