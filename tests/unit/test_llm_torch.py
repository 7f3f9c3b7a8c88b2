"""The transformers engine and the scorer on SmolLM2, against arithmetic written out by hand."""

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_policy import make_policy

from her.errors import DeadLetterError, ModelError, ModelNameError
from her.llm import ChatModel, Request, ScoreItem, open_model, open_scorer, weights
from her.llm.catalog import entry
from her.llm.chatml import render_chatml
from her.llm.engines.prefixes import SHORTEST
from her.llm.engines.torch_scorer import TorchScorer
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


ITEMS = (
    ScoreItem(messages=CHAT, text="Roses."),
    ScoreItem(messages=OTHER, text="The keeper did, every night, for his daughter."),
    ScoreItem(messages=CHAT, text="A fire engine, I think."),
    ScoreItem(messages=CHAT, text="Roses, of course.", prefill="Ann: "),
    ScoreItem(messages=CHAT, text="Roses, of course.", prefill="Ann: <role_thinking>He means flowers.</role_thinking>"),
)
RIVALS = tuple(
    ScoreItem(messages=CHAT, text=text, prefill="Ann: ", against=against)
    for text, against in (("cand_1.", "cand_2."), ("cand_2.", "cand_1."), ("Roses", "Roses."), ("Roses.", "Roses"))
)


def test_a_score_is_the_sum_over_reply_and_end_of_turn() -> None:
    import torch

    scorer = open_scorer("local:smollm2-135m")
    loaded = scorer._weights
    encode = loaded.tokenizer.encode
    for item, score in zip(ITEMS, asyncio.run(scorer.score(ITEMS)), strict=True):
        prompt, turn = loaded.prompt_ids(item.messages), encode(item.prefill + item.text, add_special_tokens=False)
        turn.append(loaded.tokenizer.convert_tokens_to_ids("<|im_end|>"))
        with torch.inference_mode():
            logits = loaded.model(input_ids=torch.tensor([prompt + turn], device=loaded.device)).logits[0].float()
        each = [
            float(torch.log_softmax(logits[len(prompt) + i - 1], -1)[token]) for i, token in enumerate(turn)
        ]  # of the whole turn, prefill included
        assert score.tokens == len(encode(item.text, add_special_tokens=False)) + 1
        assert score.logprob == pytest.approx(sum(each[-score.tokens :]), abs=1e-3)


def test_a_score_is_the_same_bits_whatever_is_scored_beside_it() -> None:
    scorer = open_scorer("local:smollm2-135m")
    items = ITEMS + RIVALS
    together = asyncio.run(scorer.score(items))
    backwards = asyncio.run(scorer.score(items[::-1]))[::-1]
    alone = [asyncio.run(scorer.score([item]))[0] for item in items]
    assert together == alone == backwards


def test_a_text_against_another_is_the_token_that_tells_them_apart() -> None:
    """Found by hand: the two labels share all but one digit; of a text and its beginning one goes on and one ends."""
    import torch

    scorer = open_scorer("local:smollm2-135m")
    loaded = scorer._weights
    encode = loaded.tokenizer.encode
    read = scorer.prefixes.read
    scores = asyncio.run(scorer.score(RIVALS))
    deciding = []
    for item in RIVALS:
        given = encode("Ann: cand_" if item.text.startswith("cand") else "Ann: Roses", add_special_tokens=False)
        ids = loaded.prompt_ids(item.messages) + given
        with torch.inference_mode():
            logits_V = loaded.model(input_ids=torch.tensor([ids], device=loaded.device)).logits[0, -1].float()
        said = {"cand_1.": "1", "cand_2.": "2", "Roses": "<|im_end|>", "Roses.": "."}[item.text]
        token = loaded.tokenizer.convert_tokens_to_ids(said)
        deciding.append(float(torch.log_softmax(logits_V, -1)[token]))
    assert [s.logprob for s in scores] == pytest.approx(deciding, abs=1e-3)
    assert {s.tokens for s in scores} == {1}
    # Two contexts, each read once for the two texts that stand against one another.
    whole = [len(loaded.prompt_ids(CHAT) + encode(t, add_special_tokens=False)) for t in ("Ann: cand_", "Ann: Roses")]
    assert scorer.prefixes.read - read == sum(whole)


def test_what_prompts_share_is_read_once_to_the_same_bits(tmp_path: Path) -> None:
    """Prompts that share 0 to 4 whole blocks: remembered, forgotten, and never remembered at all are the same bits."""
    words = "\n\n".join(f"The lamp on pier {i} was lit by keeper {i * 7 % 31}, who told nobody why." for i in range(30))
    chats = [(Message(role="user", content=f"{words[:cut]} So what is red?"),) for cut in (40, 400, 900, 900, 1500)]
    items = [ScoreItem(messages=chat, text=text) for chat in chats for text in ("Roses.", "Nothing.")]
    loaded = open_scorer(f"hf:{make_policy(tmp_path / 'tiny')}")._weights  # type: ignore[attr-defined]
    warm, cold, tight = (
        TorchScorer("s", fingerprint="f", weights=loaded, limit_bytes=n) for n in (1 << 30, 0, 300_000)
    )
    expected = [asyncio.run(cold.score([item]))[0] for item in items]
    assert cold.prefixes.reused == 0
    for order in (items, items[::-1], items[3:] + items[:3]):
        for scorer in (warm, tight):
            found = dict(zip(order, asyncio.run(scorer.score(order)), strict=True))
            assert [found[item] for item in items] == expected
    assert warm.prefixes.reused > 10 * SHORTEST
    assert 0 < tight.prefixes.reused < warm.prefixes.reused


def test_what_exceeds_the_context_is_refused(tmp_path: Path) -> None:
    scorer = open_scorer(f"hf:{make_policy(tmp_path / 'tiny')}")
    with pytest.raises(DeadLetterError, match="exceed 2048") as refused:
        asyncio.run(scorer.score([ScoreItem(messages=CHAT, text="red " * 2000)]))
    assert refused.value.reason == "too_long"


def test_a_prompt_beyond_the_context_is_given_up(model: ChatModel) -> None:
    with pytest.raises(DeadLetterError, match="exceed") as given_up:
        asyncio.run(model.reply(Request(messages=CHAT, max_tokens=10_000, temperature=0.0)))
    assert given_up.value.reason == "too_long"


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
