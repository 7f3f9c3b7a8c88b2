"""Lanes: the connections to one endpoint, each an httpx2 transport of its own.

A pool of httpx2 looks through all its connections at every request: 1.2 ms of processor time a call at 256 in flight,
against 0.5 ms this way (measured, docs/decisions/0007-engine.md). How many are open is `llm/admission.py`'s decision,
so nothing is left for a pool to decide. A transport follows no redirect, keeps no cookie and unpacks no compressed
body, and none of that is wanted here. Knows HTTP and no chats.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.request import getproxies, proxy_bypass

import httpx2

from her import __version__
from her.errors import ModelNameError
from her.llm.address import LOOPBACK, host_of

_AGENT = f"her/{__version__}".encode()
_IDLE_S = 3.0
"""Shorter than the five seconds after which common servers hang up, so that we do it first."""


class Lanes:
    """Connections to the chat endpoint below `url`."""

    def __init__(self, url: str, *, key: str | None, connect_s: float) -> None:
        try:
            self._url = httpx2.URL(f"{url}/chat/completions")
        except httpx2.InvalidURL as e:
            raise ModelNameError("the URL of an endpoint is malformed; write it like https://host:port/v1") from e
        self._headers = [
            (b"Host", self._url.netloc),
            (b"User-Agent", _AGENT),
            (b"Accept-Encoding", b"identity"),
            (b"Content-Type", b"application/json"),
        ]
        if key:
            self._headers.append((b"Authorization", f"Bearer {key}".encode()))
        self._timeouts = {"timeout": {"connect": connect_s, "read": None, "write": None, "pool": None}}
        self._limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_IDLE_S)
        self._proxy = _proxy_for(url)
        self._tls: ssl.SSLContext | None = None
        self._idle: list[httpx2.AsyncHTTPTransport] = []

    @asynccontextmanager
    async def exchange(self, body: bytes, *, streaming: bool, answer_s: float) -> AsyncGenerator[httpx2.Response]:
        """Post `body` and wait `answer_s` at most for the head of a response, which is closed at the end. A lane on
        which anything failed is not used again. Raises TimeoutError and httpx2.HTTPError."""
        accept = b"text/event-stream" if streaming else b"application/json"
        headers = [*self._headers, (b"Accept", accept), (b"Content-Length", b"%d" % len(body))]
        request = httpx2.Request(
            "POST", self._url, headers=headers, stream=httpx2.ByteStream(body), extensions=self._timeouts
        )
        lane = self._idle.pop() if self._idle else self._open()
        try:
            async with asyncio.timeout(answer_s):
                response = await lane.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        except BaseException:
            await lane.aclose()
            raise
        self._idle.append(lane)

    async def close(self) -> None:
        """Close what is idle; what is in use closes when its exchange ends."""
        idle, self._idle = self._idle, []
        for lane in idle:
            await lane.aclose()

    def _open(self) -> httpx2.AsyncHTTPTransport:
        if self._tls is None:
            # Made once, for it reads every certificate of the system. Plain HTTP gets one that trusts nobody.
            secure = self._url.scheme == "https"
            self._tls = httpx2.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx2.AsyncHTTPTransport(verify=self._tls, limits=self._limits, proxy=self._proxy)


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment names for this URL. The loopback is never reached through one."""
    host = host_of(url)
    if host in LOOPBACK or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(url.partition(":")[0]) or proxies.get("all")
