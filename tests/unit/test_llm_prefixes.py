"""Prompts read in blocks: the right numbers, the same bits however they came, no cutting where a cache has holes."""

import importlib.util
import random
from typing import Any

import pytest

from her.llm.engines.prefixes import BLOCK, Prefixes, fork

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


def _next(model: Any, prefixes: Prefixes, ids: list[int]) -> Any:
    """Logits after `ids`, the last of them read on top of the rest."""
    import torch

    with torch.inference_mode():
        cache = fork(prefixes.after(ids[:-1]))
        return model(input_ids=torch.tensor([ids[-1:]]), past_key_values=cache, use_cache=True).logits[0, -1]


@pytest.mark.parametrize("kind", ["whole", "sliding"])
@pytest.mark.parametrize("length", [1, 2, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_what_is_read_in_blocks_is_what_is_read_whole(kind: str, length: int) -> None:
    import torch

    model = _model(kind)
    ids = _ids(length, seed=1)
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([ids])).logits[0, -1]
    prefixes = Prefixes(model)
    for _ in range(2):
        assert torch.allclose(_next(model, prefixes, ids), expected, atol=1e-5)


def test_bits_do_not_depend_on_what_is_remembered() -> None:
    import torch

    model, shared = _model("whole"), _ids(2 * BLOCK + 9, seed=2)
    prompts = [shared + _ids(n, seed=n) for n in (5, 70, 5, 200)] + [shared[: BLOCK + 3]]
    alone = [_next(model, Prefixes(model, limit_bytes=0), ids) for ids in prompts]
    warm = Prefixes(model)
    order = [3, 0, 4, 1, 2, 0]
    found = {i: _next(model, warm, prompts[i]) for i in order}
    assert all(torch.equal(found[i], alone[i]) for i in order)
    assert warm.reused > 0


def test_memory_is_bounded_and_growing_a_fork_leaves_the_original() -> None:
    import torch

    model = _model("whole")
    one_block = 2 * 2 * 2 * BLOCK * 8 * 4  # layers, keys and values, heads, tokens, width, bytes
    tight = Prefixes(model, limit_bytes=2 * one_block)
    for seed in range(5):
        _next(model, tight, _ids(3 * BLOCK, seed=seed))
        assert tight.held <= 2 * one_block
    with torch.inference_mode():
        cache = tight.after(_ids(BLOCK, seed=9))
        twin = fork(cache)
        model(input_ids=torch.tensor([[1, 2, 3]]), past_key_values=twin, use_cache=True)
    assert (cache.get_seq_length(), twin.get_seq_length()) == (BLOCK, BLOCK + 3)


def test_a_model_whose_cache_has_holes_is_not_cut() -> None:
    model = _model("sliding")
    prefixes = Prefixes(model)
    for _ in range(2):
        _next(model, prefixes, _ids(3 * BLOCK, seed=4))
    assert (prefixes.reused, prefixes.held) == (0, 0)
