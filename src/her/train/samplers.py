"""Sampler: who writes the replies that reinforcement learning rewards.

Owns the choice and what of it TRL is told. `own` is `rollout.py`: a group shares its prompt, has its own seed, and it
runs anywhere. vLLM (TRL's `use_vllm`) writes faster on GPUs; its random numbers are not ours, so a resumed run meets
other replies, and TRL corrects for the difference between its probabilities and the trainer's.
"""

import importlib.util
from typing import Any, Literal

from pydantic import Field, model_validator

from her.errors import TrainError
from her.schema import Record


class Sampler(Record):
    """`[policy.sampler]` of a recipe."""

    engine: Literal["own", "vllm", "sglang"] = "own"
    url: str | None = None
    """Of a vLLM server that TRL can put weights into; None: vLLM lives in the training process (colocate)."""
    gpu_memory: float = Field(default=0.3, gt=0, lt=1)
    """Share of each GPU that a colocated vLLM may take."""
    tensor_parallel: int = Field(default=1, gt=0)
    """GPUs over which a colocated vLLM spreads the model."""

    @model_validator(mode="after")
    def _url_is_used(self) -> "Sampler":
        if self.url is not None and self.engine != "vllm":
            raise ValueError(f"a url is for engine = 'vllm'; {self.engine!r} asks no server")
        return self


def check_sampler(sampler: Sampler) -> None:
    """Raise TrainError for one that cannot write here, before anything is spent."""
    if sampler.engine == "sglang":
        raise TrainError(
            "TRL 1.16 cannot sample with SGLang; `her export verl` hands the same prompts and rewards to verl, whose "
            "launch.sh takes actor_rollout_ref.rollout.name=sglang, or set policy.sampler.engine to 'own' or 'vllm'"
        )
    if sampler.engine == "vllm" and importlib.util.find_spec("vllm") is None:
        raise TrainError(
            "policy.sampler.engine = 'vllm', but vLLM is not installed here; install it with pip install 'trl[vllm]' "
            "(GPUs only), or set 'own'"
        )


def vllm_settings(sampler: Sampler, *, tokens: int) -> dict[str, Any]:
    """What TRL's GRPOConfig is told; nothing where vLLM has no part. `tokens`: of the longest prompt and reply."""
    if sampler.engine != "vllm":
        return {}
    if sampler.url is not None:
        return {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": sampler.url}
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": sampler.gpu_memory,
        "vllm_tensor_parallel_size": sampler.tensor_parallel,
        "vllm_max_model_length": tokens,
    }
