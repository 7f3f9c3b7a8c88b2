"""The embedded engine with the real SmolLM2-135M: short replies, each about one promise of the protocol."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from her.errors import DeadLetterError, EndpointError, InputError, ModelNameError, ReplyError
from her.llm import ChatModel, Request, open_model, open_models
from her.llm.catalog import catalog, entry, installed
from her.llm.chatml import render_chatml
from her.llm.names import describe
from her.schema import Message

NAME = "local:smollm2-135m"


def asked(text: str, **changes: object) -> Request:
    fields = {"messages": (Message(role="user", content=text),), "max_tokens": 12, "temperature": 0.0, **changes}
    return Request.model_validate(fields)


@pytest.fixture(scope="module")
def model() -> Iterator[ChatModel]:
    opened = open_model(NAME)
    yield opened
    asyncio.run(opened.close())


def test_reply_says_how_it_ended_and_what_it_cost(model: ChatModel) -> None:
    reply = asyncio.run(model.reply(asked("Say hello.", max_tokens=4)))
    assert reply.text.strip()
    assert reply.finish_reason == "length"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (33, 4)


def test_stop_string_ends_the_reply_and_is_not_in_it(model: ChatModel) -> None:
    whole = asyncio.run(model.reply(asked("Say hello."))).text
    word = whole.split()[1]
    cut = asyncio.run(model.reply(asked("Say hello.", stop=(word,))))
    assert cut.finish_reason == "stop"
    assert word not in cut.text
    assert whole.startswith(cut.text)


def test_reply_goes_on_from_a_prefill_without_repeating_it(model: ChatModel) -> None:
    reply = asyncio.run(model.reply(asked("Say hello.", prefill="Good mor")))
    assert reply.text.startswith("ning") or not reply.text.startswith("Good")


def test_schema_holds_even_a_model_that_ignores_formats(model: ChatModel) -> None:
    schema = {
        "type": "object",
        "properties": {"fruit": {"type": "string", "maxLength": 12}, "ripe": {"type": "boolean"}},
        "required": ["fruit", "ripe"],
        "additionalProperties": False,
    }
    reply = asyncio.run(model.reply(asked("Name a fruit.", json_schema=json.dumps(schema), max_tokens=40)))
    value = json.loads(reply.text)
    assert set(value) == {"fruit", "ripe"}
    assert isinstance(value["ripe"], bool)
    assert reply.text == json.dumps(value, ensure_ascii=False)  # fixed spacing: no budget lost on white space


def test_schema_that_the_engine_drops_is_an_error_not_free_text(model: ChatModel) -> None:
    with pytest.raises(ReplyError, match="JSON schema"):
        asyncio.run(model.reply(asked("Name a fruit.", json_schema='{"type": "nonsense"}', max_tokens=30)))
    with pytest.raises(InputError, match="mend the schema"):
        asyncio.run(model.reply(asked("Name a fruit.", json_schema="{")))


def test_stream_is_the_reply_in_pieces_with_the_end_in_the_last(model: ChatModel) -> None:
    async def both() -> None:
        request = asked("Say hello.")
        deltas = [d async for d in model.stream(request)]
        assert [d.finish_reason for d in deltas[:-1]] == [None] * (len(deltas) - 1)
        assert deltas[-1].finish_reason == "length"
        assert deltas[-1].usage is not None
        assert len("".join(d.text for d in deltas)) > 10

    asyncio.run(both())


def test_logprobs_come_with_their_alternatives(model: ChatModel) -> None:
    reply = asyncio.run(model.reply(asked("Name a fruit.", max_tokens=3, top_logprobs=2)))
    assert reply.logprobs is not None
    assert len(reply.logprobs) == 3
    assert all(len(t.top) == 2 and t.logprob <= 0 for t in reply.logprobs)
    assert "".join(t.token for t in reply.logprobs) == reply.text


def test_a_prompt_beyond_the_context_is_given_up_and_the_engine_goes_on(model: ChatModel) -> None:
    with pytest.raises(DeadLetterError, match="context size") as caught:
        asyncio.run(model.reply(asked("many words " * 4000)))
    assert caught.value.reason == "too_long"


def test_many_at_once_and_one_that_gives_up(model: ChatModel) -> None:
    async def crowd() -> None:
        tasks = [asyncio.create_task(model.reply(asked(f"Count to {i}.", max_tokens=4))) for i in range(12)]
        await asyncio.sleep(0.05)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert all(not isinstance(d, BaseException) for d in done[1:])

    asyncio.run(crowd())


def test_reproducible_gives_the_same_bits_whatever_else_runs() -> None:
    async def twice() -> tuple[list[object], list[object]]:
        model = open_model(NAME, reproducible=True)
        try:
            requests = [asked(f"Tell of lamp {i}.", temperature=0.9, seed=i, top_logprobs=1) for i in range(3)]
            forward = await asyncio.gather(*(model.reply(r) for r in requests))
            backward = await asyncio.gather(*(model.reply(r) for r in reversed(requests)))
            return list(forward), list(reversed(backward))
        finally:
            await model.close()

    forward, backward = asyncio.run(twice())
    assert forward == backward


def test_one_server_serves_all_who_open_the_same_weights_and_ends_with_the_last(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = threading.active_count()
    tasks = len(os.listdir("/proc/self/task")) if Path("/proc/self/task").is_dir() else 0
    first, second = open_models([NAME, NAME], threads=1)  # one thread: a server apart from the module's

    async def use() -> None:
        await first.close()
        await first.close()
        assert (await second.reply(asked("Hi.", max_tokens=1))).usage is not None
        with pytest.raises(EndpointError, match="closed"):
            await first.reply(asked("Hi."))
        await second.close()

    asyncio.run(use())
    assert threading.active_count() <= before + 1
    if tasks:
        assert len(os.listdir("/proc/self/task")) <= tasks + 2
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_model_that_is_closed_unused_closes() -> None:
    for _ in range(2):
        asyncio.run(open_model(NAME, threads=1).close())


def test_prompt_is_the_model_s_own_template_and_control_tokens_are_defused() -> None:
    messages = [Message(role="user", content="a<|im_end|>b")]
    text = render_chatml(messages, default_system="S", prefill="Well,")
    assert text == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<im_end>b<|im_end|>\n<|im_start|>assistant\nWell,"
    )


@pytest.mark.parametrize(
    "name",
    ["smollm2-135m", "local:", "local:gpt-9", "what:x", "run:/no/such/run", "scripted:/no/such/file", "openai:model"],
)
def test_a_wrong_name_says_what_there_is(name: str) -> None:
    with pytest.raises(ModelNameError) as caught:
        open_model(name)
    assert len(str(caught.value)) > 30


def test_a_model_that_is_not_here_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HER_CACHE", str(tmp_path))
    with pytest.raises(ModelNameError, match=r"her models fetch qwen2\.5-coder-0\.5b"):
        installed(entry("qwen2.5-coder-0.5b"))


def test_every_entry_of_the_catalog_says_licence_and_limits_in_one_line() -> None:
    for name in catalog():
        line = describe(f"local:{name}").line()
        assert "Apache-2.0" in line
        assert "\n" not in line
