"""The real `openai` client against the real server: what a client sees, whole and streamed."""

import httpx2
import openai
import pytest
from serving import CONTENT, REPLY, SCENE, SECRETS, Chunked, cut, server

from her.errors import EndpointError
from her.llm import ScriptedModel

ASK = [{"role": "user", "content": "Are all nine lit?"}]


def client(url: str, key: str = "none") -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def test_whole_reply_shows_speech_and_action_alone() -> None:
    with server(ScriptedModel([REPLY], name="scripted:plays/mara"), scene=SCENE, character="Mara") as url:
        ask = client(url)
        assert [m.id for m in ask.models.list()] == ["mara", "mara:inner"]
        answer = ask.chat.completions.create(model="mara", messages=ASK)
        assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
    message = answer.choices[0].message
    assert message.content == CONTENT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert message.her == {
        "segments": [
            {"kind": "action", "text": "trims the wick"},
            {"kind": "speech", "text": "Nine lanterns, sir. All of them lit."},
        ],
        "repairs": 0,
    }
    assert not any(secret in answer.model_dump_json() for secret in SECRETS)


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_streamed_reply_is_the_whole_one_in_order(size: int) -> None:
    with server(Chunked(cut(REPLY, size)), scene=SCENE, character="Mara", allow_system_thinking=True) as url:
        for layers, hidden in ((None, []), (["role_thinking"], SECRETS[1:]), (["system_thinking"], SECRETS[:1])):
            extra = {} if layers is None else {"her": {"layers": layers}}
            chunks = list(
                client(url).chat.completions.create(
                    model="chunks", messages=ASK, stream=True, stream_options={"include_usage": True}, extra_body=extra
                )
            )
            deltas = [c.choices[0].delta for c in chunks if c.choices]
            content = "".join(d.content or "" for d in deltas)
            reasoning = "".join(getattr(d, "reasoning_content", None) or "" for d in deltas)
            assert content == CONTENT
            assert [s in reasoning for s in hidden] == [True] * len(hidden)
            assert not any(s in reasoning for s in SECRETS if s not in hidden)
            assert all(not (d.content and getattr(d, "reasoning", None)) for d in deltas)
            assert deltas[0].role == "assistant"
            assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
            assert chunks[-1].choices == []
            assert chunks[-1].usage is not None


def test_alias_shows_role_thinking_and_raw_needs_leave() -> None:
    with server(ScriptedModel([REPLY], name="scripted:mara"), scene=SCENE, character="Mara") as url:
        message = client(url).chat.completions.create(model="mara:inner", messages=ASK).choices[0].message
        assert message.reasoning_content == "He knows about the page.\n\nHe must not see my hands."
        assert message.reasoning == message.reasoning_content
        assert message.content == CONTENT
        with pytest.raises(openai.PermissionDeniedError):
            client(url).chat.completions.create(model="mara:raw", messages=ASK)
        with pytest.raises(openai.PermissionDeniedError):
            client(url).chat.completions.create(
                model="mara", messages=ASK, extra_body={"her": {"layers": ["system_thinking"]}}
            )
        with pytest.raises(openai.NotFoundError):
            client(url).chat.completions.create(model="other", messages=ASK)


def test_raw_alias_puts_both_layers_in_reasoning() -> None:
    with server(Chunked([REPLY]), scene=SCENE, character="Mara", allow_system_thinking=True) as url:
        message = client(url).chat.completions.create(model="chunks:raw", messages=ASK).choices[0].message
    assert message.reasoning.startswith("Mara should dodge the question.\n\nHe knows")
    assert message.content == CONTENT


def test_stop_strings_are_met_in_what_is_shown() -> None:
    """`page` stands in a thought: it must not cut the reply there."""
    for stream in (False, True):
        with server(Chunked(cut(REPLY, 3)), scene=SCENE, character="Mara") as url:
            answer = client(url).chat.completions.create(
                model="chunks", messages=ASK, stop=["page", ", sir"], stream=stream
            )
            if stream:
                content = "".join(c.choices[0].delta.content or "" for c in answer)
            else:
                content = answer.choices[0].message.content
                assert answer.choices[0].message.her["segments"][-1]["text"] == "Nine lanterns"
    assert content == "*trims the wick* “Nine lanterns"


@pytest.mark.parametrize("stream", [False, True])
def test_reply_without_anything_to_show_is_an_error_and_not_an_empty_message(stream: bool) -> None:
    with server(Chunked(["<role_thinking>I never come to", " the point"], finish="length"), character="Mara") as url:
        with pytest.raises(openai.APIError) as caught:
            list(client(url).chat.completions.create(model="chunks", messages=ASK, stream=stream))
        assert caught.value.code == "unreadable_reply"
        assert "point" not in str(caught.value)


@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_is_down_is_an_error_with_a_status(stream: bool) -> None:
    down = EndpointError("cannot reach http://127.0.0.1:9; start it and try again")
    with server(Chunked([down])) as url, pytest.raises(openai.InternalServerError) as caught:
        client(url).chat.completions.create(model="chunks", messages=ASK, stream=stream)
    assert caught.value.status_code == 502
    assert "cannot reach" in caught.value.message


def test_a_failure_in_mid_stream_ends_the_stream_with_an_error() -> None:
    broken = ["Mara: <role_thinking>t</role_thinking>Hello", EndpointError("the endpoint went away; try again")]
    with server(Chunked(broken), character="Mara") as url:
        stream = client(url).chat.completions.create(model="chunks", messages=ASK, stream=True)
        with pytest.raises(openai.APIError, match="went away"):
            list(stream)


def test_an_unforeseen_fault_tells_nothing() -> None:
    with server(Chunked([ZeroDivisionError("I think of the page")])) as url:
        with pytest.raises(openai.InternalServerError) as caught:
            client(url).chat.completions.create(model="chunks", messages=ASK)
        assert "page" not in str(caught.value)
        assert caught.value.code == "internal_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_stops_the_model(stream: bool) -> None:
    model = Chunked(["Mara: <role_thinking>t</role_thinking>", *["word "] * 400], pause_s=0.02)
    with server(model, character="Mara", eager=True) as url:
        body = {"messages": ASK, "stream": stream}
        if stream:
            with httpx2.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=10) as answer:
                next(answer.iter_lines())
        else:
            with pytest.raises(httpx2.ReadTimeout):
                httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=0.3)
        assert model.closed.wait(5)
    assert model.sent < 300


def test_one_more_than_allowed_is_told_to_come_back() -> None:
    model = Chunked(["word "] * 400, pause_s=0.02)
    with server(model, max_running=1) as url:
        with httpx2.stream("POST", f"{url}/v1/chat/completions", json={"messages": ASK, "stream": True}) as first:
            lines = first.iter_lines()
            next(lines)
            assert httpx2.post(f"{url}/v1/chat/completions", json={"messages": ASK}).status_code == 429
            lines.close()
        assert model.closed.wait(5)
        with httpx2.stream("POST", f"{url}/v1/chat/completions", json={"messages": ASK, "stream": True}) as again:
            assert again.status_code == 200
