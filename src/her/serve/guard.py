"""Guard: what a request must pass before any route sees it.

Owns the Host check (a rebound DNS name reaches the loopback as a same-origin page, and Host is the only witness), the
key, the content type (a page elsewhere can post plain text without asking, but not JSON) and the size of a body. It
knows nothing of chats. Deny is the default: `/health` alone needs no key.
"""

import hmac
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from her.serve.fault import ApiFault, internal, invalid
from her.serve.settings import ServeSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PUBLIC = frozenset({"/health"})
_log = logging.getLogger("her.serve")


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: App, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._key = None if settings.api_key is None else settings.api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # No route speaks anything else; an unanswered websocket handshake is refused by the server.
        started = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            self._check(scope)
            body = None if scope["method"] in {"GET", "HEAD"} else await self._body(scope, receive)
            await self._app(scope, receive if body is None else _replay(body, receive), watched)
        except ApiFault as fault:
            await _refuse(fault, scope, receive, watched)
        except Exception as e:  # noqa: BLE001 - the border: a traceback's message may quote a hidden thought
            last = e.__traceback__
            while last is not None and last.tb_next is not None:
                last = last.tb_next
            where = "?" if last is None else f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}"
            _log.error("%s at %s while answering %s", type(e).__name__, where, scope["path"])
            if not started:
                await _refuse(internal(), scope, receive, watched)

    def _check(self, scope: Scope) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if (hosts := self._settings.hosts) is not None:
            given = [value.decode("latin-1").lower() for name, value in headers if name == b"host"]
            if len(given) != 1 or given[0] not in hosts:
                message = "this Host is not served here; use http://127.0.0.1 and the port"
                raise invalid(message, code="bad_host", status=421)
        if scope["path"] not in PUBLIC and self._key is not None and not self._authorised(headers):
            raise ApiFault(
                401,
                "a valid API key is needed: Authorization: Bearer KEY",
                kind="authentication_error",
                code="invalid_api_key",
            )
        if scope["method"] == "POST":
            kinds = [value.split(b";")[0].strip().lower() for name, value in headers if name == b"content-type"]
            if kinds != [b"application/json"]:
                raise invalid("send Content-Type: application/json", code="unsupported_media_type", status=415)

    def _authorised(self, headers: list[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name == b"authorization"]
        scheme, _, key = (given[0] if len(given) == 1 else b"").partition(b" ")
        matches = hmac.compare_digest(key.strip(), self._key or b"")
        return matches and scheme.lower() == b"bearer"

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, read here so that it can be refused before it is held."""
        limit = self._settings.max_body_bytes
        too_long = invalid(f"the request is longer than {limit} bytes", code="request_too_large", status=413)
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if any(not v.isdigit() or len(v) > 12 or int(v) > limit for v in lengths):
            raise too_long
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > limit:
                raise too_long
            if not message.get("more_body", False):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body on in one piece; afterwards the connection speaks for itself, which is how a disconnect is seen."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(fault: ApiFault, scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse(fault.body(), status_code=fault.status, headers=dict(fault.headers()))
    await response(scope, receive, send)
