"""A model behind the ledger: asks the ledger first, pays once, stores before it answers.

Equal requests that run at the same time in one process are one call. Knows the ledger's interface, not its file.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from her.errors import ModelError, StoreError
from her.llm.ledger import Ledger, Paid, ledger_key
from her.llm.model import ChatModel, Delta, Reply, Request, Usage
from her.schema import Record
from her.store import canonical

R = TypeVar("R", bound=Record)


@dataclass(slots=True, kw_only=True)
class _Flight:
    """A call under way and how many wait for it."""

    task: "asyncio.Task[Reply]"
    waiting: int = 0


class LedgerModel:
    """A `ChatModel` that pays each call once. Closing it closes the model, not the ledger."""

    def __init__(self, model: ChatModel, ledger: Ledger, *, stage: str) -> None:
        self.name = model.name
        self.fingerprint = model.fingerprint
        self.stage = stage
        self._model = model
        self._ledger = ledger
        self._flights: dict[str, _Flight] = {}

    async def reply(self, request: Request) -> Reply:
        """The stored reply, or a paid one."""
        key = self._key(request)
        if (stored := self._stored(key)) is not None:
            return stored
        flight = self._flights.get(key)
        if flight is None:
            flight = _Flight(task=asyncio.create_task(self._pay(key, request)))
            self._flights[key] = flight
        else:
            self._ledger.count(self.stage, "hits")
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)  # one who gives up must not take the others' reply along
        finally:
            flight.waiting -= 1
            if flight.waiting == 0:
                if self._flights.get(key) is flight:
                    del self._flights[key]
                flight.task.cancel()  # does nothing where it is done

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The stored reply in one piece, or a paid stream, stored when its last piece has come."""
        key = self._key(request)
        if (stored := self._stored(key)) is not None:
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
                    self._store(key, request, whole, time.monotonic() - started)
                yield delta
        except ModelError:
            self._ledger.count(self.stage, "errors")
            raise

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()

    def _key(self, request: Request) -> str:
        return ledger_key(stage=self.stage, fingerprint=self.fingerprint, request=request)

    def _stored(self, key: str) -> Reply | None:
        text = self._ledger.get(key)
        if text is None:
            return None
        self._ledger.count(self.stage, "hits")
        return _read(text, Reply, self._ledger)

    async def _pay(self, key: str, request: Request) -> Reply:
        started = time.monotonic()
        try:
            reply = await self._model.reply(request)
        except ModelError:
            self._ledger.count(self.stage, "errors")
            raise
        return self._store(key, request, reply, time.monotonic() - started)

    def _store(self, key: str, request: Request, reply: Reply, seconds: float) -> Reply:
        usage = reply.usage or Usage(prompt_tokens=0, completion_tokens=0)
        paid = Paid(
            stage=self.stage,
            fingerprint=self.fingerprint,
            request=canonical(request.model_dump(mode="json")),
            answer=canonical(reply.model_dump(mode="json")),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=seconds,
        )
        return _read(self._ledger.put(key, paid), Reply, self._ledger)


def _read(text: str, kind: type[R], ledger: Ledger) -> R:
    try:
        return kind.model_validate_json(text)
    except ValidationError as e:
        raise StoreError(f"{ledger.path} holds a damaged {kind.__name__}; move the file away and run again") from e
