"""The space in which principles are compared: vectors of length 1, measured from where principles usually are.

All principles speak of replies and characters, so their vectors lie close together, those of a language model's hidden
states closest of all. The mean of the shipped pack is taken off first: a fixed point, so that a vector does not depend
on the pool it is in. A text without a vector is a counted outcome. Knows nothing of teachers.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her.errors import VerdictError
from her.llm.embedding import Embedded, Embedder, Unembedded, open_embedder
from her.renderers.overlap import words
from her.reward.pack import load_pack
from her.schema import Principle

NGRAMS = "ngrams"
"""The embedder without weights: it knows spelling and no meaning."""
_BUCKETS = 4096
_SIZES = (3, 4, 5)
_SHORTEST = 1e-6
"""A vector that is this short once the mean is taken off points nowhere: what is left of it is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Unit vectors of the texts that have one, and the reasons of those that do not."""

    vectors_ND: NDArray[np.float64]
    indices: tuple[int, ...]
    """Which text each row is of."""
    unplaced: tuple[tuple[int, str], ...]


class NgramEmbedder:
    """Hashed counts of the 3 to 5 letter pieces of words: tells wordings apart, not meanings. Needs no weights."""

    name = NGRAMS
    fingerprint = f"ngrams-1:{_BUCKETS}:{_SIZES}"

    async def embed(self, texts: Sequence[str]) -> list[Embedded | Unembedded]:
        """One outcome per text, in order."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Embedded | Unembedded:
        counts_D = np.zeros(_BUCKETS)
        for word in words(text):
            padded = f"^{word}$"
            for size in _SIZES:
                for i in range(max(1, len(padded) - size + 1)):
                    code = zlib.crc32(padded[i : i + size].encode("utf-8", "surrogatepass"))
                    counts_D[code % _BUCKETS] += 1 if code & 0x80000000 else -1  # the sign makes collisions cancel
        if not counts_D.any():
            return Unembedded(reason="empty")
        weighed_D = np.sign(counts_D) * np.log1p(np.abs(counts_D))
        return Embedded(values=tuple(float(v) for v in weighed_D / np.linalg.norm(weighed_D)))


def open_space(name: str) -> Embedder:
    """`ngrams`, or the name of a model that embeds."""
    return NgramEmbedder() if name == NGRAMS else open_embedder(name)


def text_of(principle: Principle) -> str:
    """What of a principle is embedded: its rule. Examples would pull the rules of one story together."""
    return f"{principle.name}. {principle.definition}"


async def place(embedder: Embedder, principles: Sequence[Principle]) -> Placed:
    """The principles' places, in order."""
    shipped = load_pack().principles
    outcomes = await embedder.embed([text_of(p) for p in (*shipped, *principles)])
    known = [o.values for o in outcomes[: len(shipped)] if isinstance(o, Embedded)]
    if len(known) < len(shipped):
        missing = len(shipped) - len(known)
        raise VerdictError(f"{embedder.name} cannot embed {missing} shipped principles; choose another embedder")
    middle_D = np.array(known).mean(axis=0)
    rows: list[NDArray[np.float64]] = []
    indices: list[int] = []
    unplaced: list[tuple[int, str]] = []
    for i, outcome in enumerate(outcomes[len(shipped) :]):
        if isinstance(outcome, Unembedded):
            unplaced.append((i, outcome.reason))
            continue
        moved_D = np.array(outcome.values) - middle_D
        length = float(np.linalg.norm(moved_D))
        if not np.isfinite(length) or length < _SHORTEST:
            unplaced.append((i, "not_finite" if not np.isfinite(length) else "zero"))
            continue
        rows.append(moved_D / length)
        indices.append(i)
    vectors_ND = np.array(rows) if rows else np.zeros((0, len(middle_D)))
    return Placed(vectors_ND=vectors_ND, indices=tuple(indices), unplaced=tuple(unplaced))
