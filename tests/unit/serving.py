"""A real server on a free loopback port, and models that misbehave in chosen ways. Shared by the serve tests."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import uvicorn

from her.llm import ChatModel, Delta, Reply, Request, Usage
from her.schema import Character, Scene
from her.serve import ServeSettings
from her.serve.app import create_app

SCENE = Scene(
    id="weir",
    book_id=None,
    chapter=None,
    scenario="Night on the weir. The ninth lantern is dark.",
    characters=(
        Character(name="Mara", profile="The lantern-keeper.", background="She slept.", motivation="To hide it."),
        Character(name="Edmund", profile="The assessor."),
    ),
)
REPLY = (
    "<system_thinking>Mara should dodge the question.</system_thinking>Mara: "
    "<role_thinking>He knows about the page.</role_thinking><role_action>trims the wick</role_action>"
    "Nine lanterns, sir. <role_thinking>He must not see my hands.</role_thinking>All of them lit."
)
SECRETS = ("dodge", "page", "hands")
CONTENT = "*trims the wick* “Nine lanterns, sir. All of them lit.”"


class Chunked:
    """A `ChatModel` that streams given pieces, one after another; a piece may be an error to raise."""

    name = "scripted:chunks"
    fingerprint = "chunks"

    def __init__(self, pieces: Sequence[str | Exception], *, pause_s: float = 0.0, finish: str = "stop") -> None:
        self.pieces = list(pieces)
        self.pause_s = pause_s
        self.finish = finish
        self.requests: list[Request] = []
        self.sent = 0
        self.closed = threading.Event()

    async def reply(self, request: Request) -> Reply:
        raise NotImplementedError

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        self.requests.append(request)
        try:
            for piece in self.pieces:
                await asyncio.sleep(self.pause_s)
                if isinstance(piece, Exception):
                    raise piece
                self.sent += 1
                yield Delta(text=piece)
            yield Delta(finish_reason=self.finish, usage=Usage(prompt_tokens=7, completion_tokens=5))
        finally:
            self.closed.set()

    async def close(self) -> None:
        return


@contextmanager
def server(model: ChatModel, **settings: object) -> Iterator[str]:
    """Serve on a free port; gives the base URL without `/v1`."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    app = create_app(model, replace(ServeSettings(port=port), **settings))
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not running.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()


def cut(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]
