"""The key of a call, pinned. If this fails, every ledger in the world would be paid again: raise no number lightly."""

from hashlib import sha256

from her.llm import Request
from her.llm.ledger import key_of, ledger_key
from her.schema import Message

REQUEST = Request(
    messages=(Message(role="system", content="You are Mara."), Message(role="user", content="Wer ist da? 灯 “…”\n")),
    max_tokens=60,
    temperature=0.7,
    top_p=0.9,
    stop=("\n\n",),
    seed=7,
    prefill="Mara: ",
    json_schema='{"type":"object"}',
    top_logprobs=5,
    sample_index=2,
)
CONTENT = (
    r'{"json_schema":"{\"type\":\"object\"}","max_tokens":60,"messages":['
    r'{"content":"You are Mara.","role":"system"},{"content":"Wer ist da? 灯 “…”\n","role":"user"}],'
    r'"prefill":"Mara: ","sample_index":2,"seed":7,"stop":["\n\n"],"temperature":0.7,"top_logprobs":5,"top_p":0.9}'
)


def test_the_key_of_a_fixed_request() -> None:
    whole = f'{{"fingerprint":"openai:m@http://h/v1","request":{CONTENT},"stage":"synth","v":1}}'
    key = ledger_key(stage="synth", fingerprint="openai:m@http://h/v1", request=REQUEST)
    assert key == sha256(whole.encode()).hexdigest()
    assert key == "4e4243e03edbffb49fb6f34a3d92d3d68140b823c3b4b317ba4fe2e64286c75b"
    assert key == key_of(stage="synth", fingerprint="openai:m@http://h/v1", request=CONTENT)


def test_every_field_that_changes_a_reply_changes_the_key() -> None:
    changes: list[dict[str, object]] = [
        {"messages": REQUEST.messages[:1]},
        {"max_tokens": 61},
        {"temperature": 0.71},
        {"top_p": 0.91},
        {"stop": ()},
        {"seed": 8},
        {"prefill": ""},
        {"json_schema": None},
        {"top_logprobs": 0},
        {"sample_index": 3},
    ]
    assert {name for change in changes for name in change} == set(Request.model_fields)
    keys = {ledger_key(stage="s", fingerprint="f", request=REQUEST.model_copy(update=c)) for c in [{}, *changes]}
    assert len(keys) == len(changes) + 1
