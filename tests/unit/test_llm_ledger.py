"""The ledger: one payment a call, whole replies only, and counts that survive."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from her.errors import ReplyError, StoreError
from her.llm import (
    Delta,
    Ledger,
    LedgerModel,
    LedgerScorer,
    Reply,
    Request,
    Score,
    ScoreItem,
    ScriptedModel,
    ScriptedReply,
)
from her.llm.ledger import Paid, key_of, ledger_key
from her.schema import Message


def asked(text: str, **changes: object) -> Request:
    fields = {"messages": (Message(role="user", content=text),), "max_tokens": 8, "temperature": 0.0, **changes}
    return Request.model_validate(fields)


def test_the_second_call_is_free_in_this_process_and_the_next(tmp_path: Path) -> None:
    script = ScriptedModel([ScriptedReply(text="one two", reasoning="r")])

    async def call() -> Reply:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            model = LedgerModel(script, ledger, stage="s")
            reply = await model.reply(asked("hi"))
            assert await model.reply(asked("hi")) == reply
            assert ledger.tally("s").calls == 1
            return reply

    first, second = asyncio.run(call()), asyncio.run(call())
    assert first == second
    assert len(script.requests) == 1


def test_equal_requests_at_once_are_one_call_and_different_ones_are_not(tmp_path: Path) -> None:
    script = ScriptedModel(["x"])

    async def crowd() -> None:
        with Ledger(tmp_path / "l") as ledger:
            model = LedgerModel(script, ledger, stage="s")
            await asyncio.gather(*(model.reply(asked("hi")) for _ in range(10)), model.reply(asked("hi", seed=1)))
            tally = ledger.tally("s")
            assert (tally.calls, tally.hits, tally.completion_tokens) == (2, 9, 2)

    asyncio.run(crowd())
    assert len(script.requests) == 2


def test_the_key_knows_stage_model_and_every_field_of_the_request() -> None:
    base = ledger_key(stage="s", fingerprint="f", request=asked("a"))
    others = [
        ledger_key(stage="t", fingerprint="f", request=asked("a")),
        ledger_key(stage="s", fingerprint="g", request=asked("a")),
        *(
            ledger_key(stage="s", fingerprint="f", request=asked("a", **change))
            for change in (
                {"sample_index": 1},
                {"prefill": "x"},
                {"json_schema": "{}"},
                {"top_p": 0.5},
                {"stop": ("x",)},
            )
        ),
    ]
    assert len({base, *others}) == 8


def test_errors_are_counted_and_not_stored(tmp_path: Path) -> None:
    async def call() -> None:
        with Ledger(tmp_path / "l") as ledger:
            model = LedgerModel(ScriptedModel([ScriptedReply(text="x", match="never")]), ledger, stage="s")
            with pytest.raises(ReplyError):
                await model.reply(asked("hi"))
            assert (ledger.tally("s").errors, ledger.tally("s").calls) == (1, 0)

    asyncio.run(call())


def test_one_who_gives_up_does_not_take_the_others_along(tmp_path: Path) -> None:
    class Slow(ScriptedModel):
        async def reply(self, request: Request) -> Reply:
            await asyncio.sleep(0.05)
            return await super().reply(request)

    async def crowd() -> None:
        with Ledger(tmp_path / "l") as ledger:
            model = LedgerModel(Slow(["x"]), ledger, stage="s")
            first = asyncio.create_task(model.reply(asked("hi")))
            second = asyncio.create_task(model.reply(asked("hi")))
            await asyncio.sleep(0.01)
            first.cancel()
            assert (await second).text == "x"

    asyncio.run(crowd())


def test_a_stream_is_stored_when_it_is_whole_and_only_then(tmp_path: Path) -> None:
    class Broken(ScriptedModel):
        async def stream(self, request: Request) -> AsyncIterator[Delta]:
            yield Delta(text="half")
            raise ReplyError("broke off")

    async def call() -> None:
        with Ledger(tmp_path / "l") as ledger:
            broken = LedgerModel(Broken(["one two"]), ledger, stage="s")
            with pytest.raises(ReplyError):
                [d async for d in broken.stream(asked("hi"))]
            assert ledger.tally("s").calls == 0
            whole = LedgerModel(ScriptedModel(["one two"]), ledger, stage="s")
            paid = [d async for d in whole.stream(asked("hi"))]
            free = [d async for d in whole.stream(asked("hi"))]
            assert "".join(d.text for d in paid) == "".join(d.text for d in free) == "one two"
            assert len(free) == 2
            assert free[-1].finish_reason == "stop"

    asyncio.run(call())


def test_scores_are_paid_once_each(tmp_path: Path) -> None:
    class Counting:
        name = fingerprint = "counting"

        def __init__(self) -> None:
            self.paid: list[str] = []

        async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
            self.paid += [i.prefill + i.text for i in items]
            return [Score(logprob=-float(len(i.text)), tokens=len(i.text)) for i in items]

    def item(text: str, prefill: str = "") -> ScoreItem:
        return ScoreItem(messages=(Message(role="user", content="q"),), text=text, prefill=prefill)

    async def call() -> None:
        inner = Counting()
        with Ledger(tmp_path / "l") as ledger:
            scorer = LedgerScorer(inner, ledger, stage="s")
            a, b, c, d = (item("aa"), item("b"), item("ccc"), item("b", prefill="p"))
            assert [s.tokens for s in await scorer.score([a, b, a])] == [2, 1, 2]
            assert [s.tokens for s in await scorer.score([c, b, d])] == [3, 1, 1]
            assert (ledger.tally("s").calls, ledger.tally("s").hits) == (4, 2)
        assert inner.paid == ["aa", "b", "ccc", "pb"]

    asyncio.run(call())


def test_two_that_pay_the_same_call_agree_on_the_first_answer(tmp_path: Path) -> None:
    async def call() -> None:
        with Ledger(tmp_path / "l") as one, Ledger(tmp_path / "l") as two:

            class Late(ScriptedModel):
                async def reply(self, request: Request) -> Reply:
                    other = LedgerModel(ScriptedModel(["first"], name="n"), two, stage="s")
                    other.fingerprint = self.fingerprint
                    await other.reply(request)
                    return await super().reply(request)

            reply = await LedgerModel(Late(["second"]), one, stage="s").reply(asked("hi"))
            assert reply.text == "first"

    asyncio.run(call())


@pytest.mark.parametrize("damage", ["version", "not sqlite", "other database", "folder"])
def test_a_file_that_is_no_ledger_of_ours_is_refused_and_left_alone(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "l"
    if damage == "version":
        Ledger(path).close()
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    elif damage == "not sqlite":
        path.write_bytes(b"hello " * 1000)
    elif damage == "other database":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE mine (x)")
        db.close()
    else:
        path.mkdir()
    with pytest.raises(StoreError, match="ledger"):
        Ledger(path)


def test_a_full_disk_is_an_error_that_says_so_and_keeps_what_was_paid(tmp_path: Path) -> None:
    async def call() -> None:
        with Ledger(tmp_path / "l") as ledger:
            await LedgerModel(ScriptedModel(["small"]), ledger, stage="s").reply(asked("a"))
            pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
            ledger._db.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(StoreError, match="free disk space"):
                await LedgerModel(ScriptedModel(["large " * 50_000]), ledger, stage="s").reply(asked("b"))
            assert ledger.tally("s").calls == 1

    asyncio.run(call())


def test_a_ledger_of_the_first_version_is_completed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with sqlite3.connect(path) as db:
        db.executescript(_FIRST)
    db.close()
    with Ledger(path) as ledger:
        assert ledger.get("k") == '{"a":1}'
        assert ledger.tally("s").calls == 1
        assert ledger.dead_letters() == ()
        ledger.bury(stage="s", fingerprint="f", request="{}", reason="refused", error="no", attempts=1)
        assert [d.reason for d in ledger.dead_letters("s")] == ["refused"]


_FIRST = """
PRAGMA journal_mode = WAL;
CREATE TABLE answer (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, fingerprint TEXT NOT NULL, request TEXT NOT NULL, answer TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, seconds REAL NOT NULL, written REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX answer_stage ON answer (stage);
PRAGMA application_id = 1212502577;
PRAGMA user_version = 1;
INSERT INTO answer VALUES ('k', 's', 'f', '{}', '{"a":1}', 1, 2, 0.5, 0);
"""


def test_a_call_with_an_answer_is_not_dead_and_a_dead_one_that_is_answered_lives(tmp_path: Path) -> None:
    key = key_of(stage="s", fingerprint="f", request="{}")
    paid = Paid(stage="s", fingerprint="f", request="{}", answer='"a"')
    with Ledger(tmp_path / "l") as ledger:
        bury = partial(ledger.bury, stage="s", fingerprint="f", request="{}", reason="spent", error="e", attempts=6)
        bury()
        assert ledger.dead_letter(key) is not None
        ledger.put(key, paid)
        assert ledger.dead_letter(key) is None
        bury()
        assert ledger.dead_letters() == ()


def test_a_damaged_answer_is_an_error_that_says_where(tmp_path: Path) -> None:
    async def call() -> None:
        with Ledger(tmp_path / "l") as ledger:
            model = LedgerModel(ScriptedModel(["x"]), ledger, stage="s")
            await model.reply(asked("hi"))
            ledger._db.execute("UPDATE answer SET answer = '{torn'")
            with pytest.raises(StoreError, match="damaged"):
                await model.reply(asked("hi"))

    asyncio.run(call())
