"""Runs the application under uvicorn.

Owns the server's own settings: no access log (a URL may carry a secret), quiet about what went well, and a port that
is taken is an error with a way out.
"""

import errno
import socket
from contextlib import closing

import uvicorn
from fastapi import FastAPI

from her.errors import ConfigError
from her.serve.settings import ServeSettings


def serve_forever(app: FastAPI, settings: ServeSettings) -> None:
    """Serve until told to stop."""
    _free(settings)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=1 << 16,
    )


def _free(settings: ServeSettings) -> None:
    """Uvicorn ends the process when it cannot bind; find out first, and say what to do."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as e:
            why = "is taken" if e.errno == errno.EADDRINUSE else f"cannot be had ({e.strerror})"
            raise ConfigError(f"{settings.host}:{settings.port} {why}; choose another with --port") from e
