"""Prompts read in blocks: the right numbers, the same bits however they came, no cutting where a cache has holes."""

import importlib.util
import random
from typing import Any

import pytest

from her.llm.engines.prefixes import LONGEST, SHORTEST, Prefixes, fork

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the train extra (torch)")
SMALL = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
}


def _model(kind: str) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    if kind == "sliding":
        return MistralForCausalLM(MistralConfig(**SMALL, sliding_window=16)).eval()
    return LlamaForCausalLM(LlamaConfig(**SMALL)).eval()


def _ids(n: int, *, seed: int) -> list[int]:
    dice = random.Random(seed)
    return [dice.randrange(97) for _ in range(n)]


def _text(token: int) -> str:
    """A blank line in every twentieth token or so; in the others a single break at most."""
    return "\n\n" if token % 20 == 0 else "\n" if token % 20 == 1 else "word"


def _next(model: Any, prefixes: Prefixes, ids: list[int]) -> Any:
    """Logits after `ids`, by way of blocks."""
    import torch

    with torch.inference_mode():
        return prefixes.after(ids)[1]


@pytest.mark.parametrize("kind", ["whole", "sliding"])
@pytest.mark.parametrize("length", [1, 2, SHORTEST, SHORTEST + 1, 2 * LONGEST + 7])
def test_what_is_read_in_blocks_is_what_is_read_whole(kind: str, length: int) -> None:
    import torch

    model = _model(kind)
    ids = _ids(length, seed=1)
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([ids])).logits[0, -1]
    for text_of in (_text, lambda _: "x"):
        prefixes = Prefixes(model, text_of=text_of)
        for _ in range(2):
            assert torch.allclose(_next(model, prefixes, ids), expected, atol=1e-5)


def test_bits_do_not_depend_on_what_is_remembered() -> None:
    import torch

    model, shared = _model("whole"), _ids(2 * LONGEST + 9, seed=2)
    prompts = [shared + _ids(n, seed=n) for n in (5, 70, 5, 200)] + [shared[: LONGEST + 3], shared[:LONGEST]]
    alone = [_next(model, Prefixes(model, text_of=_text, limit_bytes=0), ids) for ids in prompts]
    warm = Prefixes(model, text_of=_text)
    order = [3, 0, 5, 4, 1, 2, 0, 5]
    found = {i: _next(model, warm, prompts[i]) for i in order}
    assert all(torch.equal(found[i], alone[i]) for i in order)
    assert warm.reused > LONGEST


def test_a_block_ends_with_a_paragraph_that_is_long_enough() -> None:
    """Two prompts that share a paragraph and nothing after it share a block of it, whatever its length."""
    model = _model("whole")
    for length in (SHORTEST, SHORTEST + 13, LONGEST - 1):
        shared = [3] * (length - 1) + [20]  # the last token is a blank line
        prefixes = Prefixes(model, text_of=_text)
        for rest in ([5] * 30, [6] * 30):
            _next(model, prefixes, shared + rest)
        assert (prefixes.reused, prefixes.read) == (length, length + 60)
    short = Prefixes(model, text_of=_text)
    broken = [3] * 20 + [1, 21] + [3] * 40  # a blank line out of two breaks, after 22 tokens: too few
    for rest in ([5] * 30, [6] * 30):
        _next(model, short, broken + rest)
    assert short.reused == 0


def test_memory_is_bounded_and_growing_a_fork_leaves_the_original() -> None:
    import torch

    model = _model("whole")
    one_block = 2 * 2 * 2 * LONGEST * 8 * 4  # layers, keys and values, heads, tokens, width, bytes
    tight = Prefixes(model, text_of=lambda _: "x", limit_bytes=2 * one_block)
    for seed in range(5):
        _next(model, tight, _ids(3 * LONGEST, seed=seed))
        assert 0 < tight.held <= 2 * one_block
    with torch.inference_mode():
        cache, _ = tight.after(_ids(LONGEST, seed=9))
        twin = fork(cache)
        model(input_ids=torch.tensor([[1, 2, 3]]), past_key_values=twin, use_cache=True)
    assert (cache.get_seq_length(), twin.get_seq_length()) == (LONGEST, LONGEST + 3)


def test_a_model_whose_cache_has_holes_is_not_cut() -> None:
    model = _model("sliding")
    prefixes = Prefixes(model, text_of=_text)
    for _ in range(2):
        _next(model, prefixes, _ids(3 * LONGEST, seed=4))
    assert (prefixes.reused, prefixes.held) == (0, 0)
