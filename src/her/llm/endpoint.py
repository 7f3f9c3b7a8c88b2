"""Endpoint: one URL that serves a model, as a stranger whose every answer is looked at before it is believed.

Owns the key, the sizes and silences that are borne, and what of an endpoint's words is shown. A key goes to its own
host and nowhere else and is cut out of everything that comes back. Whatever goes wrong leaves here as `Failed`, named
by the table of `llm/retry.py`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlsplit

import httpx2

from her.errors import ReplyError
from her.llm.address import checked_key, key_for
from her.llm.admission import Admission
from her.llm.chunks import DeclinedError, read_answer
from her.llm.lanes import Lanes
from her.llm.model import Reply
from her.llm.retry import Failed, Failure, Pace, Patience, classify, read_retry_after

LARGEST_BODY = 16 << 20
_LARGEST_REFUSAL = 64 << 10
_SHORTEST_SECRET = 8
_UNREACHABLE = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol)


class Endpoint:
    """One URL. `admission` and `rests_until` are for those who choose among several."""

    def __init__(self, model: str, url: str, *, key: str | None, patience: Patience) -> None:
        self.url = url
        self.admission = Admission()
        self.rests_until = 0.0
        self._where = f"{model} at {url}"
        self._key = checked_key(key if key is not None else key_for(url))
        # A word that stands in for a key where none is needed is no secret, and may well be a word of a reply.
        self._secret = self._key if self._key and len(self._key) >= _SHORTEST_SECRET else None
        self._patience = patience
        self._lanes = self._fresh()

    def bind(self) -> None:
        """Begin anew with another event loop: connections and calls belong to the loop that made them."""
        self._lanes = self._fresh()
        self.admission.in_flight = 0

    async def close(self) -> None:
        """Close the connections."""
        await self._lanes.close()

    async def post(self, body: bytes, *, top_logprobs: int) -> Reply:
        """The reply to `body`, `LARGEST_BODY` bytes at most, without our key in it."""
        answer = bytearray()
        async with self._asked(body, streaming=False) as response:
            async for chunk in self._chunks(response):
                answer += chunk
            # Read before the connection is given back: behind a body that was shorter than it should be stands its
            # rest, which the next call would take for its own answer.
            try:
                reply = read_answer(bytes(answer), top_logprobs=top_logprobs)
            except DeclinedError as e:
                raise Failed(f"{self._where}: {e}; mend the request", "request", billed=True) from e
            except ReplyError as e:
                raise self.nonsense(str(e), answer.decode("utf-8", errors="replace")) from e
        text, reasoning = self.clean(reply.text), reply.reasoning and self.clean(reply.reasoning)
        if text == reply.text and reasoning == reply.reasoning:
            return reply
        return reply.model_copy(update={"text": text, "reasoning": reasoning})

    async def stream(self, body: bytes) -> AsyncGenerator[bytes]:
        """The answer to `body` as it comes, `LARGEST_BODY` bytes at most."""
        async with self._asked(body, streaming=True) as response, aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                yield chunk

    def clean(self, text: str) -> str:
        """Without our key, should the endpoint have sent it back, and without half characters."""
        shown = text.replace(self._secret, "[key]") if self._secret else text
        return shown if shown.isascii() else shown.encode("utf-8", "replace").decode("utf-8")

    def nonsense(self, what: str, body: str) -> Failed:
        """It answered, and not with a reply. The endpoint has very likely charged for it."""
        message = f"{self._where}: {what}: {_snippet(self.clean(body))}; is this an OpenAI-compatible endpoint?"
        return Failed(message, "unreadable", billed=True)

    def broke_off(self) -> Failed:
        """A stream ended before its end."""
        message = f"{self._where} broke off before the end of its reply; run it again"
        return Failed(message, "unreadable", billed=True)

    def _fresh(self) -> Lanes:
        return Lanes(self.url, key=self._key, connect_s=self._patience.connect_s)

    @asynccontextmanager
    async def _asked(self, body: bytes, *, streaming: bool) -> AsyncGenerator[httpx2.Response]:
        patience = self._patience
        try:
            async with self._lanes.exchange(body, streaming=streaming, answer_s=patience.answer_s) as response:
                if response.status_code != 200:
                    raise await self._refusal(response)
                yield response
        except TimeoutError as e:
            message = f"{self._where} went silent; is it running, and is the URL right?"
            raise Failed(message, "stalled", billed=True) from e
        except httpx2.HTTPError as e:
            raise self._lost(e) from e

    async def _chunks(self, response: httpx2.Response) -> AsyncGenerator[bytes]:
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # what an async transport gives
        patience, clock = self._patience, asyncio.get_running_loop().time
        pace = Pace(slow_s=patience.slow_s, slow_bytes_s=patience.slow_bytes_s, since=clock())
        size, chunks = 0, aiter(response.stream)
        while True:
            async with asyncio.timeout(patience.stall_s):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > LARGEST_BODY:
                message = f"{self._where} sends more than {LARGEST_BODY >> 20} MiB; stopped reading"
                raise Failed(message, "oversized", billed=True)
            if pace.too_slow(clock(), len(chunk)):
                message = f"{self._where} brings less than {patience.slow_bytes_s:g} bytes a second; is it overloaded?"
                raise Failed(message, "stalled", billed=True)
            yield chunk

    def _lost(self, error: httpx2.HTTPError) -> Failed:
        """A failure of the transport."""
        told = self.clean(str(error)) or type(error).__name__
        if isinstance(error, _UNREACHABLE):
            return Failed(
                f"{self._where} could not be reached ({told}); is it running, and is the URL right?", "unreachable"
            )
        # h11 reports a peer that hung up and a peer that does not speak HTTP by one class.
        spoke = isinstance(error, httpx2.RemoteProtocolError)
        if spoke and "closed connection" not in told and "disconnected" not in told:
            return Failed(
                f"{self._where} does not answer in HTTP ({told}); is the URL right?", "unreadable", billed=True
            )
        return Failed(f"{self._where} broke the connection ({told}); is it still running?", "broken", billed=True)

    async def _refusal(self, response: httpx2.Response) -> Failed:
        """A failure that the endpoint reported itself."""
        status = response.status_code
        body = self.clean(await self._beginning(response))
        retry_after_s = read_retry_after(response.headers.get("retry-after"))
        failure = classify(status, body, retry_after_s=retry_after_s)
        if 300 <= status < 400:
            host = urlsplit(response.headers.get("location", "")).hostname or "another path"
            what = f"redirects to {self.clean(host)}, which is not followed; give the final URL"
        else:
            what = f"answered {status}: {_snippet(body)}; {_next_step(status, failure)}"
        return Failed(f"{self._where} {what}", failure, status=status, retry_after_s=retry_after_s)

    async def _beginning(self, response: httpx2.Response) -> str:
        """The first of a refusal's words; what cannot be read of them is not needed, for the status says the kind."""
        body = bytearray()
        try:
            async with aclosing(self._chunks(response)) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > _LARGEST_REFUSAL:
                        break
        except (Failed, TimeoutError, httpx2.HTTPError) as e:
            body += f" ({type(e).__name__})".encode()
        return body[:_LARGEST_REFUSAL].decode("utf-8", errors="replace")


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
    if failure in ("request", "too_long"):
        return "shorten or mend the request"
    return "run the same again later: what was paid is kept"
