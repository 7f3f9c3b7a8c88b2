"""Samples as token ids, through the tokenizer of the model that will be trained. What does not fit is counted."""

from collections.abc import Sequence
from pathlib import Path

from her.renderers.tokens import Encoded, Target, TooLong, encode


def encode_all(samples: Sequence[Target], base: Path, *, max_tokens: int) -> tuple[list[Encoded], list[TooLong]]:
    """Encode samples for the model in `base`, a Hugging Face folder."""
    from her.train.engine import load_tokenizer

    tokenizer = load_tokenizer(base)
    found = [encode(s, tokenizer, max_tokens=max_tokens) for s in samples]
    return [f for f in found if isinstance(f, Encoded)], [f for f in found if isinstance(f, TooLong)]
