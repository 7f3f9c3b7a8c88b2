"""Prefixes: prompts read in blocks, and blocks that were read before taken from memory, to the same bits.

A sum of floats depends on the shapes it is taken in, so a prompt that goes on from a shorter one's cache comes out
with other last digits than one read whole (the reason why the embedded server reads each prompt anew where a run must
be repeatable). Here every prompt is cut at the same places, whether anything is remembered or not: where a paragraph
ends, because there is where prompts begin to differ, and where a block would grow too long. Where a block ends follows
from the tokens up to its end, and so does what it becomes; remembering it changes when that is computed, not what.

Owns cutting, remembering and forgetting. Knows nothing of what is scored. Only caches that grow by whole tokens are
cut; other models (sliding windows, states) are read in one piece.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

SHORTEST, LONGEST = 48, 256
"""Tokens of a block. A pass through SmolLM2 costs on one core about 70 ms and 3 ms a token: shorter blocks cost more
than they save. Longest: for text without paragraphs."""


class Prefixes:
    """Reads prompts for one model. `text_of` gives the text of a token. `limit_bytes`: what is remembered, the least
    recently used goes first; 0 remembers nothing and gives the same numbers."""

    def __init__(self, model: Any, *, text_of: Callable[[int], str], limit_bytes: int = 512 << 20) -> None:
        self._model = model
        self._text_of = text_of
        self._texts: dict[int, str] = {}
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

    def after(self, ids: Sequence[int]) -> tuple[Any, Any]:
        """The model's cache after these tokens, the caller's own, and the logits of what comes next (vocabulary).

        At least one token. The last block is always read: logits are not remembered.
        """
        if self._cuttable is False:
            return self._forward(ids, None)
        ends = [*self._ends(ids), len(ids)]
        done = self._known(ids, ends[:-1])
        cache, logits_V = (self._assembled(ids, ends[:done]) if done else None), None
        start = ends[done - 1] if done else 0
        self.reused += start
        for end in ends[done:]:
            cache, logits_V = self._forward(ids[start:end], cache)
            if self._cuttable is None and not self._is_cuttable(cache):
                return self.after(ids)
            if end < len(ids):
                self._remember(tuple(ids[:end]), cache, start)
            start = end
        for end in reversed(ends):  # the beginning goes last: without it, what follows cannot be used
            if (key := tuple(ids[:end])) in self._blocks:
                self._blocks.move_to_end(key)
        return cache, logits_V

    def _forward(self, ids: Sequence[int], cache: Any) -> tuple[Any, Any]:
        import torch

        self.read += len(ids)
        device = next(self._model.parameters()).device
        row = torch.tensor([list(ids)], device=device)
        out = self._model(input_ids=row, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.past_key_values, out.logits[0, -1]

    def _ends(self, ids: Sequence[int]) -> list[int]:
        """Where blocks end, before the end of the whole. Each follows from the tokens before it alone."""
        ends, start, before = [], 0, ""
        for end, token in enumerate(ids[:-1], start=1):
            text = self._texts.get(token)
            if text is None:
                text = self._texts[token] = self._text_of(token)
            paragraph = (before + text).endswith("\n\n")
            if end - start >= LONGEST or (paragraph and end - start >= SHORTEST):
                ends.append(end)
                start = end
            before = text
        return ends

    def _is_cuttable(self, cache: Any) -> bool:
        from transformers.cache_utils import DynamicLayer

        layers = getattr(cache, "layers", None) or ()
        self._cuttable = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
        return self._cuttable

    def _known(self, ids: Sequence[int], ends: Sequence[int]) -> int:
        """How many of the first blocks are remembered."""
        known = 0
        while known < len(ends) and tuple(ids[: ends[known]]) in self._blocks:
            known += 1
        return known

    def _assembled(self, ids: Sequence[int], ends: Sequence[int]) -> Any:
        import torch
        from transformers import DynamicCache

        blocks = [self._blocks[tuple(ids[:end])] for end in ends]
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
    from transformers.cache_utils import DynamicLayer

    if not all(type(layer) is DynamicLayer for layer in cache.layers):
        return copy.deepcopy(cache)
    twin = copy.copy(cache)
    twin.layers = [copy.copy(layer) for layer in cache.layers]
    return twin


def _bytes(block: list[tuple[Any, Any]]) -> int:
    return sum(int(t.nbytes) for pair in block for t in pair)
