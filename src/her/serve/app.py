"""The web application: three routes over one model.

Owns what is listed, who is asked and in which form an answer leaves. It reads no tag and writes no prompt:
`serve/exchange.py` says what is asked, `serve/reply.py` what may be seen of the answer, `serve/guard.py` who may come
in.
"""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from her.errors import HerError
from her.llm.model import ChatModel
from her.serve.aliases import Aliases, served_name
from her.serve.answer import Gone, Head, stream, while_connected, whole, without_key
from her.serve.exchange import passthrough, persona
from her.serve.fault import ApiFault, from_error, from_validation, invalid
from her.serve.guard import Guard
from her.serve.reply import Running, replies
from her.serve.settings import ServeSettings
from her.serve.wire import ChatRequest

SSE = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""A proxy that buffers would turn a stream into a wait."""


def create_app(model: ChatModel, settings: ServeSettings) -> FastAPI:
    """The application. It owns the model from here on and closes it at shutdown."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await model.close()

    app = FastAPI(title="her", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(Guard, settings=settings)
    if settings.allowed_origins:
        # Outermost, so that a browser's preflight, which carries no key, is answered.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )
    _complaints(app, settings)
    aliases = Aliases(name=served_name(model.name), allow_system_thinking=settings.allow_system_thinking)
    started = int(time.time())
    running = Running(settings.max_running)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        listed = [{"id": i, "object": "model", "created": started, "owned_by": "her"} for i in aliases.ids()]
        return {"object": "list", "data": listed}

    @app.post("/v1/chat/completions")
    async def completions(http: Request) -> Response:
        request = read_request(await http.body(), settings)
        viewer = aliases.viewer(request)
        exchange = passthrough(request, settings) if settings.scene is None else persona(request, settings, model)
        head = Head(
            id=f"chatcmpl-{secrets.token_hex(12)}", created=int(time.time()), model=request.model or aliases.name
        )
        events = replies(model, exchange, request=request, settings=settings, viewer=viewer, running=running)
        try:
            if not request.stream:
                return JSONResponse(await while_connected(http, whole(events, head)))
            # The model's first sign of life decides the status: an endpoint that is down is no empty stream.
            await while_connected(http, anext(events))
        except Gone:
            return Response(status_code=499)
        usage = request.stream_options is not None and request.stream_options.include_usage
        body = stream(events, head, usage=usage, key=settings.api_key)
        return StreamingResponse(body, media_type="text/event-stream", headers=SSE)

    return app


def read_request(body: bytes, settings: ServeSettings) -> ChatRequest:
    """The request, or an ApiFault that says where it is wrong."""
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as e:
        raise from_validation(e) from None
    if len(request.messages) > settings.max_messages:
        raise invalid(f"messages: at most {settings.max_messages}", param="messages", code="too_many_messages")
    return request


def _complaints(app: FastAPI, settings: ServeSettings) -> None:
    """Every refusal in the one shape."""

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        routes = "/v1/models, /v1/chat/completions and /health"
        fault = invalid(f"{error.detail}; the routes are {routes}", code="not_found")
        return JSONResponse(fault.body(), status_code=error.status_code, headers=error.headers)

    @app.exception_handler(ApiFault)
    async def _fault(_: Request, fault: ApiFault) -> Response:
        return JSONResponse(fault.body(), status_code=fault.status, headers=dict(fault.headers()))

    @app.exception_handler(HerError)
    async def _her(_: Request, error: HerError) -> Response:
        fault = without_key(from_error(error), settings.api_key)
        return JSONResponse(fault.body(), status_code=fault.status, headers=dict(fault.headers()))
