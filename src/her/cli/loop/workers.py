"""Workers: the books of a shelf worked by processes of Ray, on this machine or on others.

A unit of work is a book. Its worker writes the book's own folder and a ledger of the book's own (`ledgers/ID.sqlite`),
so no two processes share an SQLite file; what earlier runs paid for is read from a copy that nobody writes. When a
worker dies, Ray begins the book again, out of that ledger; when a book is done, the one who dealt it out adds its
ledger to the run's. Everything else passes through files, so the workers must see the run's folder under one path.
Ray is imported here alone, and only when it is asked for.
"""

import fcntl
import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from her.cli.loop.teaching import Teaching, teach
from her.errors import HerError, ModelError
from her.llm import Ledger
from her.llm.ledger_merge import merge_ledgers, snapshot
from her.schema import Book
from her.stage import Outcome, Progress
from her.synthesis import Curated

DEATHS = 3
"""So often a worker may die over one book."""
BEFORE = "_before.sqlite"
"""No book is called so: an id has no underscore."""


class Workers:
    """Ray, started or joined (RAY_ADDRESS) when entered. `one` is called from `count` threads."""

    def __init__(self, root: Path, *, count: int, teaching: Teaching) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ModelError("--engine ray needs Ray: pip install -c constraints.txt 'her[ray]', or go without it")
        self._root = root.resolve()
        self._count = count
        self._teaching = teaching
        self._before: Path | None = None
        self._under_way: set[Any] = set()

    def __enter__(self) -> "Workers":
        ledgers, paid = self._root / "ledgers", self._root / "ledger.sqlite"
        ledgers.mkdir(exist_ok=True)
        if paid.exists():
            self._before = ledgers / BEFORE
            snapshot(paid, self._before)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers that it was started
        os.environ.setdefault("RAY_worker_niceness", "0")  # by default its workers give way to whatever else runs
        import ray

        ray.init(
            num_cpus=None if os.environ.get("RAY_ADDRESS") else self._count,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        self._work = ray.remote(num_cpus=1, max_retries=DEATHS)(work)
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        import ray

        ray.shutdown()
        if kind is None:
            gather(self._root)

    def one(self, source: Book | Curated, folder: Path, progress: Progress) -> Outcome:
        """Have a worker do a book. Raises what it raised, and ModelError where workers keep dying over it."""
        import ray

        book = source.book if isinstance(source, Curated) else source
        own = self._root / "ledgers" / f"{book.id}.sqlite"
        progress(0, 1, "handed to a worker")
        ref = self._work.remote(source, folder.resolve(), own, teaching=self._teaching, before=self._before)
        self._under_way.add(ref)
        try:
            outcome: Outcome = ray.get(ref)
        except ray.exceptions.RayTaskError as e:
            if isinstance(e.cause, HerError):
                raise e.cause from None
            raise
        except ray.exceptions.RayError as e:
            raise ModelError(
                f"Ray gave {book.id} up: {e}; what was paid is kept, and the same command goes on from there"
            ) from e
        finally:
            self._under_way.discard(ref)
        take_in(self._root, own)
        return outcome

    def stop(self) -> None:
        """End what is under way. What it paid for is in its ledgers."""
        import ray

        for ref in list(self._under_way):
            ray.cancel(ref, force=True)


def work(source: Book | Curated, folder: Path, own: Path, *, teaching: Teaching, before: Path | None) -> Outcome:
    """What a worker does with a book."""
    with _alone(own), Ledger(own, before=before) as ledger:
        return teach(source, folder, ledger, teaching=teaching, budget=None, progress=_nobody)


def gather(root: Path) -> None:
    """Take in the ledgers that workers left behind: of an engine that was killed, or of a book that is gone."""
    (root / "ledgers" / BEFORE).unlink(missing_ok=True)
    for own in sorted((root / "ledgers").glob("*.sqlite")):
        take_in(root, own)


def take_in(root: Path, own: Path) -> None:
    """Add a worker's ledger to the run's, then remove it."""
    with _alone(own):
        merge_ledgers(root / "ledger.sqlite", [own])
        for ending in ("", "-wal", "-shm", ".lock"):
            own.with_name(own.name + ending).unlink(missing_ok=True)


@contextmanager
def _alone(own: Path) -> Iterator[None]:
    """Wait until nobody else has a book's ledger: a worker outlives a Ray that was killed by some seconds."""
    lock = os.open(own.with_name(f"{own.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _nobody(done: int, total: int, note: str) -> None:
    """Nobody watches a worker."""
