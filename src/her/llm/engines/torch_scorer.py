"""How likely a given reply is: any local weights as a Scorer, on transformers in fp32.

The log-probability is that of the reply's tokens and of the token that ends the turn, given the chat: the same tokens
that training learns. A prompt is read once for all replies to it, which is most of the work when a judge compares
candidates or a thought is weighed. The replies themselves go one by one: in a batch a matrix product rounds otherwise,
and a score would depend on its neighbours (docs/LOG.md has the measurement).
"""

import asyncio
import copy
import threading
from collections.abc import Sequence
from typing import Any

from her.errors import DeadLetterError
from her.llm.engines.torch import Weights
from her.llm.model import Score, ScoreItem
from her.schema import Message


class TorchScorer:
    """How likely replies are, end of turn included."""

    def __init__(self, name: str, *, fingerprint: str, weights: Weights) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self._weights = weights
        self._lock = threading.Lock()

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        """One score per item, in order. Raises DeadLetterError where an item exceeds the model's context."""
        return await asyncio.to_thread(self._score, items)

    def _score(self, items: Sequence[ScoreItem]) -> list[Score]:
        by_chat: dict[tuple[Message, ...], list[int]] = {}
        for i, item in enumerate(items):
            by_chat.setdefault(item.messages, []).append(i)
        scores: dict[int, Score] = {}
        with self._lock:
            for messages, indices in by_chat.items():
                prompt = self._weights.prompt_ids(messages)
                turns = {i: self._turn_ids(items[i]) for i in indices}
                self._refuse_long(len(prompt) + max(len(ids) for ids, _ in turns.values()))
                scores |= self._score_turns(prompt, turns)
        return [scores[i] for i in range(len(items))]

    def _turn_ids(self, item: ScoreItem) -> tuple[list[int], int]:
        """The assistant's turn as ids, read as one text as training reads it, and how many of them are scored.

        A token that lies across the end of the prefill (the space before a word) is scored: it holds text.
        """
        ids = self._weights.reply_ids(item.prefill + item.text)
        before = self._weights.reply_ids(item.prefill)[:-1]
        shared = next((n for n, (a, b) in enumerate(zip(ids, before, strict=False)) if a != b), len(before))
        return ids, len(ids) - min(shared, len(ids) - 1)

    def _refuse_long(self, tokens: int) -> None:
        limit = getattr(self._weights.model.config, "max_position_embeddings", None)
        if limit is not None and tokens > limit:
            what = f"{tokens} tokens of prompt and reply exceed {limit}"
            message = f"{self.name} refused to score: {what}; shorten the prompt"
            raise DeadLetterError(message, reason="too_long", attempts=1)

    def _score_turns(self, prompt: list[int], turns: dict[int, tuple[list[int], int]]) -> dict[int, Score]:
        """Scores of turns that follow one prompt. Its last token is read with each turn: it predicts the first."""
        import torch

        model, device = self._weights.model, self._weights.device
        head, last = prompt[:-1], prompt[-1]
        scores = {}
        with torch.inference_mode():
            read: Any = None
            if head:
                out = model(input_ids=torch.tensor([head], device=device), use_cache=True, logits_to_keep=1)
                read = out.past_key_values
            for i, (ids, scored) in turns.items():
                out = model(
                    input_ids=torch.tensor([[last, *ids]], device=device),
                    past_key_values=copy.deepcopy(read),
                    use_cache=read is not None,
                    logits_to_keep=scored + 1,
                )
                logits_TV = out.logits[0, :-1].float()
                wanted_T = torch.tensor(ids[-scored:], device=device)
                picked_T = logits_TV.gather(1, wanted_T[:, None])[:, 0].double()
                picked_T -= logits_TV.logsumexp(dim=-1).double()  # log_softmax would copy the whole vocabulary
                scores[i] = Score(logprob=float(picked_T.sum()), tokens=scored)
        return scores
