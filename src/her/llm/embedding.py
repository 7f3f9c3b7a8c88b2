"""Embedder: a model that turns a text into a vector, and the names of those that run here.

Owns the protocol and what a name means. A text that cannot be embedded is an outcome with a reason, never a vector of
zeros: zeros are at the same distance from everything and would pass for a meaning.
"""

from collections.abc import Sequence
from typing import Protocol

from her.errors import ModelNameError
from her.llm.names import fingerprint, split_name, weights
from her.schema import Record

FORMS = "local:NAME  hf:ID_OR_PATH"


class Embedded(Record):
    """A vector as the model gave it: neither centred nor of length 1."""

    values: tuple[float, ...]


class Unembedded(Record):
    """A text that has no vector here."""

    reason: str
    """empty, too_long, not_finite, zero."""


class Embedder(Protocol):
    """Turns texts into vectors of one length. What a text becomes does not depend on the texts beside it."""

    name: str
    fingerprint: str

    async def embed(self, texts: Sequence[str]) -> list[Embedded | Unembedded]:
        """One outcome per text, in order."""
        ...


def open_embedder(name: str) -> Embedder:
    """A model's mean hidden state as an embedder. Sentence encoders (`hf:`) are made for this; a chat model is not."""
    kind, rest = split_name(name)
    if kind not in ("local", "hf"):
        raise ModelNameError(f"{name} cannot embed here; an embedder is one of: {FORMS}")
    from her.llm.engines.torch_embedder import TorchEmbedder

    source = weights(name) if kind == "local" else weights(f"hf:{rest}")
    return TorchEmbedder(name, fingerprint=f"mean-hidden-1:{fingerprint(name)}", folder=source)
