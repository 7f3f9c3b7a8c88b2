"""Any OpenAI-compatible endpoint, or several of them, as a ChatModel: `openai:MODEL@URL,URL,...`.

Owns the life of a call: when it goes, where it goes next when it fails, when it is given up, and when everything is.
What is not a reply is an error, never an empty text. The table of failures is `llm/retry.py`, one endpoint
`llm/endpoint.py`, the choice among several `llm/fleet.py`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass

from her.errors import BudgetError, DeadLetterError, EndpointError, ModelError, ReplyError
from her.llm.address import address, read_address
from her.llm.budget import Budget
from her.llm.chunks import read_chunk
from her.llm.endpoint import Endpoint
from her.llm.fleet import Clock, Fleet, WallClock
from her.llm.model import Delta, Reply, Request, Usage
from her.llm.prices import cost_usd, price
from her.llm.retry import RULES, Failed, Losses, Patience, Waits
from her.llm.sse import EventReader
from her.llm.wire import build, in_words, refused_field
from her.llm.words import without_fence

_ELSEWHERE = {"rate_limit", "unreachable", "endpoint"}
"""Failures of one endpoint that say nothing of the others."""


@dataclass(slots=True, kw_only=True)
class _Call:
    """One request on its way through its attempts."""

    request: Request
    waits: Waits
    without: set[str]
    """Optional fields that are left out."""
    usage: Usage | None = None
    """What the endpoint says that the last attempt has cost."""


class EndpointModel:
    """A model behind HTTP. How many calls are under way at a time is found by admission, and bounded by who calls."""

    def __init__(
        self,
        model: str,
        urls: str | Sequence[str],
        *,
        key: str | None = None,
        patience: Patience | None = None,
        budget: Budget | None = None,
        clock: Clock | None = None,
    ) -> None:
        where = address(model, [urls] if isinstance(urls, str) else list(urls))
        self.name = where.name
        self.fingerprint = where.name
        self._model = where.model
        self._patience = patience or Patience()
        self._clock = clock or WallClock()
        endpoints = [Endpoint(model, url, key=key, patience=self._patience) for url in where.urls]
        self._fleet = Fleet(endpoints, clock=self._clock)
        self._spending = None if budget is None else _Spending(budget, name=self.name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._losses = Losses()
        self._spurned: set[str] = set()
        """Optional fields that were refused in a request which was then answered without them."""

    def __repr__(self) -> str:
        return f"EndpointModel({self.name!r})"

    async def reply(self, request: Request) -> Reply:
        """One whole reply, after as many attempts as the table of failures allows."""
        call = self._begin(request)
        while True:
            try:
                async with self._attempt(call) as endpoint:
                    body = self._body(call, streaming=False)
                    reply = self._own(await endpoint.post(body, top_logprobs=request.top_logprobs), call)
            except Failed as failed:
                await self._go_on(failed, call)
            else:
                self._answered(call)
                return reply

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The reply in pieces. A failure before the first piece is tried again; after it, it is an error."""
        call = self._begin(request)
        while True:
            begun = False
            try:
                async with self._attempt(call) as endpoint, aclosing(self._deltas(endpoint, call)) as deltas:
                    async for delta in deltas:
                        begun = True
                        yield delta
            except Failed as failed:
                if begun:
                    raise ReplyError(str(failed)) from failed
                await self._go_on(failed, call)
            else:
                self._answered(call)
                return

    async def close(self) -> None:
        """Close the connections."""
        if self._loop is asyncio.get_running_loop():
            await self._fleet.close()

    # -- the life of a call ---------------------------------------------------------------------------------------

    def _begin(self, request: Request) -> _Call:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._fleet.bind()
        waits = Waits(patience=self._patience, seed=request.sampling_seed())
        return _Call(request=request, waits=waits, without=set(self._spurned))

    def _attempt(self, call: _Call) -> AbstractAsyncContextManager[Endpoint]:
        return self._fleet.visit() if self._spending is None else self._paid(self._spending, call)

    @asynccontextmanager
    async def _paid(self, spending: "_Spending", call: _Call) -> AsyncGenerator[Endpoint]:
        async with self._fleet.visit() as endpoint, spending.attempt(call):
            yield endpoint

    async def _go_on(self, failed: Failed, call: _Call) -> None:
        """Return when the call is to be tried again; raise when it is not."""
        if failed.failure == "request":
            field = refused_field(str(failed), call.request, without=call.without)
            if field is not None:
                call.without.add(field)
                return
        if failed.failure in _ELSEWHERE and self._fleet.others_serve():
            return
        wait_s = call.waits.next_s(failed.failure, retry_after_s=failed.retry_after_s)
        if wait_s is None:
            raise self._given_up(failed, call) from failed
        await self._clock.sleep(wait_s)

    def _given_up(self, failed: Failed, call: _Call) -> ModelError:
        reason = RULES[failed.failure].given_up
        if reason is None:
            return failed.error()
        if reason != "too_long":  # that one is the request's own, and callers shorten it
            self._losses.note(lost=True)
        lost = self._losses.too_many()
        if lost is not None:
            self._losses = Losses()
            return EndpointError(
                f"{lost} of the last {self._losses.window} requests to {self.name} were given up, so the fault is "
                f"hardly in them; the last: {failed}. Mend the cause, then run the same again with dead letters tried "
                "anew: what was paid is kept",
                failed.status,
            )
        attempts = call.waits.attempts
        return DeadLetterError(f"{failed} (given up: {reason}, attempts: {attempts})", reason=reason, attempts=attempts)

    def _answered(self, call: _Call) -> None:
        self._losses.note(lost=False)
        self._spurned |= call.without

    # -- what is sent and what is believed ------------------------------------------------------------------------

    def _body(self, call: _Call, *, streaming: bool) -> bytes:
        return build(call.request, self._model, without=call.without, streaming=streaming)

    def _own(self, reply: Reply, call: _Call) -> Reply:
        """The reply without what our way of asking brought: a repeated opening, a fence around JSON."""
        call.usage = reply.usage
        text = reply.text.removeprefix(call.request.prefill)
        if in_words(call.request, without=call.without):
            text = without_fence(text)
        return reply if text == reply.text else reply.model_copy(update={"text": text})

    async def _deltas(self, endpoint: Endpoint, call: _Call) -> AsyncGenerator[Delta]:
        finish: Delta | None = None
        usage: Usage | None = None
        opening = call.request.prefill
        chunks = endpoint.stream(self._body(call, streaming=True))
        async with aclosing(chunks), aclosing(_events(chunks, endpoint)) as events:
            async for event in events:
                if event.strip() == "[DONE]":
                    break  # anything after it, another [DONE] included, is not ours
                try:
                    delta = read_chunk(event)
                except ReplyError as e:
                    raise endpoint.nonsense(str(e), event) from e
                usage = delta.usage or usage
                if finish is not None:
                    continue  # the reply has ended; only its cost may follow
                finish = delta if delta.finish_reason is not None else None
                text, opening = _after_opening(endpoint.clean(delta.text), opening)
                if text or delta.reasoning:
                    yield Delta(text=text, reasoning=endpoint.clean(delta.reasoning))
        if finish is None:
            raise endpoint.broke_off()
        call.usage = usage
        yield Delta(finish_reason=finish.finish_reason, usage=usage)


