"""An endpoint in every bad mood: what is tried again, what is not, what is shown, and what never is."""

import asyncio
import json
from pathlib import Path

import pytest
from canned_upstream import Upstream, answer, http, ok, piece, sse, upstream
from fast_clock import FastClock

from her.errors import DeadLetterError, EndpointError, ModelError, ModelNameError, ReplyError
from her.llm import Delta, Ledger, LedgerModel, Reply, Request, open_model
from her.llm.address import key_for
from her.llm.http import EndpointModel, parse_endpoint
from her.llm.retry import Patience
from her.llm.sse import EventReader
from her.schema import Message

KEY = "sk-very-secret-123"
GOOD = ok(answer("fine"))


def asked(text: str = "hi", **changes: object) -> Request:
    fields = {"messages": (Message(role="user", content=text),), "max_tokens": 8, "temperature": 0.0, **changes}
    return Request.model_validate(fields)


def call(*responses: bytes | None, answer_s: float = 5.0, **changes: object) -> tuple[Reply, Upstream, FastClock]:
    async def run() -> tuple[Reply, Upstream, FastClock]:
        clock = FastClock(5000)
        async with upstream(responses) as up:
            model = EndpointModel("m", up.url, key=KEY, patience=Patience(attempts=3, answer_s=answer_s), clock=clock)
            try:
                return await model.reply(asked(**changes)), up, clock
            finally:
                await model.close()

    return asyncio.run(run())


def stream(*responses: bytes | None, chunk: int = 0, **changes: object) -> list[Delta]:
    async def run() -> list[Delta]:
        async with upstream(responses, chunk=chunk) as up:
            model = EndpointModel("m", up.url, key=KEY, patience=Patience(attempts=2), clock=FastClock())
            try:
                return [d async for d in model.stream(asked(**changes))]
            finally:
                await model.close()

    return asyncio.run(run())


def test_a_reply_with_reasoning_usage_and_what_was_sent() -> None:
    message = {"role": "assistant", "content": "fine", "reasoning_content": "because"}
    reply, up, _ = call(ok(answer(None, message=message)), seed=7, stop=("\n",))
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("fine", "because", "stop")
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 2
    assert up.asked[0]["seed"] == 7
    assert up.asked[0]["stop"] == ["\n"]
    assert f"Bearer {KEY}" in up.headers[0]


@pytest.mark.parametrize(
    "bad",
    [
        http(500, b"oops"),
        http(502, b"<html>bad gateway</html>"),
        None,
        b"garbage that is not HTTP\r\n\r\n",
        http(200, b"{not json"),
        http(200, b"[" * 100_000),
        ok({"object": "nothing"}),
        ok(answer("x", finish_reason=None)),
        b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choices"',
    ],
    ids=["500", "502", "hang-up", "not-http", "bad-json", "deep-json", "no-choices", "no-finish", "cut-body"],
)
def test_what_may_pass_is_tried_again(bad: bytes | None) -> None:
    reply, up, clock = call(bad, GOOD)
    assert reply.text == "fine"
    assert len(up.asked) == 2
    assert len(clock.waits) == 1


def test_attempts_are_bounded() -> None:
    with pytest.raises(DeadLetterError, match="500") as caught:
        call(http(500, b"oops"))
    assert (caught.value.reason, caught.value.attempts) == ("spent", 3)


def test_silence_ends_a_call() -> None:
    with pytest.raises(DeadLetterError, match="went silent"):
        call(b"", answer_s=0.1)


@pytest.mark.parametrize("status", [401, 403, 404, 402])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    async def run() -> int:
        async with upstream([http(status, b'{"error": "no"}')]) as up:
            model = EndpointModel("m", up.url, key=KEY)
            with pytest.raises(EndpointError) as caught:
                await model.reply(asked())
            assert caught.value.status == status
            await model.close()
            return len(up.asked)

    assert asyncio.run(run()) == 1


def test_exhausted_quota_is_not_a_rate_limit() -> None:
    with pytest.raises(EndpointError, match="429"):
        call(http(429, b'{"error": {"code": "insufficient_quota"}}'), GOOD)


def test_a_rate_limit_waits_as_long_as_it_is_told_and_costs_no_attempt() -> None:
    limited = http(429, b"slow down", "Retry-After: 7")
    reply, _, clock = call(limited, limited, limited, limited, GOOD)
    assert reply.text == "fine"
    assert len([wait for wait in clock.waits if wait >= 7]) == 4


def test_a_redirect_is_not_followed_and_its_target_never_gets_the_key() -> None:
    with pytest.raises(EndpointError, match=r"redirects to evil\.example"):
        call(http(307, b"", "Location: http://evil.example/v1/chat/completions"))


def test_a_refused_schema_is_asked_for_in_words_once_and_remembered() -> None:
    refusal = http(400, b'{"error": "response_format not supported"}')
    reply, up, clock = call(refusal, ok(answer('```json\n{"a": 1}\n```')), json_schema='{"type": "object"}')
    assert json.loads(reply.text) == {"a": 1}
    assert "response_format" in up.asked[0]
    assert "response_format" not in up.asked[1]
    assert "JSON Schema" in json.dumps(up.asked[1])
    assert clock.waits == []
    with pytest.raises(DeadLetterError, match="400"):
        call(refusal, json_schema='{"type": "object"}')


