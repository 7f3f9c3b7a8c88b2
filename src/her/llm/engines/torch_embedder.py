"""Mean hidden states of local weights as vectors: for sentence encoders, and for chat models where there is no better.

One text at a time: in a batch a matrix product rounds otherwise, and a vector would depend on its neighbours. torch is
imported when an embedder is opened.
"""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from her.errors import ModelError
from her.llm.embedding import Embedded, Unembedded
from her.llm.engines.torch import quietly


class TorchEmbedder:
    """`local:` and `hf:` embedders, in fp32."""

    def __init__(self, name: str, *, fingerprint: str, folder: Path) -> None:
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as e:
            raise ModelError("embedding needs torch; install it with: pip install 'her[train]'") from e
        self.name = name
        self.fingerprint = fingerprint
        self._lock = threading.Lock()
        try:
            with quietly():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
                self._model: Any = AutoModel.from_pretrained(folder, trust_remote_code=False).float().eval()
        except (OSError, ValueError) as e:
            first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
            raise ModelError(f"cannot load {folder}: {first}; is it a Hugging Face model folder or id?") from e

    async def embed(self, texts: Sequence[str]) -> list[Embedded | Unembedded]:
        """One outcome per text, in order."""
        return await asyncio.to_thread(lambda: [self._one(text) for text in texts])

    def _one(self, text: str) -> Embedded | Unembedded:
        import torch

        if not text.strip():
            return Unembedded(reason="empty")
        read = self._tokenizer(text, return_tensors="pt")
        limit = getattr(self._model.config, "max_position_embeddings", None)
        if limit is not None and read["input_ids"].shape[1] > limit:
            return Unembedded(reason="too_long")
        with self._lock, torch.inference_mode():
            mean_D = self._model(**read).last_hidden_state[0].double().mean(dim=0)
        if not bool(torch.isfinite(mean_D).all()):
            return Unembedded(reason="not_finite")
        return Embedded(values=tuple(mean_D.tolist()))
