"""The embedded engine: a GGUF model and, if trained here, its LoRA adapter, as a ChatModel.

Owns the translation of a `Request` to a llama.cpp completion and back. The prompt is rendered here (`chatml`), so that
prefill is exact and nothing rewrites the reply. Blocking calls wait in the server's threads; an asyncio cancel stops
the generation within a token.

The same request does not give the same text, even with its seed, when it shares a batch with others or goes on from a
prompt that the server still holds: sums are then taken in another order, and a sampled text soon differs (measured: 6
of 6 texts the same one at a time without reuse, in any order; 3 to 5 of 6 with reuse; 0 to 2 of 6 with four at a
time). So there are two ways to open a server. The default is fast (four at a time, prompts reused), and the ledger is
what makes a run repeatable. `reproducible` runs one at a time and reads each prompt anew: bit for bit the same, up to
twice as slow.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from her.errors import DeadLetterError, EndpointError, InputError, ReplyError
from her.llm.chatml import END_OF_TURN, render_chatml
from her.llm.engines.llama_server import LlamaServer
from her.llm.model import Delta, FinishReason, Reply, Request, TokenLogprob, Usage

_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


class EmbeddedModel:
    """`local:` and `run:` models."""

    def __init__(
        self, name: str, *, fingerprint: str, server: LlamaServer, default_system: str, adapter: Path | None = None
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._server: LlamaServer | None = server
        self._default_system = default_system
        self._adapter_id = server.adapter_id(adapter)
        self._adapters = len(server.adapters)
        self._reuse = not server.reproducible

    async def reply(self, request: Request) -> Reply:
        """One whole reply. An empty text that ended by itself is a legal reply: the model chose to say nothing."""
        text: list[str] = []
        logprobs: list[TokenLogprob] = []
        last: Delta | None = None
        async for event in self._events(request):
            choice = event["choices"][0]
            text.append(choice["text"])
            logprobs += _read_logprobs(choice)
            last = _read_delta(event)
        if last is None or last.finish_reason is None:
            raise ReplyError(f"{self.name} stopped without saying why; run it again, it is a fault of the engine")
        whole = "".join(text)
        if request.json_schema is not None and last.finish_reason == "stop":
            _must_be_json(whole, self.name)
        return Reply(
            text=whole,
            finish_reason=last.finish_reason,
            usage=last.usage,
            logprobs=tuple(logprobs) if request.top_logprobs else None,
        )

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The same reply in pieces."""
        finished = False
        async for event in self._events(request):
            delta = _read_delta(event)
            finished = finished or delta.finish_reason is not None
            yield delta
        if not finished:
            raise ReplyError(f"{self.name} stopped without saying why; run it again, it is a fault of the engine")

    async def close(self) -> None:
        """Give the server back. A second call does nothing."""
        await asyncio.to_thread(self.release)

    def release(self) -> None:
        """The same, where no event loop runs."""
        server, self._server = self._server, None
        if server is not None:
            server.release()

    async def _events(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        if self._server is None:
            raise EndpointError(f"{self.name} is closed; open it again")
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        cancelled = threading.Event()

        def put(event: dict[str, Any] | None) -> None:
            if not cancelled.is_set():
                loop.call_soon_threadsafe(queue.put_nowait, event)

        def on_event(event: dict[str, Any]) -> bool:
            put(event)
            return cancelled.is_set()

        server, body = self._server, self._body(request)

        def work() -> None:
            if cancelled.is_set():
                return
            try:
                server.complete(body, on_event)
            finally:
                put(None)

        job = loop.run_in_executor(server.pool, work)
        try:
            while (event := await queue.get()) is not None:
                if "error" in event:
                    self._refuse(event["error"])
                yield event
            await job
        finally:
            cancelled.set()

    def _refuse(self, error: dict[str, Any]) -> None:
        status = int(error.get("code", 500))
        what = str(error.get("message", "unknown error"))
        message = f"{self.name} refused the request: {what}; shorten the prompt or mend the schema"
        if status != 400:
            raise EndpointError(message, status)
        # The engine is well, and the next request may be: one prompt too long must not end a run.
        raise DeadLetterError(message, reason="too_long" if "context size" in what else "refused", attempts=1)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "prompt": render_chatml(request.messages, default_system=self._default_system, prefill=request.prefill),
            "n_predict": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": 0,  # the server's own defaults (40, min_p 0.05) would bend the distribution unasked
            "min_p": 0.0,
            "seed": request.sampling_seed(),
            "stop": [*request.stop, END_OF_TURN],
            "stream": True,
            "cache_prompt": self._reuse,
        }
        if request.json_schema is not None:
            body["grammar"] = _grammar(request.json_schema)
        if request.top_logprobs:
            body["n_probs"] = request.top_logprobs
        if self._adapters:
            body["lora"] = [{"id": i, "scale": float(i == self._adapter_id)} for i in range(self._adapters)]
        return body


@lru_cache(maxsize=64)
def _grammar(json_schema: str) -> str:
    """The schema as a grammar. Converted here because the server drops a schema it cannot read without a word."""
    import xllamacpp  # type: ignore[import-untyped, import-not-found, unused-ignore]

    try:
        schema = json.loads(json_schema)
        # Fixed spacing: left free, a small model fills its budget with line breaks.
        spacing = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        return str(xllamacpp.json_schema_to_grammar(json.dumps({"x-guidance": spacing, **schema})))
    except (RuntimeError, TypeError, ValueError) as e:
        raise InputError(f"the JSON schema of a request cannot be used: {e}; mend the schema") from e


def _must_be_json(text: str, name: str) -> None:
    """The engine drops a schema that it cannot compile without a word; this is where it shows."""
    try:
        json.loads(text)
    except ValueError as e:
        raise ReplyError(f"{name} could not follow the JSON schema: {e}; use a simpler schema") from e


def _read_delta(event: dict[str, Any]) -> Delta:
    choice = event["choices"][0]
    usage = event.get("usage")
    return Delta(
        text=choice["text"],
        finish_reason=None if choice["finish_reason"] is None else _FINISH[choice["finish_reason"]],
        usage=Usage(prompt_tokens=usage["prompt_tokens"], completion_tokens=usage["completion_tokens"])
        if usage
        else None,
    )


def _read_logprobs(choice: dict[str, Any]) -> list[TokenLogprob]:
    return [
        TokenLogprob(
            token=token["token"],
            logprob=token["logprob"],
            top=tuple((t["token"], t["logprob"]) for t in token["top_logprobs"]),
        )
        for token in (choice.get("logprobs") or {}).get("content", ())
    ]
