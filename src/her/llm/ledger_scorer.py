"""A scorer behind the ledger: a score that was paid for is never computed again.

Knows the ledger's interface, not its file.
"""

import time
from collections.abc import Sequence

from pydantic import ValidationError

from her.errors import ModelError, StoreError
from her.llm.ledger import Ledger, Paid, ledger_key
from her.llm.model import Score, ScoreItem, Scorer
from her.store import canonical


class LedgerScorer:
    """A `Scorer` that pays for each item once."""

    def __init__(self, scorer: Scorer, ledger: Ledger, *, stage: str) -> None:
        self.name = scorer.name
        self.fingerprint = scorer.fingerprint
        self.stage = stage
        self._scorer = scorer
        self._ledger = ledger

    async def score(self, items: Sequence[ScoreItem]) -> list[Score]:
        """Stored scores, and one call for all that are missing."""
        keys = [ledger_key(stage=self.stage, fingerprint=self.fingerprint, request=item) for item in items]
        answers: dict[str, Score] = {}
        missing: dict[str, ScoreItem] = {}
        for key, item in zip(keys, items, strict=True):
            if key in answers or key in missing:
                continue
            stored = self._ledger.get(key)
            if stored is None:
                missing[key] = item
            else:
                answers[key] = _read(stored, self._ledger)
        self._ledger.count(self.stage, "hits", n=len(items) - len(missing))
        if missing:
            answers |= await self._pay(missing)
        return [answers[key] for key in keys]

    async def _pay(self, missing: dict[str, ScoreItem]) -> dict[str, Score]:
        started = time.monotonic()
        try:
            scores = await self._scorer.score(list(missing.values()))
        except ModelError:
            self._ledger.count(self.stage, "errors")
            raise
        each_s = (time.monotonic() - started) / len(missing)
        answers = {}
        for (key, item), score in zip(missing.items(), scores, strict=True):
            paid = Paid(
                stage=self.stage,
                fingerprint=self.fingerprint,
                request=canonical(item.model_dump(mode="json")),
                answer=canonical(score.model_dump(mode="json")),
                prompt_tokens=score.tokens,
                seconds=each_s,
            )
            answers[key] = _read(self._ledger.put(key, paid), self._ledger)
        return answers


def _read(text: str, ledger: Ledger) -> Score:
    try:
        return Score.model_validate_json(text)
    except ValidationError as e:
        raise StoreError(f"{ledger.path} holds a damaged Score; move the file away and run again") from e
