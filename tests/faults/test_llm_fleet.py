"""Several endpoints are one model: the least loaded is asked, a dead one rests, and their order does not matter."""

import asyncio
import logging

import pytest
from canned_upstream import answer, http, ok, upstream
from fast_clock import FastClock
from faulty_upstream import FaultyUpstream, First, Mixed, Sound
from small_pipeline import items, work

from her.errors import EndpointError, ModelNameError
from her.llm import Request, describe, fingerprint, open_model
from her.llm.address import read_address
from her.llm.http import EndpointModel
from her.llm.retry import Patience
from her.schema import Message

REQUEST = Request(messages=(Message(role="user", content="Say it."),), max_tokens=8, temperature=0)
NOWHERE = "http://127.0.0.1:9/v1"
"""Nobody listens here."""


def model_at(*urls: str) -> EndpointModel:
    return EndpointModel("m", urls, patience=Patience(attempts=3, answer_s=5), clock=FastClock())


def test_the_order_of_endpoints_does_not_matter_and_their_number_is_free() -> None:
    name = "openai:org/m@http://a.example/v1,http://b.example:8000/v1"
    other = "openai:org/m@http://b.example:8000/v1/,http://a.example/v1,http://a.example/v1"
    assert fingerprint(name) == fingerprint(other) == describe(other).name == open_model(other).fingerprint == name
    assert fingerprint(name) != fingerprint("openai:org/m@http://a.example/v1")
    assert fingerprint("openai:m@http://a.example/v1") == "openai:m@http://a.example/v1"


@pytest.mark.parametrize(
    "rest", ["m@http://a/v1,", "m@http://a/v1,b", "m@http://a/v1,ftp://b/v1", "m@http://a/v1;http://b"]
)
def test_a_list_that_is_none_is_refused(rest: str) -> None:
    with pytest.raises(ModelNameError):
        read_address(rest)


def test_calls_are_shared_evenly() -> None:
    async def run() -> list[int]:
        with FaultyUpstream(Sound(), delay_s=0.02) as a, FaultyUpstream(Sound(), delay_s=0.02) as b:
            model = model_at(a.url, b.url)
            await work(items(100), model, concurrency=32)
            await model.close()
            return [sum(s.attempts for s in up.served.values()) for up in (a, b)]

    counts = asyncio.run(run())
    assert sum(counts) == 200
    assert min(counts) > 60


def test_an_endpoint_that_is_down_rests_while_others_serve(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> int:
        with FaultyUpstream(Sound()) as up:
            model = model_at(NOWHERE, up.url)
            outcomes = await work(items(50), model, concurrency=16)
            await model.close()
            assert all(type(o).__name__ == "Kept" for o in outcomes)
            return sum(s.attempts for s in up.served.values())

    with caplog.at_level(logging.WARNING, logger="her"):
        assert asyncio.run(run()) == 100
    assert "rests" in caplog.text
    assert len(caplog.records) <= 3


def test_an_endpoint_that_refuses_the_key_rests_too_and_the_request_goes_elsewhere() -> None:
    async def run() -> str:
        async with upstream([http(401, b"who are you?")]) as one, upstream([ok(answer("fine"))]) as two:
            model = model_at(one.url, two.url)
            replies = [(await model.reply(REQUEST)).text for _ in range(4)]
            await model.close()
            assert len(one.asked) <= 1
            return " ".join(replies)

    assert asyncio.run(run()) == "fine fine fine fine"


def test_when_all_refuse_the_run_stops() -> None:
    async def run() -> None:
        async with upstream([http(401, b"no")]) as one, upstream([http(403, b"no")]) as two:
            model = model_at(one.url, two.url)
            with pytest.raises(EndpointError, match="HER_API_KEY"):
                await model.reply(REQUEST)
            await model.close()
            assert len(one.asked) == len(two.asked) == 1

    asyncio.run(run())


def test_a_rate_limit_of_one_does_not_hold_up_the_others() -> None:
    async def run() -> tuple[int, float]:
        limited = First(name="rate_limit_seconds", attempts=10**6)
        with FaultyUpstream(limited) as a, FaultyUpstream(Sound()) as b:
            model = EndpointModel("m", [a.url, b.url], clock=FastClock(1))  # in which a pause would be felt
            loop = asyncio.get_running_loop()
            start = loop.time()
            await work(items(20), model, concurrency=8)
            await model.close()
            return sum(s.whole for s in b.served.values()), loop.time() - start

    served, seconds = asyncio.run(run())
    assert served == 40
    assert seconds < 1.9  # the pause of the one is two seconds


def test_faults_at_one_of_three_lose_nothing() -> None:
    async def run() -> int:
        broken = Mixed(rate=0.5, seed=3, names=("server_error", "reset", "truncated_json", "rate_limit_bare"))
        with FaultyUpstream(broken) as a, FaultyUpstream(Sound()) as b, FaultyUpstream(Sound()) as c:
            model = EndpointModel("m", [a.url, b.url, c.url], clock=FastClock())
            outcomes = await work(items(100), model, concurrency=24)
            await model.close()
            return sum(type(o).__name__ == "Kept" for o in outcomes)

    assert asyncio.run(run()) >= 95


def test_one_who_gives_up_in_the_queue_leaves_no_hole() -> None:
    async def run() -> None:
        with FaultyUpstream(Sound(), delay_s=0.05) as up:
            model = model_at(up.url)
            requests = [REQUEST.model_copy(update={"seed": n}) for n in range(40)]
            tasks = [asyncio.create_task(model.reply(r)) for r in requests]
            await asyncio.sleep(0.02)
            for task in tasks[::3]:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert sum(not isinstance(e, BaseException) for e in ends) == 26
            assert model._fleet.endpoints[0].admission.in_flight == 0
            await model.close()

    asyncio.run(run())
