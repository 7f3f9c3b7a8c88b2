"""How likely a given reply is: any local weights as a Scorer, on transformers in fp32.

Owns batching. The log-probability is that of the reply's tokens and of the token that ends the turn, given the chat: the
same tokens that training learns.
"""

import asyncio
import threading
from collections.abc import Sequence

from her.llm.engines.torch import Weights
from her.llm.model import Score
from her.schema import Message

_BATCH_TOKENS = 4096
"""Scored together at most. More needs memory for logits without being faster on a CPU."""


class TorchScorer:
    """How likely replies are, end of turn included. Batched with padding on the left, so that replies end together."""

    def __init__(self, name: str, *, fingerprint: str, weights: Weights) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._weights = weights
        self._lock = threading.Lock()

    async def score(self, items: Sequence[tuple[tuple[Message, ...], str]]) -> list[Score]:
        """One score per item, in order. Items of similar length are scored together."""
        return await asyncio.to_thread(self._score, items)

    def _score(self, items: Sequence[tuple[tuple[Message, ...], str]]) -> list[Score]:
        pairs = [(self._weights.prompt_ids(m), self._weights.reply_ids(text)) for m, text in items]
        order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
        scores: dict[int, Score] = {}
        with self._lock:
            while order:
                batch = [order.pop()]
                longest = sum(map(len, pairs[batch[0]]))
                while order and (len(batch) + 1) * longest <= _BATCH_TOKENS:
                    batch.append(order.pop())
                scores |= dict(zip(batch, self._score_batch([pairs[i] for i in batch]), strict=True))
        return [scores[i] for i in range(len(pairs))]

    def _score_batch(self, pairs: list[tuple[list[int], list[int]]]) -> list[Score]:
        import torch

        longest = max(len(p) + len(r) for p, r in pairs)
        keep = max(len(r) for _, r in pairs) + 1
        rows = [[self._weights.end_id] * (longest - len(p) - len(r)) + p + r for p, r in pairs]
        masks = [[0] * (longest - len(p) - len(r)) + [1] * (len(p) + len(r)) for p, r in pairs]
        ids_BT = torch.tensor(rows, device=self._weights.device)
        mask_BT = torch.tensor(masks, device=self._weights.device)
        with torch.inference_mode():
            out = self._weights.model(
                input_ids=ids_BT,
                attention_mask=mask_BT,
                position_ids=(mask_BT.cumsum(1) - 1).clamp(min=0),
                logits_to_keep=keep,
                use_cache=False,
            )
        scores = []
        for row, (_, reply) in enumerate(pairs):
            logits_RV = out.logits[row, -len(reply) - 1 : -1].float()
            target_R = ids_BT[row, -len(reply) :]
            logprob = torch.log_softmax(logits_RV, dim=-1).gather(1, target_R[:, None]).double().sum()
            scores.append(Score(logprob=float(logprob), tokens=len(reply)))
        return scores
