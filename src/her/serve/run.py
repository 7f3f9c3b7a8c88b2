"""Runs the application under uvicorn.

Owns the server's own settings: no access log (a URL may carry a secret), quiet about what went well, and a port that
is taken is an error with a way out.
"""

import contextlib
import errno
import socket

import uvicorn
from fastapi import FastAPI

from her.errors import ConfigError
from her.serve.settings import ServeSettings


def listen(settings: ServeSettings) -> socket.socket:
    """The port, taken before anything is promised. A port that is taken is a ConfigError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host.strip("[]"), settings.port), family=family)
    except OSError as e:
        why = "is taken" if e.errno == errno.EADDRINUSE else f"cannot be had ({e.strerror or e})"
        raise ConfigError(f"{settings.host}:{settings.port} {why}; choose another with --host or --port") from e


def serve_forever(app: FastAPI, port: socket.socket) -> None:
    """Serve until told to stop; Ctrl-C is how one stops a server, and no fault."""
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=1 << 16,
    )
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(port):
        uvicorn.Server(config).run(sockets=[port])
