"""Prefixes: prompts read in blocks, and blocks that were read before taken from memory, to the same bits.

A sum of floats depends on the shapes it is taken in, so a prompt that goes on from a shorter one's cache comes out
with other last digits than one read whole (the reason why the embedded server reads each prompt anew where a run must
be repeatable). Here every prompt is cut at the same places, multiples of `BLOCK` tokens from its beginning, whether
anything is remembered or not. What a block becomes is then a function of the tokens up to its end, and remembering it
changes when it is computed, not what.

Owns cutting, remembering and forgetting. Knows nothing of what is scored. Only caches that grow by whole tokens are
cut; other models (sliding windows, states) are read in one piece.
"""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

BLOCK = 64
"""Tokens. Small enough that what prompts share is mostly in whole blocks, large enough for a matrix product."""


class Prefixes:
    """Reads the beginnings of prompts for one model. `limit_bytes`: what is remembered, the least recently used goes
    first; 0 remembers nothing and gives the same numbers."""

    def __init__(self, model: Any, *, limit_bytes: int = 512 << 20) -> None:
        self._model = model
        self._limit = limit_bytes
        self._blocks: OrderedDict[tuple[int, ...], list[tuple[Any, Any]]] = OrderedDict()
        """Keys and values of each layer, for the tokens of one block, by all tokens up to its end."""
        self.held = 0
        """Bytes remembered."""
        self._cuttable: bool | None = None
        self.read = 0
        """Tokens read."""
        self.reused = 0
        """Tokens remembered."""

    def after(self, ids: Sequence[int]) -> Any:
        """The model's cache after these tokens; the caller's own. None for no tokens."""
        if not ids:
            return None
        if self._cuttable is False:
            return self._forward(ids, None)
        known = self._known(ids)
        self.reused += known
        cache = self._assembled(ids, known) if known else None
        for start in range(known, len(ids), BLOCK):
            end = min(start + BLOCK, len(ids))
            cache = self._forward(ids[start:end], cache)
            if self._cuttable is None and not self._is_cuttable(cache):
                return self.after(ids)
            if end - start == BLOCK:
                self._remember(tuple(ids[:end]), cache, start)
        return cache

    def _forward(self, ids: Sequence[int], cache: Any) -> Any:
        import torch

        self.read += len(ids)
        device = next(self._model.parameters()).device
        row = torch.tensor([list(ids)], device=device)
        return self._model(input_ids=row, past_key_values=cache, use_cache=True, logits_to_keep=1).past_key_values

    def _is_cuttable(self, cache: Any) -> bool:
        from transformers.cache_utils import DynamicLayer

        layers = getattr(cache, "layers", None) or ()
        self._cuttable = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
        return self._cuttable

    def _known(self, ids: Sequence[int]) -> int:
        """How many of the first tokens are remembered, in whole blocks."""
        known = 0
        while known + BLOCK <= len(ids) and (key := tuple(ids[: known + BLOCK])) in self._blocks:
            self._blocks.move_to_end(key)
            known += BLOCK
        return known

    def _assembled(self, ids: Sequence[int], known: int) -> Any:
        import torch
        from transformers import DynamicCache

        blocks = [self._blocks[tuple(ids[:end])] for end in range(BLOCK, known + 1, BLOCK)]
        cache = DynamicCache()
        for layer in range(len(blocks[0])):
            keys, values = (torch.cat([block[layer][which] for block in blocks], dim=-2) for which in (0, 1))
            cache.update(keys, values, layer)
        return cache

    def _remember(self, key: tuple[int, ...], cache: Any, start: int) -> None:
        if not self._limit:
            return
        # Cloned: a slice would keep the whole cache alive.
        block = [
            (layer.keys[..., start : len(key), :].clone(), layer.values[..., start : len(key), :].clone())
            for layer in cache.layers
        ]
        self._blocks[key] = block
        self.held += _bytes(block)
        while self.held > self._limit:
            _, gone = self._blocks.popitem(last=False)
            self.held -= _bytes(gone)


def fork(cache: Any) -> Any:
    """A cache that can grow without the other one knowing. Growing makes new tensors, so the old ones can be shared."""
    if cache is None:
        return None
    from transformers.cache_utils import DynamicLayer

    if not all(type(layer) is DynamicLayer for layer in cache.layers):
        return copy.deepcopy(cache)
    twin = copy.copy(cache)
    twin.layers = [copy.copy(layer) for layer in cache.layers]
    return twin


def _bytes(block: list[tuple[Any, Any]]) -> int:
    return sum(int(t.nbytes) for pair in block for t in pair)
