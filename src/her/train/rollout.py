"""Completions of one prompt, sampled together: the prompt is read once, then all of them are written in step.

Owns sampling and nothing else: no text, no reward. The engine's own `generate` reads the prompt once per completion,
which on a CPU costs more than writing the replies. A group's random numbers come from its own seed: which process
writes it, and after how many kills, does not matter.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch


def sample_group(
    model: Any,
    prompt_ids: Sequence[int],
    *,
    n: int,
    max_tokens: int,
    temperature: float,
    end_ids: Collection[int],
    seed: int | None = None,
    in_step: bool = False,
) -> list[list[int]]:
    """`n` completions. Each ends with one of `end_ids` or after `max_tokens`.

    Without `seed`, torch's global generator is used. `in_step` reads on to `max_tokens` even when all have ended, as
    weights that are sharded over processes must be read by all of them equally often.
    """
    device = next(model.parameters()).device
    dice = None if seed is None else torch.Generator(device=device).manual_seed(seed)
    ends = set(end_ids)
    written: list[list[int]] = [[] for _ in range(n)]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            out = model(input_ids=torch.tensor([prompt_ids], device=device), use_cache=True, logits_to_keep=1)
            cache = out.past_key_values
            cache.batch_repeat_interleave(n)
            logits_G_V = out.logits[:, -1].expand(n, -1)
            for _ in range(max_tokens):
                probabilities_G_V = (logits_G_V.float() / temperature).softmax(-1)
                chosen_G = torch.multinomial(probabilities_G_V, 1, generator=dice)
                for ids, token in zip(written, chosen_G[:, 0].tolist(), strict=True):
                    if not ids or ids[-1] not in ends:
                        ids.append(token)
                if not in_step and all(ids[-1] in ends for ids in written):
                    break
                out = model(input_ids=chosen_G, past_key_values=cache, use_cache=True)
                logits_G_V = out.logits[:, -1]
    finally:
        model.train(was_training)
    return written


def group_seed(seed: int, number: int) -> int:
    """The seed of a run's `number`-th group."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}".encode()).digest()[:7], "big")


@contextlib.contextmanager
def merged(model: Any) -> Iterator[Any]:
    """On a CPU, the adapter folded into the weights while inside: writing is a third faster.

    The weights come back to the bit, so that sampling leaves no trace. On a GPU nothing is folded: bf16 weights would
    lose the adapter's last digits.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    if next(model.parameters()).device.type != "cpu":
        yield model
        return
    layers: list[Any] = [m.get_base_layer() for m in model.modules() if isinstance(m, BaseTunerLayer)]
    saved = [layer.weight.data.clone() for layer in layers]
    model.merge_adapter()
    try:
        yield model
    finally:
        model.unmerge_adapter()
        for layer, weight in zip(layers, saved, strict=True):
            layer.weight.data.copy_(weight)
