"""How likely a given reply is: any local weights as a Scorer, on transformers in fp32.

Owns batching. The log-probability is that of the reply's tokens and of the token that ends the turn, given the chat:
the same tokens that training learns. Replies to one prompt are scored together after one reading of the prompt, which
is most of the work when a judge compares candidates.
"""

import asyncio
import threading
from collections.abc import Sequence

from her.llm.engines.torch import Weights
from her.llm.model import Score
from her.schema import Message

_BATCH_TOKENS = 2048
"""Replies scored together, in tokens with padding. More needs memory for logits without being faster on a CPU."""


class TorchScorer:
    """How likely replies are, end of turn included."""

    def __init__(self, name: str, *, fingerprint: str, weights: Weights) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._weights = weights
        self._lock = threading.Lock()

    async def score(self, items: Sequence[tuple[tuple[Message, ...], str]]) -> list[Score]:
        """One score per item, in order."""
        return await asyncio.to_thread(self._score, items)

    def _score(self, items: Sequence[tuple[tuple[Message, ...], str]]) -> list[Score]:
        by_prompt: dict[tuple[Message, ...], list[int]] = {}
        for i, (messages, _) in enumerate(items):
            by_prompt.setdefault(messages, []).append(i)
        scores: dict[int, Score] = {}
        with self._lock:
            for messages, indices in by_prompt.items():
                prompt = self._weights.prompt_ids(messages)
                replies = {i: self._weights.reply_ids(items[i][1]) for i in indices}
                for batch in _batches(replies):
                    found = self._score_replies(prompt, [replies[i] for i in batch])
                    scores |= dict(zip(batch, found, strict=True))
        return [scores[i] for i in range(len(items))]

    def _score_replies(self, prompt: list[int], replies: list[list[int]]) -> list[Score]:
        """Scores of several replies to one prompt. The prompt's last token is read with the replies: it predicts their
        first tokens."""
        import torch

        model, device = self._weights.model, self._weights.device
        head, last = prompt[:-1], prompt[-1]
        longest = max(map(len, replies))
        rows = [[last, *r, *[self._weights.end_id] * (longest - len(r))] for r in replies]
        ids_BT = torch.tensor(rows, device=device)
        with torch.inference_mode():
            cache = None
            if head:
                cache = model(input_ids=torch.tensor([head], device=device), use_cache=True, logits_to_keep=1)
                cache = cache.past_key_values
                cache.batch_repeat_interleave(len(replies))
            # Padding stands at the right: it is behind every token that is scored, so causality hides it.
            out = model(input_ids=ids_BT, past_key_values=cache, use_cache=cache is not None)
            logits_BTV = out.logits[:, :-1].float()
            picked_BT = logits_BTV.gather(2, ids_BT[:, 1:, None])[..., 0].double()
            picked_BT -= logits_BTV.logsumexp(dim=-1).double()  # log_softmax would copy the whole vocabulary
        return [
            Score(logprob=float(picked_BT[row, : len(reply)].sum()), tokens=len(reply))
            for row, reply in enumerate(replies)
        ]


def _batches(replies: dict[int, list[int]]) -> list[list[int]]:
    """Indices in batches of similar length, no batch over `_BATCH_TOKENS` with its padding."""
    order = sorted(replies, key=lambda i: len(replies[i]))
    batches: list[list[int]] = []
    while order:
        batch = [order.pop()]
        longest = len(replies[batch[0]]) + 1
        while order and (len(batch) + 1) * longest <= _BATCH_TOKENS:
            batch.append(order.pop())
        batches.append(batch)
    return batches
