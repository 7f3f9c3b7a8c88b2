"""Group commit: one writing thread that stores together what many wait for.

A flush to disk costs the same for one row as for sixty-four, so while one group is being flushed the next one gathers.
Nobody is told that a row is stored before it is. Knows no SQL: how a group is stored, it is told.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Row = TypeVar("Row")
Stored = TypeVar("Stored")

LARGEST_GROUP = 64


class _Wanted(Generic[Row, Stored]):
    """A row and who waits for it."""

    __slots__ = ("loop", "row", "stored")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.loop = asyncio.get_running_loop()
        self.stored: asyncio.Future[Stored] = self.loop.create_future()


class GroupCommit(Generic[Row, Stored]):
    """`store(rows)` is called on the thread and returns what is stored for each, in order."""

    def __init__(self, store: Callable[[Sequence[Row]], Sequence[Stored]]) -> None:
        self._store = store
        self._queue: SimpleQueue[_Wanted[Row, Stored] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    async def put(self, row: Row) -> Stored:
        """Store a row. Returns when it is on disk."""
        with self._starting:
            if self._thread is None:
                # A daemon: what nobody was told of may be lost at exit, and an exit must not wait for ever.
                self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
                self._thread.start()
        wanted: _Wanted[Row, Stored] = _Wanted(row)
        self._queue.put(wanted)
        return await wanted.stored

    def close(self) -> None:
        """Store what is still waiting and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = [first], False
            while len(group) < LARGEST_GROUP:
                try:
                    wanted = self._queue.get_nowait()
                except Empty:
                    break
                if wanted is None:
                    last = True
                    break
                group.append(wanted)
            self._commit(group)
            if last:
                return

    def _commit(self, group: Sequence[_Wanted[Row, Stored]]) -> None:
        stored: Sequence[Stored] | Exception
        try:
            stored = self._store([w.row for w in group])
        except Exception as e:  # noqa: BLE001 - whatever it is, they who wait must hear of it
            stored = e
        by_loop: dict[asyncio.AbstractEventLoop, list[int]] = {}
        for i, wanted in enumerate(group):
            by_loop.setdefault(wanted.loop, []).append(i)
        for loop, places in by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more, and the rows are stored
                loop.call_soon_threadsafe(_tell, [group[i] for i in places], places, stored)


def _tell(group: Sequence[_Wanted[Row, Stored]], places: Sequence[int], stored: Sequence[Stored] | Exception) -> None:
    for wanted, place in zip(group, places, strict=True):
        if wanted.stored.done():
            continue
        if isinstance(stored, Exception):
            wanted.stored.set_exception(stored)
        else:
            wanted.stored.set_result(stored[place])