class _Spending:
    """A budget and the price of one model."""

    def __init__(self, budget: Budget, *, name: str) -> None:
        known = price(name)
        if known is None:
            raise BudgetError(f"nobody knows what {name} costs; name a table with its price in HER_PRICES")
        self._budget = budget
        self._price = known

    @asynccontextmanager
    async def attempt(self, call: _Call) -> AsyncGenerator[None]:
        """Hold what an attempt may cost, and count what it did cost: all of it, where nobody can say."""
        held_usd = await self._budget.hold(self._price, call.request)
        paid_usd = held_usd
        call.usage = None
        try:
            yield
            paid_usd = held_usd if call.usage is None else cost_usd(self._price, call.usage)
        except Failed as failed:
            paid_usd = held_usd if failed.billed else 0.0
            raise
        finally:
            self._budget.charge(paid_usd)
            self._budget.release(held_usd)


def parse_endpoint(rest: str, *, budget: Budget | None = None) -> EndpointModel:
    """`MODEL@URL,URL,...` to a model."""
    where = read_address(rest)
    return EndpointModel(where.model, where.urls, budget=budget)


async def _events(chunks: AsyncIterator[bytes], endpoint: Endpoint) -> AsyncGenerator[str]:
    reader = EventReader()
    try:
        async for chunk in chunks:
            for event in reader.feed(chunk):
                yield event
        for event in reader.close():
            yield event
    except ReplyError as e:
        raise endpoint.nonsense(str(e), "") from e


def _after_opening(text: str, opening: str) -> tuple[str, str]:
    """The text without what is left of a repeated prefill, and what may still be repeated of it."""
    if not opening or not text:
        return text, opening
    if opening.startswith(text):
        return "", opening[len(text) :]
    return text.removeprefix(opening), ""