def test_a_repeated_prefill_is_cut_off() -> None:
    assert call(ok(answer("Anne: hello")), prefill="Anne: ")[0].text == "hello"
    deltas = stream(sse(piece("An"), piece("ne: hel"), piece("lo", "stop"), "[DONE]"), prefill="Anne: ")
    assert "".join(d.text for d in deltas) == "hello"


def test_lone_surrogates_and_half_characters_do_not_get_through() -> None:
    reply = call(http(200, json.dumps(answer("a\ud800b")).encode()))[0]
    assert reply.text == "a?b"


@pytest.mark.parametrize("chunk", [0, 1, 3])
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
def test_a_stream_cut_anywhere_is_the_same_stream(chunk: int, end: str) -> None:
    usage = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    events = (piece(reasoning="hm"), piece("Grüß "), piece("dich 🌟", None), piece("", "stop"), usage)
    deltas = stream(sse(*events, "[DONE]", "[DONE]", end=end), chunk=chunk)
    assert "".join(d.text for d in deltas) == "Grüß dich 🌟"
    assert "".join(d.reasoning for d in deltas) == "hm"
    assert [d.finish_reason for d in deltas if d.finish_reason] == ["stop"]
    assert deltas[-1].usage is not None


def test_a_stream_without_usage_or_done_is_whole_if_it_says_why_it_ended() -> None:
    assert stream(sse(piece("a"), piece(None, "length")))[-1].finish_reason == "length"


def test_a_stream_that_breaks_off_is_an_error_after_its_first_piece_and_tried_again_before() -> None:
    with pytest.raises(ReplyError, match="broke off"):
        stream(sse(piece("half")), sse(piece("whole", "stop")))
    assert stream(sse(), sse(piece("whole", "stop")))[0].text == "whole"
    with pytest.raises(ReplyError, match="reports an error"):
        stream(sse(piece("half"), '{"error": {"message": "out of memory"}}'))


def test_event_reader_joins_data_lines_and_skips_comments() -> None:
    reader = EventReader()
    assert reader.feed(b": ping\r\ndata: a\r\ndata:b\r") == []
    assert reader.feed(b"\n\r\n") == ["a\nb"]
    assert reader.feed(b"data: c") == []
    assert reader.close() == ["c"]


def test_the_key_is_in_no_error_name_ledger_or_reply(tmp_path: Path) -> None:
    echo = json.dumps({"error": f"bad key {KEY}"}).encode()
    seen: list[str] = []
    for status in (400, 401, 500):
        with pytest.raises(ModelError) as caught:
            call(http(status, echo))
        seen += [str(caught.value), repr(caught.value), str(caught.value.__cause__)]

    async def pay() -> None:
        async with upstream([ok(answer(f"your key is {KEY}"))]) as up:
            model = EndpointModel("m", up.url, key=KEY)
            with Ledger(tmp_path / "ledger") as ledger:
                reply = await LedgerModel(model, ledger, stage="s").reply(asked())
            await model.close()
            seen.extend([model.name, model.fingerprint, repr(model), reply.text])

    asyncio.run(pay())
    seen += [p.read_bytes().decode("latin-1") for p in tmp_path.iterdir()]
    assert all(KEY not in text for text in seen)


def test_a_word_in_place_of_a_key_is_left_in_replies_and_a_key_with_a_line_break_is_refused() -> None:
    async def run() -> str:
        async with upstream([ok(answer("The box is EMPTY."))]) as up:
            model = EndpointModel("m", up.url, key="EMPTY")
            reply = await model.reply(asked())
            await model.close()
            assert "Bearer EMPTY" in up.headers[0]
            return reply.text

    assert asyncio.run(run()) == "The box is EMPTY."
    for key in ("sk-hunter2\nX-Evil: 1", "sk-hunter2-é"):
        with pytest.raises(ModelNameError, match="no key has") as caught:
            EndpointModel("m", "http://h/v1", key=key)
        assert "hunter2" not in str(caught.value)


def test_which_key_goes_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HER_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    assert key_for("https://api.openai.com/v1") == "theirs"
    assert key_for("http://api.openai.com/v1") is None
    assert key_for("https://api.openai.com.evil.example/v1") is None
    assert key_for("http://127.0.0.1:8000/v1") is None
    monkeypatch.setenv("HER_API_KEY", "ours")
    assert key_for("http://127.0.0.1:8000/v1") == "ours"


@pytest.mark.parametrize("url", ["http://user:hunter2@h/v1", "https://h/v1?key=hunter2", "https://h/v1#hunter2"])
def test_a_secret_in_the_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ModelNameError) as caught:
        open_model(f"openai:m@{url}")
    assert "hunter2" not in str(caught.value)


def test_an_endpoint_that_is_down_is_said_so_in_a_moment() -> None:
    async def run() -> None:
        async with upstream([GOOD]) as up:
            url = up.url
        model = EndpointModel("m", url, patience=Patience(attempts=2), clock=FastClock())
        with pytest.raises(EndpointError, match="is it running"):
            await model.reply(asked())
        await model.close()

    asyncio.run(run())


def test_model_names_may_hold_slashes_colons_and_ats() -> None:
    model = parse_endpoint("org/model:free@2@https://h.example/v1/")
    assert model.name == "openai:org/model:free@2@https://h.example/v1"
