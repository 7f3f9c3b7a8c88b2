"""Each fault alone has its typed end; mixed, every item ends once, and the upstream's own record agrees."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fast_clock import FastClock
from faults import FAULTS, PASSING, Expected
from faulty_upstream import FaultyUpstream, First, Mixed, Plan, Sound
from mixed_suite import mixed
from small_pipeline import SCHEMA, read

from her.errors import DeadLetterError, EndpointError, ReplyError
from her.llm import Ledger, LedgerModel, Reply, Request
from her.llm.http import EndpointModel
from her.llm.retry import Patience
from her.schema import Message

PATIENT = Patience(attempts=4, wall_s=60)
QUICK = replace(PATIENT, answer_s=0.15, stall_s=0.15, slow_s=0.15, slow_bytes_s=300)
"""Only where silence is the fault: a busy machine must not be taken for one."""
_SILENT = {"hang", "hang_after_head", "hang_mid_body", "trickle"}
REQUEST = Request(
    messages=(Message(role="user", content="Say it."),), max_tokens=64, temperature=0.7, json_schema=SCHEMA
)


@asynccontextmanager
async def served(plan: Plan) -> AsyncIterator[tuple[EndpointModel, FaultyUpstream]]:
    with FaultyUpstream(plan) as up:
        silent = isinstance(plan, First) and plan.name in _SILENT
        model = EndpointModel("m", up.url, patience=QUICK if silent else PATIENT, clock=FastClock())
        try:
            yield model, up
        finally:
            await model.close()


def told(reply: Reply) -> str:
    if reply.finish_reason != "stop":
        return f"reply:{reply.finish_reason}"
    return "unread" if read(reply) is None else "ok"


def outcome(plan: Plan) -> str:
    async def run() -> str:
        async with served(plan) as (model, _):
            try:
                reply = await model.reply(REQUEST)
            except DeadLetterError as e:
                return f"dead:{e.reason}"
            except EndpointError:
                return "stop"
            return (
                "ok" if read(reply) else "unread" if reply.finish_reason == "stop" else f"reply:{reply.finish_reason}"
            )

    return asyncio.run(run())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_comes_once(name: str) -> None:
    assert outcome(First(name=name)) == FAULTS[name].once


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_always_comes(name: str) -> None:
    assert outcome(First(name=name, attempts=1000)) == FAULTS[name].always


_AFTER_THE_FIRST_PIECE = {"reset_mid_body", "close_mid_body", "hang_mid_body", "short_length"}
_ONLY_WHOLE = {"null_content", "html_in_200", "wrong_shape", "truncated_json"}
"""A stream without a single event is one that broke off, and a piece of one need not have text."""


@pytest.mark.parametrize("name", sorted(set(FAULTS) - _ONLY_WHOLE))
def test_the_same_faults_in_a_stream(name: str) -> None:
    async def run() -> str:
        async with served(First(name=name)) as (model, _):
            text, finish, ends = "", None, 0
            try:
                async for delta in model.stream(REQUEST):
                    text += delta.text
                    finish = delta.finish_reason or finish
                    ends += delta.finish_reason is not None
            except DeadLetterError as e:
                return f"dead:{e.reason}"
            except EndpointError:
                return "stop"
            except ReplyError:
                return "broken"
            assert finish is not None
            assert ends == 1
            return told(Reply(text=text, finish_reason=finish))

    wanted: Expected | str = "broken" if name in _AFTER_THE_FIRST_PIECE else FAULTS[name].once
    assert asyncio.run(run()) == wanted


def test_there_are_enough_faults_and_the_mixed_ones_are_most_of_them() -> None:
    assert len(FAULTS) >= 23
    assert len(PASSING) >= 23


def test_mixed_faults_end_every_item_once(tmp_path: Path) -> None:
    result = mixed(tmp_path, count=300, rate=0.3, seed=7)
    assert result.items == result.kept + result.dead + result.unread == 300
    assert (result.wrong, result.lost, result.paid_twice) == (0, 0, 0)
    assert 250 < result.kept < 300
    assert result.dead > 0
    assert len(result.faults) >= 20


def test_faults_do_not_depend_on_the_order_of_arrival() -> None:
    plan = Mixed(rate=0.3, seed=1)
    drawn = {(d, a): plan.fault(d, a) for d in ("x", "y") for a in range(50)}
    assert {k: plan.fault(*k) for k in reversed(drawn)} == drawn
    assert 10 < sum(f is not None for f in drawn.values()) < 60


def test_a_request_that_was_given_up_is_recorded_and_sent_again_only_when_asked(tmp_path: Path) -> None:
    async def ask(plan: Plan, *, retry_dead: bool = False) -> str:
        async with served(plan) as (model, _):
            with Ledger(tmp_path / "l") as ledger:
                behind = LedgerModel(model, ledger, stage="s", retry_dead=retry_dead)
                behind.fingerprint = "the same model, whatever its port"
                try:
                    await behind.reply(REQUEST)
                    end = "ok"
                except DeadLetterError as e:
                    end = e.reason
                return f"{end} {len(ledger.dead_letters('s'))} {ledger.tally('s').dead} {model._losses.too_many()}"

    refusing = First(name="bad_request", attempts=9)
    assert asyncio.run(ask(refusing)) == "refused 1 1 None"
    assert asyncio.run(ask(Sound())) == "refused 1 1 None"
    assert asyncio.run(ask(refusing, retry_dead=True)) == "refused 1 1 None"
    assert asyncio.run(ask(Sound(), retry_dead=True)) == "ok 0 0 None"
    assert asyncio.run(ask(refusing)) == "ok 0 0 None"


def test_a_dead_letter_holds_the_request_to_replay(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(First(name="too_long", attempts=9)) as (model, _):
            with Ledger(tmp_path / "l") as ledger:
                with pytest.raises(DeadLetterError):
                    await LedgerModel(model, ledger, stage="s").reply(REQUEST)
                (letter,) = ledger.dead_letters("s")
                assert Request.model_validate_json(letter.request) == REQUEST
                assert (letter.reason, letter.fingerprint) == ("too_long", model.fingerprint)
                assert "context length" in letter.error
                assert ledger.dead_letters("another") == ()

    asyncio.run(run())


def test_when_most_requests_are_refused_the_run_stops_and_says_why() -> None:
    async def run() -> tuple[int, str]:
        async with served(First(name="bad_request", attempts=9)) as (model, up):
            for n in range(50):
                request = REQUEST.model_copy(update={"seed": n})
                try:
                    await model.reply(request)
                except DeadLetterError:
                    continue
                except EndpointError as e:
                    return sum(s.attempts for s in up.served.values()), str(e)
        raise AssertionError("it never stopped")

    asked, why = asyncio.run(run())
    assert asked == 26
    assert "26 of the last 50" in why
    assert "400" in why
