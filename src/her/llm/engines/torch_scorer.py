"""How likely a given reply is: any local weights as a Scorer, on transformers in fp32.

The log-probability is that of the reply's tokens and of the token that ends the turn, given the chat: the same tokens
that training learns. What comes before them is read once for all replies to it, and whole blocks of it once for all
prompts that begin alike (`prefixes.py`), which is most of the work when a judge compares the replies of a group. That
reading predicts the first token of every reply: where the first tells two of them apart, there is nothing more to read.
Longer replies go one by one: in a batch a matrix product rounds otherwise, and a score would depend on its neighbours
(docs/LOG.md has the measurement).
"""

import asyncio
import threading
from collections.abc import Sequence

from her.errors import DeadLetterError
from her.llm.engines.prefixes import LONGEST, SHORTEST, Prefixes, fork
from her.llm.engines.torch import Weights
from her.llm.model import Score, ScoreItem
from her.schema import Message


class TorchScorer:
    """How likely replies are, end of turn included."""

    def __init__(self, name: str, *, fingerprint: str, weights: Weights, limit_bytes: int = 512 << 20) -> None:
        self.name = name
        self.fingerprint = f"{fingerprint}+paragraphs:{SHORTEST}-{LONGEST}"
        self.prefixes = Prefixes(
            weights.model, text_of=lambda token: weights.tokenizer.decode([token]), limit_bytes=limit_bytes
        )
        self._weights = weights
        self._lock = threading.Lock()

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        """One score per item, in order. Raises DeadLetterError where an item exceeds the model's context."""
        return await asyncio.to_thread(self._score, items)

    def _score(self, items: Sequence[ScoreItem]) -> list[Score]:
        prompts: dict[tuple[Message, ...], list[int]] = {}
        by_context: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
        with self._lock:
            for i, item in enumerate(items):
                if item.messages not in prompts:
                    prompts[item.messages] = self._weights.prompt_ids(item.messages)
                ids, scored = self._turn_ids(item)
                whole = [*prompts[item.messages], *ids]
                self._refuse_long(len(whole))
                by_context.setdefault(tuple(whole[:-scored]), []).append((i, whole[-scored:]))
            scores: dict[int, Score] = {}
            for context, texts in by_context.items():
                scores |= self._score_texts(context, texts)
        return [scores[i] for i in range(len(items))]

    def _turn_ids(self, item: ScoreItem) -> tuple[list[int], int]:
        """The assistant's turn as ids, read as one text as training reads it, and how many of them are scored.

        A token that lies across the end of the prefill (the space before a word) is scored: it holds text. Of a text
        that stands against another, the first token in which they differ is scored and is the last.
        """
        ids = self._weights.reply_ids(item.prefill + item.text)
        if item.against is not None:
            at = _shared(ids, self._weights.reply_ids(item.prefill + item.against))
            return ids[: at + 1], 1
        before = self._weights.reply_ids(item.prefill)[:-1]
        return ids, len(ids) - min(_shared(ids, before), len(ids) - 1)

    def _refuse_long(self, tokens: int) -> None:
        limit = getattr(self._weights.model.config, "max_position_embeddings", None)
        if limit is not None and tokens > limit:
            what = f"{tokens} tokens of prompt and reply exceed {limit}"
            message = f"{self.name} refused to score: {what}; shorten the prompt"
            raise DeadLetterError(message, reason="too_long", attempts=1)

    def _score_texts(self, context: tuple[int, ...], texts: list[tuple[int, list[int]]]) -> dict[int, Score]:
        """Scores of texts that follow one context."""
        import torch

        scores = {}
        with torch.inference_mode():
            read, first_V = self.prefixes.after(context)
            for i, ids in texts:
                logits_TV = first_V[None]
                if len(ids) > 1:
                    row = torch.tensor([ids[:-1]], device=self._weights.device)
                    out = self._weights.model(
                        input_ids=row, past_key_values=fork(read), use_cache=True, logits_to_keep=len(ids) - 1
                    )
                    logits_TV = torch.cat([logits_TV, out.logits[0]])
                wanted_T = torch.tensor(ids, device=self._weights.device)
                picked_T = logits_TV.float().gather(1, wanted_T[:, None])[:, 0].double()
                picked_T -= logits_TV.float().logsumexp(dim=-1).double()  # log_softmax would copy the whole vocabulary
                scores[i] = Score(logprob=float(picked_T.sum()), tokens=len(ids))
        return scores


def _shared(ids: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens both begin with, of the shorter at most."""
    return next((n for n, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b), min(len(ids), len(others)))
