"""Any OpenAI-compatible endpoint as a ChatModel: `openai:MODEL@URL`.

Owns the wire: what is sent, what is believed of what comes back, when to try again. The key is read from the
environment (`HER_API_KEY`; `OPENAI_API_KEY` for api.openai.com alone), is sent to the named host and nobody else (no
redirect is followed), and is cut out of everything that is shown or stored. An endpoint is a stranger: sizes are
capped, silence ends a call, and what is not a reply is an error, never an empty text.
"""

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import httpx

from her.errors import EndpointError, ModelNameError, ReplyError
from her.llm.chunks import Answer, read_answer, read_chunk
from her.llm.model import Delta, Reply, Request, Usage
from her.llm.retry import Failure, Patience, Waits, classify, read_retry_after
from her.llm.sse import EventReader
from her.llm.words import ask_in_words, without_fence
from her.store import canonical

_LARGEST_BODY = 16 << 20
_CONCURRENCY = 8
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class _Failed(Exception):
    """One attempt failed in a way the table knows."""

    def __init__(self, error: EndpointError | ReplyError, failure: Failure, retry_after_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.failure = failure
        self.retry_after_s = retry_after_s


class EndpointModel:
    """A model behind HTTP."""

    def __init__(
        self,
        model: str,
        url: str,
        *,
        key: str | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = _checked_url(url)
        self.name = f"openai:{model}@{self._url}"
        self.fingerprint = self.name
        self._model = model
        self._where = f"{model} at {self._url}"
        self._key = key if key is not None else key_for(self._url)
        self._patience = patience or Patience()
        self._sleep = sleep
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(_CONCURRENCY)
        self._spurned: set[str] = set()
        """Optional request fields that this endpoint has refused; they are not sent to it again."""

    def __repr__(self) -> str:
        return f"EndpointModel({self.name!r})"

    async def reply(self, request: Request) -> Reply:
        """One whole reply, after as many attempts as the table of failures allows."""

        async def attempt() -> Reply:
            answer = await self._post(request)
            return answer.reply(top_logprobs=request.top_logprobs)

        self._bind()
        async with self._slots:
            reply = await self._patiently(attempt, request)
        reasoning = None if reply.reasoning is None else self._clean(reply.reasoning)
        return reply.model_copy(update={"text": self._own_text(reply.text, request), "reasoning": reasoning})

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        """The reply in pieces. A failure before the first piece is tried again; after it, it is an error."""
        self._bind()
        waits = Waits(patience=self._patience, seed=request.sampling_seed())
        async with self._slots:
            while True:
                begun = False
                try:
                    async with aclosing(self._stream_once(request)) as deltas:
                        async for delta in deltas:
                            begun = True
                            yield delta
                    return
                except _Failed as failed:
                    if begun:
                        raise failed.error from failed
                    await self._wait_or_raise(failed, waits, request)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    # -- attempts -------------------------------------------------------------------------------------------------

    async def _patiently(self, attempt: Callable[[], Awaitable[Reply]], request: Request) -> Reply:
        waits = Waits(patience=self._patience, seed=request.sampling_seed())
        while True:
            try:
                return await attempt()
            except _Failed as failed:
                await self._wait_or_raise(failed, waits, request)

    async def _wait_or_raise(self, failed: _Failed, waits: Waits, request: Request) -> None:
        if failed.failure == "request" and self._give_up_a_field(str(failed.error), request):
            return
        wait_s = waits.next_s(failed.failure, retry_after_s=failed.retry_after_s)
        if wait_s is None:
            raise failed.error from failed
        await self._sleep(wait_s)

    def _give_up_a_field(self, message: str, request: Request) -> bool:
        """After a 400: is there an optional field that the endpoint may not know? Each is given up once."""
        named = [f for f in ("stream_options", "max_tokens", "logprobs", "seed") if f in message]
        if request.json_schema is not None:
            named.append("response_format")
        for field in named:
            if field not in self._spurned:
                self._spurned.add(field)
                return True
        return False

    async def _post(self, request: Request) -> Answer:
        async with self._send(request, streaming=False) as response:
            body = await self._read_body(response)
        try:
            return read_answer(json.loads(body))
        except (ValueError, RecursionError) as e:
            raise self._nonsense(f"the answer is not JSON: {e}", body) from e
        except ReplyError as e:
            raise self._nonsense(str(e), body) from e

    async def _stream_once(self, request: Request) -> AsyncGenerator[Delta, None]:
        reader = EventReader()
        finish: Delta | None = None
        usage: Usage | None = None
        opening = request.prefill
        read = 0
        async with self._send(request, streaming=True) as response, aclosing(self._chunks(response)) as chunks:
            async for event in _events(chunks, reader):
                read += len(event)
                if read > _LARGEST_BODY:
                    raise _Failed(ReplyError(f"{self._where} streams without end; stopped reading"), "request")
                if event.strip() == "[DONE]":
                    break  # anything after it, another [DONE] included, is not ours
                try:
                    delta = read_chunk(json.loads(event))
                except (ValueError, RecursionError) as e:
                    raise self._nonsense(f"a piece of the stream is not JSON: {e}", event) from e
                except ReplyError as e:
                    raise self._nonsense(str(e), event) from e
                usage = delta.usage or usage
                finish = delta if delta.finish_reason is not None else finish
                text, opening = _after_opening(self._clean(delta.text), opening)
                if text or delta.reasoning:
                    yield Delta(text=text, reasoning=self._clean(delta.reasoning))
        if finish is None:
            message = f"{self._where} broke off before the end of its reply; run it again"
            raise _Failed(ReplyError(message), "transient")
        yield Delta(finish_reason=finish.finish_reason, usage=usage)

    # -- the wire -------------------------------------------------------------------------------------------------

    def _bind(self) -> None:
        """Connections belong to one event loop; a new loop gets new ones."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._slots = asyncio.Semaphore(_CONCURRENCY)
            patience = self._patience
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(patience.stall_s, connect=min(10.0, patience.stall_s), pool=None),
                follow_redirects=False,
                trust_env=urlsplit(self._url).hostname not in _LOOPBACK,
            )

    def _send(self, request: Request, *, streaming: bool) -> "_Exchange":
        assert self._client is not None  # _bind came first
        headers = {"Accept": "text/event-stream" if streaming else "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        content = canonical(self._body(request, streaming=streaming)).encode("utf-8", "replace")
        headers["Content-Type"] = "application/json"
        built = self._client.build_request("POST", f"{self._url}/chat/completions", headers=headers, content=content)
        return _Exchange(self, self._client, built)

    def _body(self, request: Request, *, streaming: bool) -> dict[str, Any]:
        messages = request.messages
        body: dict[str, Any] = {
            "model": self._model,
            "max_completion_tokens" if "max_tokens" in self._spurned else "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
        }
        if "seed" not in self._spurned:
            body["seed"] = request.sampling_seed()
        if request.stop:
            body["stop"] = list(request.stop)
        if request.top_logprobs and not streaming and "logprobs" not in self._spurned:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        if request.json_schema is not None:
            if "response_format" in self._spurned:
                messages = ask_in_words(messages, request.json_schema)
            else:
                schema = {"name": "reply", "schema": json.loads(request.json_schema), "strict": True}
                body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if streaming:
            body["stream"] = True
            if "stream_options" not in self._spurned:
                body["stream_options"] = {"include_usage": True}
        sent = [{"role": m.role, "content": m.content} for m in messages]
        if request.prefill:
            # Most servers go on from a last message of the assistant; the rest begin anew, and `_own_text` cuts
            # the opening off where it was repeated.
            sent.append({"role": "assistant", "content": request.prefill})
        return {**body, "messages": sent}

    async def _read_body(self, response: httpx.Response) -> str:
        body = bytearray()
        async with aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > _LARGEST_BODY:
                    raise _Failed(ReplyError(f"{self._where} sent more than {_LARGEST_BODY >> 20} MiB"), "request")
        return body.decode("utf-8", errors="replace")

    async def _chunks(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in response.aiter_bytes():
                yield chunk
        except httpx.HTTPError as e:
            raise self.unreachable(e) from e

    # -- what is believed and shown -------------------------------------------------------------------------------

    def unreachable(self, error: httpx.HTTPError) -> _Failed:
        """A failure of the transport."""
        silent = isinstance(error, httpx.TimeoutException)
        what = "went silent" if silent else f"could not be reached ({self._clean(str(error)) or type(error).__name__})"
        return _Failed(EndpointError(f"{self._where} {what}; is it running, and is the URL right?"), "transient")

    async def refused(self, response: httpx.Response) -> _Failed:
        """A failure that the endpoint reported itself."""
        status = response.status_code
        body = self._clean(await self._read_body(response))
        retry_after_s = read_retry_after(response.headers.get("retry-after"))
        failure = classify(status, body, retry_after_s=retry_after_s)
        if response.is_redirect:
            host = urlsplit(response.headers.get("location", "")).hostname or "another path"
            what = f"redirects to {self._clean(host)}, which is not followed; give the final URL"
        else:
            what = f"answered {status}: {_snippet(body)}; {_next_step(status, failure)}"
        return _Failed(EndpointError(f"{self._where} {what}", status), failure, retry_after_s)

    def _nonsense(self, what: str, body: str) -> _Failed:
        message = f"{self._where}: {what}: {_snippet(self._clean(body))}; is this an OpenAI-compatible endpoint?"
        return _Failed(ReplyError(message), "transient")

    def _own_text(self, text: str, request: Request) -> str:
        text = self._clean(text).removeprefix(request.prefill)
        return without_fence(text) if request.json_schema and "response_format" in self._spurned else text

    def _clean(self, text: str) -> str:
        """Without our key, should the endpoint have sent it back, and without half characters."""
        shown = text.replace(self._key, "[key]") if self._key else text
        return shown.encode("utf-8", "replace").decode("utf-8")


class _Exchange:
    """One request on the wire, as a context: refusals and transport failures come out as `_Failed`."""

    def __init__(self, model: EndpointModel, client: httpx.AsyncClient, request: httpx.Request) -> None:
        self._model = model
        self._client = client
        self._request = request
        self._response: httpx.Response | None = None

    async def __aenter__(self) -> httpx.Response:
        try:
            self._response = await self._client.send(self._request, stream=True)
        except httpx.HTTPError as e:
            raise self._model.unreachable(e) from e
        if self._response.status_code != 200:
            failed = await self._model.refused(self._response)
            await self._response.aclose()
            raise failed
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            await self._response.aclose()


def parse_endpoint(rest: str) -> EndpointModel:
    """`MODEL@URL` to a model."""
    match = re.fullmatch(r"(.+?)@(https?://.+)", rest)
    if match is None:
        raise ModelNameError("an endpoint is named openai:MODEL@URL, with URL from http:// or https:// up to /v1")
    return EndpointModel(match[1], match[2])


def key_for(url: str) -> str | None:
    """The key for this endpoint from the environment, or None."""
    own = os.environ.get("HER_API_KEY", "").strip()
    if own:
        return own
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname == "api.openai.com":
        return os.environ.get("OPENAI_API_KEY", "").strip() or None
    return None


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError as e:
        raise ModelNameError("the URL of an endpoint is malformed; write it like https://host:port/v1") from e
    if parts.username or parts.password or parts.query or parts.fragment:
        # Said without the URL: what stands in it may be a secret.
        raise ModelNameError("an endpoint's URL has no user, password, query or fragment; put a key into HER_API_KEY")
    if not named:
        raise ModelNameError(f"{url!r} names no host; write it like https://host:port/v1")
    return url.rstrip("/").removesuffix("/chat/completions")


async def _events(chunks: AsyncIterator[bytes], reader: EventReader) -> AsyncIterator[str]:
    try:
        async for chunk in chunks:
            for event in reader.feed(chunk):
                yield event
        for event in reader.close():
            yield event
    except ReplyError as e:
        raise _Failed(e, "transient") from e


def _after_opening(text: str, opening: str) -> tuple[str, str]:
    """The text without what is left of a repeated prefill, and what may still be repeated of it."""
    if not opening or not text:
        return text, opening
    if opening.startswith(text):
        return "", opening[len(text) :]
    return text.removeprefix(opening), ""


def _snippet(body: str) -> str:
    line = " ".join(body.split())
    return repr(line[:200] + ("…" if len(line) > 200 else ""))


def _next_step(status: int, failure: Failure) -> str:
    if status in (401, 403):
        return "set HER_API_KEY to a key that this endpoint accepts"
    if status == 404:
        return "check the model's name and that the URL ends before /chat/completions"
    if failure == "rate_limit":
        return "wait, or lower the load, and run the same again"
    if failure == "endpoint":
        return "check the account and the URL"
    return "shorten or mend the request" if failure == "request" else "run the same again later: what was paid is kept"
