"""A model behind the ledger: asks the ledger first, pays once, stores before it answers.

Equal requests that run at the same time in one process are one call. A request that was given up is recorded with what
is needed to send it again, and is not sent again unless that is asked for: a run that goes on ends as if it had never
stopped. Knows the ledger's interface, not its file.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import ValidationError

from her.errors import DeadLetterError, ModelError, StoreError
from her.llm.ledger import Ledger, Paid, key_of
from her.llm.model import ChatModel, Delta, Reply, Request, Usage
from her.store import canonical


@dataclass(slots=True, kw_only=True)
class _Flight:
    """A call under way and how many wait for it."""

    task: "asyncio.Task[Reply]"
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A request with its name in the ledger."""

    key: str
    request: Request
    content: str
    """The request as canonical JSON."""


class LedgerModel:
    """A `ChatModel` that pays each call once. Closing it closes the model, not the ledger. `retry_dead`: requests that
    were given up are sent again, once in the life of this object."""

    def __init__(self, model: ChatModel, ledger: Ledger, *, stage: str, retry_dead: bool = False) -> None:
        self.name = model.name
        self.fingerprint = model.fingerprint
        self.stage = stage
        self._model = model
        self._ledger = ledger
        self._flights: dict[str, _Flight] = {}
        self._dead = set() if retry_dead else ledger.dead_keys(stage)

    async def reply(self, request: Request) -> Reply:
        """The stored reply, or a paid one. Raises DeadLetterError for a request that was given up."""
        call = self._call(request)
        if (stored := self._stored(call)) is not None:
            return stored
        flight = self._flights.get(call.key)
        if flight is None:
            flight = _Flight(task=asyncio.create_task(self._pay(call)))
            self._flights[call.key] = flight
        else:
            self._ledger.count(self.stage, "hits")
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)  # one who gives up must not take the others' reply along
        finally:
            flight.waiting -= 1
            if flight.waiting == 0:
                if self._flights.get(call.key) is flight:
                    del self._flights[call.key]
                flight.task.cancel()  # does nothing where it is done

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The stored reply in one piece, or a paid stream, stored before its last piece is handed on."""
        call = self._call(request)
        if (stored := self._stored(call)) is not None:
            if stored.text or stored.reasoning:
                yield Delta(text=stored.text, reasoning=stored.reasoning or "")
            yield Delta(finish_reason=stored.finish_reason, usage=stored.usage)
            return
        started, text, reasoning = time.monotonic(), [], []
        try:
            async for delta in self._model.stream(request):
                text.append(delta.text)
                reasoning.append(delta.reasoning)
                if delta.finish_reason is not None and not request.top_logprobs:  # a stream carries no logprobs to keep
                    whole = Reply(
                        text="".join(text),
                        reasoning="".join(reasoning) or None,
                        finish_reason=delta.finish_reason,
                        usage=delta.usage,
                    )
                    await self._store(call, whole, time.monotonic() - started)
                yield delta
        except ModelError as e:
            self._failed(call, e)
            raise

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()

    def _call(self, request: Request) -> _Call:
        content = canonical(request.model_dump(mode="json"))
        key = key_of(stage=self.stage, fingerprint=self.fingerprint, request=content)
        return _Call(key=key, request=request, content=content)

    def _stored(self, call: _Call) -> Reply | None:
        text = self._ledger.get(call.key)
        if text is not None:
            self._ledger.count(self.stage, "hits")
            return self._read(text)
        letter = self._ledger.dead_letter(call.key) if call.key in self._dead else None
        if letter is None:
            return None
        self._ledger.count(self.stage, "hits")
        # In the very words of the first time: they end in rejects, and a run that goes on ends with the same bytes.
        raise DeadLetterError(letter.error, reason=letter.reason, attempts=letter.attempts)

    async def _pay(self, call: _Call) -> Reply:
        started = time.monotonic()
        try:
            reply = await self._model.reply(call.request)
        except ModelError as e:
            self._failed(call, e)
            raise
        return await self._store(call, reply, time.monotonic() - started)

    def _failed(self, call: _Call, error: ModelError) -> None:
        self._ledger.count(self.stage, "errors")
        if isinstance(error, DeadLetterError):
            self._ledger.bury(
                stage=self.stage,
                fingerprint=self.fingerprint,
                request=call.content,
                reason=error.reason,
                error=str(error),
                attempts=error.attempts,
            )
            self._dead.add(call.key)

    async def _store(self, call: _Call, reply: Reply, seconds: float) -> Reply:
        usage = reply.usage or Usage(prompt_tokens=0, completion_tokens=0)
        answer = canonical(reply.model_dump(mode="json"))
        paid = Paid(
            stage=self.stage,
            fingerprint=self.fingerprint,
            request=call.content,
            answer=answer,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=seconds,
        )
        stored = await self._ledger.pay(call.key, paid)
        return reply if stored is answer else self._read(stored)

    def _read(self, text: str) -> Reply:
        try:
            return Reply.model_validate_json(text)
        except ValidationError as e:
            raise StoreError(f"{self._ledger.path} holds a damaged Reply; move the file away and run again") from e
