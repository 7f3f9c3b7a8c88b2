"""Group commit: rows that wait together are stored together, nobody is told too early, and a failure reaches all."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from her.errors import StoreError
from her.llm.group_commit import LARGEST_GROUP, GroupCommit
from her.llm.ledger import Ledger, Paid


def test_rows_gather_while_a_group_is_stored() -> None:
    groups: list[int] = []
    stored: set[int] = set()

    def store(rows: Sequence[int]) -> list[int]:
        time.sleep(0.01)
        groups.append(len(rows))
        stored.update(rows)
        return [row * 2 for row in rows]

    async def run() -> None:
        group: GroupCommit[int, int] = GroupCommit(store)

        async def one(row: int) -> None:
            assert await group.put(row) == row * 2
            assert row in stored

        await asyncio.gather(*(one(n) for n in range(500)))
        group.close()
        group.close()

    asyncio.run(run())
    assert sum(groups) == 500
    assert max(groups) == LARGEST_GROUP
    assert len(groups) < 20


def test_a_failure_reaches_everyone_in_the_group_and_the_next_group_goes_on() -> None:
    full = threading.Event()

    def store(rows: Sequence[int]) -> list[int]:
        if full.is_set():
            raise StoreError("the disk is full")
        return list(rows)

    async def run() -> None:
        group: GroupCommit[int, int] = GroupCommit(store)
        full.set()
        ends = await asyncio.gather(*(group.put(n) for n in range(5)), return_exceptions=True)
        assert all(isinstance(e, StoreError) for e in ends)
        full.clear()
        assert await group.put(7) == 7
        group.close()

    asyncio.run(run())


def test_a_row_whose_writer_gave_up_is_stored_and_a_closed_loop_hurts_nobody(tmp_path: Path) -> None:
    async def give_up(ledger: Ledger) -> None:
        task = asyncio.create_task(ledger.pay("gone", paid("gone")))
        await asyncio.sleep(0)
        task.cancel()

    with Ledger(tmp_path / "l") as ledger:
        asyncio.run(give_up(ledger))
        assert asyncio.run(ledger.pay("next", paid("next"))) == '"next"'
        assert ledger.get("gone") == '"gone"'


def test_several_threads_share_a_ledger(tmp_path: Path) -> None:
    async def crowd(ledger: Ledger, name: str) -> list[str]:
        return await asyncio.gather(*(ledger.pay(f"{name}{n}", paid(f"{name}{n}")) for n in range(100)))

    with Ledger(tmp_path / "l") as ledger, ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda name: asyncio.run(crowd(ledger, name)), "abcd"))
        assert [len(set(e)) for e in ends] == [100] * 4
        assert ledger.tally("s").calls == 400


def test_equal_rows_in_one_group_agree_on_the_first(tmp_path: Path) -> None:
    async def run(ledger: Ledger) -> list[str]:
        return await asyncio.gather(*(ledger.pay("same", paid(str(n))) for n in range(50)))

    with Ledger(tmp_path / "l") as ledger:
        assert set(asyncio.run(run(ledger))) == {'"0"'}


@pytest.mark.parametrize("text", ["\ud800", "a" * 5_000_000, "\0"])
def test_a_strange_row_is_stored_or_an_error_and_never_a_hang(tmp_path: Path, text: str) -> None:
    async def run(ledger: Ledger) -> str:
        return await asyncio.wait_for(ledger.pay("k", paid(text)), timeout=20)

    with Ledger(tmp_path / "l") as ledger:
        if text == "\ud800":
            with pytest.raises(UnicodeEncodeError):
                asyncio.run(run(ledger))
        else:
            assert asyncio.run(run(ledger)) == f'"{text}"' == ledger.get("k")


def paid(text: str) -> Paid:
    return Paid(stage="s", fingerprint="f", request="{}", answer=f'"{text}"')
