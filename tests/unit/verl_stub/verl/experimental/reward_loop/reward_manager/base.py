"""The base class, as far as a manager leans on it."""

from typing import Any


class RewardManagerBase:
    def __init__(self, config: Any, tokenizer: Any, compute_score: Any) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.compute_score = compute_score
