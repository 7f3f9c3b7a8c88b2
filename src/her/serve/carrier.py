"""A web application around functions from bytes to bytes, behind the same guard as every server here.

Owns nothing but the carrying: it serves what it is given, and knows neither rewards nor chats. That is how a room that
may not hold a web framework is reached over HTTP.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from her.errors import HerError
from her.serve.answer import without_key
from her.serve.fault import from_error, invalid
from her.serve.guard import Guard
from her.serve.settings import ServeSettings


class Answer(Protocol):
    """A status and a JSON document."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> str: ...


Handler = Callable[[bytes], Awaitable[Answer]]


def create_carrier(
    posts: Mapping[str, Handler],
    gets: Mapping[str, Handler],
    settings: ServeSettings,
    *,
    close: Callable[[], Awaitable[None]],
) -> FastAPI:
    """The application: JSON in, JSON out. `close` runs at shutdown."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await close()

    app = FastAPI(title="her", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(Guard, settings=settings)
    routes = ", ".join([*posts, *gets, "/health"])

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        fault = invalid(f"{error.detail}; the routes are {routes}", code="not_found")
        return JSONResponse(fault.body(), status_code=error.status_code, headers=error.headers)

    @app.exception_handler(HerError)
    async def _her(_: Request, error: HerError) -> Response:
        fault = without_key(from_error(error), settings.api_key)
        return JSONResponse(fault.body(), status_code=fault.status, headers=dict(fault.headers()))

    for method, handlers in (("POST", posts), ("GET", gets)):
        for path, handler in handlers.items():
            app.add_api_route(path, _carried(handler), methods=[method])
    return app


def _carried(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def carry(http: Request) -> Response:
        answer = await handler(await http.body())
        return Response(answer.body, status_code=answer.status, media_type="application/json")

    return carry
