"""The transformers engine and the scorer on SmolLM2, against arithmetic written out by hand."""

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from her.errors import ModelError, ModelNameError
from her.llm import ChatModel, Request, open_model, open_scorer, weights
from her.llm.catalog import entry
from her.llm.chatml import render_chatml
from her.schema import Message

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the train extra (torch)")
CHAT = (Message(role="system", content="Be brief."), Message(role="user", content="What is red?"))
OTHER = (Message(role="user", content="A much longer question about lamps, ferries and who lit them, and why?"),)


@pytest.fixture(scope="module")
def model() -> Iterator[ChatModel]:
    opened = open_model(f"hf:{weights('local:smollm2-135m')}")
    yield opened
    asyncio.run(opened.close())


def test_our_template_is_the_model_s_own_token_for_token() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(weights("local:smollm2-135m"))
    turns = (*CHAT, Message(role="assistant", content="Anne: Roses.\n"), Message(role="user", content="Élan — 花?"))
    for chat in (turns, turns[1:]):
        dumped = [m.model_dump() for m in chat]
        theirs = tokenizer.apply_chat_template(dumped, tokenize=False, add_generation_prompt=True)
        ours = render_chatml(chat, default_system=entry("smollm2-135m").default_system)
        assert ours == theirs
        ids = tokenizer.apply_chat_template(dumped, add_generation_prompt=True, return_dict=False)
        assert tokenizer.encode(ours, add_special_tokens=False) == ids


def test_scores_are_the_sum_over_reply_and_end_of_turn_whatever_is_scored_beside_them() -> None:
    import torch

    scorer = open_scorer("local:smollm2-135m")
    items = [
        (CHAT, "Roses."),
        (OTHER, "The keeper did, every night, for his daughter."),
        (CHAT, "A fire engine, I think."),
    ]
    together = asyncio.run(scorer.score(items))
    alone = [asyncio.run(scorer.score([item]))[0] for item in items]
    loaded = scorer._weights
    for (chat, text), batched, single in zip(items, together, alone, strict=True):
        prompt, reply = loaded.prompt_ids(chat), loaded.reply_ids(text)
        assert reply[-1] == loaded.tokenizer.convert_tokens_to_ids("<|im_end|>")
        with torch.inference_mode():
            logits = loaded.model(input_ids=torch.tensor([prompt + reply], device=loaded.device)).logits[0].float()
        by_hand = sum(float(torch.log_softmax(logits[len(prompt) + i - 1], -1)[token]) for i, token in enumerate(reply))
        assert batched.logprob == pytest.approx(by_hand, abs=1e-3)
        assert single.logprob == pytest.approx(by_hand, abs=1e-3)
        assert batched.tokens == len(reply)


def test_replies_are_seeded_and_streams_are_the_same_reply(model: ChatModel) -> None:
    request = Request(messages=CHAT, max_tokens=12, temperature=0.9, top_p=0.9, seed=3, top_logprobs=2)

    async def run() -> None:
        first, second = await model.reply(request), await model.reply(request)
        assert first == second
        deltas = [d async for d in model.stream(request)]
        assert "".join(d.text for d in deltas) == first.text
        assert deltas[-1].finish_reason == first.finish_reason
        assert first.usage is not None
        assert first.logprobs is not None
        other = await model.reply(request.model_copy(update={"sample_index": 1}))
        assert other.text != first.text

    asyncio.run(run())


def test_prefill_and_stop(model: ChatModel) -> None:
    async def run() -> None:
        request = Request(messages=CHAT, max_tokens=12, temperature=0, prefill="Roses are r")
        whole = await model.reply(request)
        assert not whole.text.startswith("Roses")
        stop = whole.text.strip()[3:6]
        cut = await model.reply(request.model_copy(update={"stop": (stop,)}))
        assert cut.finish_reason == "stop"
        assert cut.text == whole.text[: whole.text.index(stop)]

    asyncio.run(run())


def test_a_wrong_path_or_id_fails_at_once_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelNameError, match="no such folder"):
        open_model(f"hf:{tmp_path}/gone")
    with pytest.raises(ModelNameError, match="HF_HUB_OFFLINE"):
        open_model("hf:nobody/nothing")
    with pytest.raises(ModelError, match="Hugging Face"):
        open_model(f"hf:{tmp_path}")
    with pytest.raises(ModelNameError, match="scorer"):
        open_scorer("openai:m@http://127.0.0.1:1/v1")
