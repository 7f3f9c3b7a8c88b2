"""One llama.cpp server in this process for each set of weights, shared by all who open it.

Owns start, sharing and stop of `xllamacpp.Server`, and the threads that wait for it. Knows nothing of messages. The
server is reached through its in-process calls; the HTTP port that it also opens is on the loopback and locked with a
random key that nobody is given.
"""

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from her.errors import ModelError

SLOTS = 4
"""Each keeps the prompt it read last, so that scenes which take turns do not read their prompts anew."""
CONTEXT_TOKENS = 4096
"""For each slot. A HER prompt with a long history has about 2,000 tokens."""


class LlamaServer:
    """A running server. Made by `LlamaServer.shared`, given back with `release`; the last one out stops it."""

    _running: ClassVar[dict[tuple[str, ...], "LlamaServer"]] = {}
    _lock = threading.Lock()

    def __init__(self, gguf: Path, adapters: Sequence[Path], *, threads: int, reproducible: bool) -> None:
        try:
            with _passive_waiting():
                import xllamacpp  # type: ignore[import-untyped, import-not-found, unused-ignore]
        except ImportError as e:
            raise ModelError("local models need xllamacpp; install it with: pip install 'her[embedded]'") from e
        params = xllamacpp.CommonParams()
        params.verbosity = -1
        params.model.path = str(gguf)
        params.n_parallel = SLOTS
        params.n_ctx = SLOTS * CONTEXT_TOKENS
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.warmup = False
        params.cache_ram_mib = 0
        params.api_keys = [secrets.token_hex(32)]
        params.lora_adapters = [_adapter(xllamacpp, path) for path in adapters]
        try:
            self._server: Any = xllamacpp.Server(params)
        except RuntimeError as e:
            names = ", ".join(str(p) for p in (gguf, *adapters))
            raise ModelError(f"the engine cannot load {names}: {e}; is a file damaged or memory short?") from e
        # The engine reports itself started a moment before its loop runs; stopped in that moment, it would wait for
        # ever. An answer proves that the loop runs.
        self._server.handle_completions({"prompt": "a", "n_predict": 1, "cache_prompt": False})
        self.adapters = tuple(str(p) for p in adapters)
        self.reproducible = reproducible
        self._pool = ThreadPoolExecutor(max_workers=1 if reproducible else SLOTS, thread_name_prefix="llama")
        self._users = 0
        self._key: tuple[str, ...] = ()

    @classmethod
    def shared(
        cls, gguf: Path, adapters: Sequence[Path] = (), *, threads: int | None = None, reproducible: bool = False
    ) -> "LlamaServer":
        """The running server for these files, started if there is none. Every call is one `release` owed."""
        count = threads or min(2, os.cpu_count() or 1)
        kind = (str(gguf), str(count), str(reproducible))
        wanted = tuple(_state(path) for path in adapters)
        with cls._lock:
            for key, server in cls._running.items():
                if key[:3] == kind and set(wanted) <= set(key[3:]):
                    server._users += 1
                    return server
            server = cls(gguf, adapters, threads=count, reproducible=reproducible)
            server._key = (*kind, *wanted)
            server._users = 1
            cls._running[server._key] = server
            return server

    @property
    def pool(self) -> ThreadPoolExecutor:
        """A thread for each call that may run at once: the queue in front of the server is the queue of this pool."""
        return self._pool

    def adapter_id(self, path: Path | None) -> int | None:
        """The number under which an adapter was loaded."""
        return None if path is None else self.adapters.index(str(path))

    def complete(self, body: dict[str, Any], on_event: Callable[[dict[str, Any]], bool]) -> None:
        """Run one streamed completion. `on_event` gets each event or error and returns True to stop early."""
        self._server.handle_completions(body, on_event)

    def release(self) -> None:
        """Give up one use; stops the server when nobody is left."""
        with self._lock:
            self._users -= 1
            if self._users > 0 or self._key not in self._running:
                return
            del self._running[self._key]
        self._pool.shutdown(wait=True)
        self._server = None


def _adapter(xllamacpp: Any, path: Path) -> Any:
    info = xllamacpp.CommonAdapterLoraInfo()
    info.path = str(path)
    info.scale = 1.0
    return info


@contextmanager
def _passive_waiting() -> Iterator[None]:
    """Load the engine's thread library with sleeping in place of spinning waits, unless the user chose otherwise.

    Spinning is a little faster on an idle machine; where anything else runs, each wait burns a time slice that the
    other thread needs, and generation falls from 30 to 2 tokens a second (measured on 2 cores). The library reads the
    variable once, when it is loaded; it is put back so that training, in the same process, is not touched.
    """
    name = "OMP_WAIT_POLICY"
    if name in os.environ:
        yield
        return
    os.environ[name] = "passive"
    try:
        yield
    finally:
        del os.environ[name]


def _state(path: Path) -> str:
    """A file and the state it is in: an adapter that was trained again is another adapter."""
    state = path.stat()
    return f"{path.resolve()} {state.st_size} {state.st_mtime_ns}"
