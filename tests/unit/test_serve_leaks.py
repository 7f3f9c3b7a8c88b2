"""No hidden text on the public channel, however a reply is broken and wherever the stream is cut."""

import json

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import SCENE, Chunked, cut, server

from her.errors import TagError
from her.renderers.display import render_display
from her.renderers.tags import read_lenient
from her.schema import Message, Viewer
from her.serve.exchange import Exchange
from her.serve.voice import Voice

S = "SECRETPLAN"
T = "SECRETTHOUGHT"
MALFORMED = [
    f"<system_thinking>{S}</system_thinking>Mara: <role_thinking>{T}</role_thinking>Hello.",
    f"Mara: Hello.<role_thinking>{T}",
    f"Mara: Hello.<role_thinking>{T} and more",
    f"{T}</role_thinking>Hello.",
    f"Mara: {T}</role_thinking>Hello.",
    f"{S}</system_thinking>Mara: Hello.",
    f"<ROLE_THINKING>{T}</Role_Thinking>Hello.",
    f'<role_thinking id="1">{T}</role_thinking>Hello.',
    f"< role_thinking >{T}</ role_thinking >Hello.",
    f"<role_thinking>{T}</role_thought>Hello.",
    f"<role_thinking>{T}</role_action>Hello.",
    f"<think>{S}</think>Mara: Hello.",
    f"<thought>{T}</thought>Hello.",
    f"<system_think>{S}</system_think>Hello.",
    f"<long_role_thinking>{T}</long_role_thinking>Hello.",
    f"<role\u200b_thinking>{T}</role_thinking>Hello.",
    f"\uff1crole_thinking\uff1e{T}\uff1c/role_thinking\uff1eHello.",
    f"&lt;role_thinking&gt;{T}&lt;/role_thinking&gt;Hello.",
    f"<role_thinking>{T}<role_action>waves</role_action>",
    f"<role_action>waves<role_thinking>{T}</role_thinking></role_action>Hello.",
    f"<role_thinking>a<role_thinking>{T}</role_thinking>{T}</role_thinking>Hello.",
    f"<system_thinking>{S}<role_thinking>{T}</role_thinking>Hello.",
    f"<system_thinking>{S}",
    f"<role_thinking{T}</role_thinking>Hello.",
    f"Mara: Hello.<role_thinking>{T}</role_thinking>Bye.<role_thi",
]
HIDDEN = (S, T)


def shown(text: str, size: int, *, named: bool = True, prefill: str = "") -> tuple[str, str]:
    """Content and reasoning of a reply cut into pieces of `size`, for a reader who asked for nothing."""
    prompt = (Message(role="system", content="You are Mara."),)
    exchange = Exchange(messages=prompt, speaker="Mara" if named else "Character", named=named, prefill=prefill)
    voice = Voice(exchange, viewer=Viewer.reader(), stops=(), eager=False)
    events = [e for piece in cut(text, size) for e in voice.text(piece)] + voice.close()
    assert all(secret not in str(voice.segments()) for secret in HIDDEN)
    return "".join(e.text for e in events if e.kind == "content"), "".join(
        e.text for e in events if e.kind == "reasoning"
    )


@pytest.mark.parametrize("text", MALFORMED)
@pytest.mark.parametrize("named", [True, False])
def test_nothing_hidden_at_any_chunking(text: str, named: bool) -> None:
    seen = {shown(text, size, named=named) for size in (1, 2, 3, 5, 8, 13, len(text))}
    assert len(seen) == 1, "what is shown depends on how the stream was cut"
    content, reasoning = seen.pop()
    assert reasoning == ""
    assert not any(secret in content for secret in HIDDEN)
    if named:
        try:
            turn = read_lenient(text, speaker="Mara", turn_id="t").turn.seen_by(Viewer.reader())
        except TagError:
            assert content == ""
        else:
            assert content == render_display(turn, name=False)


PIECES = st.lists(
    st.sampled_from(
        (
            "Hello. ",
            "3 < 5 ",
            "<b>",
            "Mara: ",
            "*nods* ",
            "\n",
            "“Yes.” ",
            "<",
            "&lt;",
            "</role_thinking>",
            " ",
            f"<role_thinking>{T}</role_thinking>",
            f"<role_thinking>{T}",
            f"<system_thinking>{S}</system_thinking>",
            "<role_action>waves</role_action>",
            "<role_action>",
            "</role_action>",
            f"<THINK>{T}</think>",
        )
    ),
    max_size=12,
)


@given(pieces=PIECES, size=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_any_mixture_at_any_chunking(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    content, _ = shown(text, size)
    assert content == shown(text, max(1, len(text)))[0]
    assert not any(secret in content for secret in HIDDEN)


def test_bytes_of_the_stream_hold_no_secret() -> None:
    """The same, over the wire: every byte that leaves, names and extensions included."""
    model = Chunked([])
    with server(model, scene=SCENE, character="Mara") as url, httpx2.Client() as client:
        for text in MALFORMED:
            model.pieces = cut(text, 4)
            for stream in (True, False):
                body = {"messages": [{"role": "user", "content": "Well?"}], "stream": stream}
                sent = client.post(f"{url}/v1/chat/completions", json=body).text
                assert not any(secret in sent for secret in HIDDEN), text
                if stream:
                    events = [json.loads(e[6:]) for e in sent.split("\n\n") if e.startswith("data: {")]
                    assert events[-1].get("error") or events[-1]["choices"][0]["finish_reason"] == "stop"


def test_plain_brackets_survive() -> None:
    assert shown("Mara: 3 < 5, and <b>bold</b> too.", 1)[0] == "“3 < 5, and <b>bold</b> too.”"


def test_a_known_name_is_taken_off_and_another_word_is_not() -> None:
    assert shown("Mara: Hello.", 1, named=False)[0] == "“Hello.”"
    assert shown(f"<system_thinking>{S}</system_thinking>Mara: Hello.", 1, named=False)[0] == "“Hello.”"
    assert shown("Listen: Hello.", 1, named=False)[0] == "“Listen: Hello.”"


def test_what_was_prefilled_is_hidden_or_not_repeated() -> None:
    assert shown(f"{S}</system_thinking>Mara: Hello.", 3, prefill="<system_thinking>")[0] == "“Hello.”"
    went_on = shown(" my friend.", 3, prefill="Mara: <role_action>nods</role_action>Hello,")[0]
    assert went_on == " my friend.”"
