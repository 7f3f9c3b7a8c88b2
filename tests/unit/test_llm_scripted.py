"""Scripted models: the same request, the same reply, in any order and any number at a time."""

import asyncio
from pathlib import Path

import pytest

from her.errors import InputError, ModelNameError, ReplyError
from her.llm import Request, ScriptedModel, ScriptedReply, open_model
from her.schema import Message


def asked(text: str, system: str = "You are Anne.") -> Request:
    chat = (Message(role="system", content=system), Message(role="user", content=text))
    return Request(messages=chat, max_tokens=8, temperature=0)


def test_matching_lines_come_first_in_file_order_then_the_rest_by_hash() -> None:
    model = ScriptedModel(
        [ScriptedReply(text="m1", match="red"), ScriptedReply(text="m2", match="Anne"), "a", "b", "c"]
    )

    async def run() -> None:
        assert (await model.reply(asked("a red hat"))).text == "m1"
        assert (await model.reply(asked("a blue hat"))).text == "m2"
        requests = [asked(f"hat {i}", system="x") for i in range(20)]
        forward = [(await model.reply(r)).text for r in requests]
        backward = [r.text for r in await asyncio.gather(*(model.reply(r) for r in reversed(requests)))]
        assert forward == backward[::-1]
        assert set(forward) == {"a", "b", "c"}

    asyncio.run(run())


def test_what_nothing_answers_is_an_error_that_names_the_request() -> None:
    with pytest.raises(ReplyError, match="the green hat"):
        asyncio.run(ScriptedModel([ScriptedReply(text="x", match="red")]).reply(asked("the green hat")))


def test_a_file_is_read_and_its_faults_have_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('{"text": "one", "reasoning": "r"}\n\n{"text": "two", "match": "("}\n', encoding="utf-8")
    with pytest.raises(InputError, match="regular expression"):
        ScriptedModel.read(path)
    path.write_text('{"text": "one"}\n{"txt": "two"}\n', encoding="utf-8")
    with pytest.raises(ModelNameError, match=":2:"):
        open_model(f"scripted:{path}")
    path.write_text('{"text": " one\\n two ", "reasoning": "r", "finish_reason": "length"}\n', encoding="utf-8")

    async def run() -> None:
        deltas = [d async for d in open_model(f"scripted:{path}").stream(asked("x"))]
        assert "".join(d.text for d in deltas) == " one\n two "
        assert "".join(d.reasoning for d in deltas) == "r"
        assert deltas[-1].finish_reason == "length"

    asyncio.run(run())
