"""The door of a server that a command opens: its key, and what is said when it stands open."""

import os
from typing import TYPE_CHECKING

from her.errors import ConfigError

if TYPE_CHECKING:
    from her.serve.settings import ServeSettings


def key_of(variable: str | None) -> str | None:
    """The key in an environment variable; None where none is named. ConfigError where it is not set or empty."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"--api-key-env names {variable}, which is not set or empty; export it, then start again")
    return key


def say_open(what: str, settings: "ServeSettings") -> None:
    """Tell what is served, where, and what a server beyond the loopback lacks."""
    from rich.console import Console

    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{what}: http://{shown}:{settings.port}/v1  (Ctrl-C stops)", markup=False)
    if not settings.loopback:
        console.print("no TLS here: put a proxy with a certificate in front", style="yellow")
