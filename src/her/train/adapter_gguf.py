"""A PEFT LoRA adapter as a GGUF file that llama.cpp loads beside its base.

Owns the names, the scale and llama.cpp's order of q and k rows (architecture llama only). Knows nothing of training.
Layout: llama.cpp's adapter GGUF (`general.type` adapter, `adapter.type` lora), as its converter writes it.
"""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from her.errors import TrainError

_MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "smollm3": "smollm3"}
_KEY = re.compile(r".*layers\.(\d+)\.([\w.]+)\.lora_([AB])\.(?:default\.)?weight")


def exportable(base: Path) -> bool:
    """Does llama.cpp know this architecture's adapters by the names used here?"""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return config["model_type"] in _ARCHITECTURES


def export_adapter(peft_dir: Path, out_gguf: Path, *, base: Path) -> None:
    """Write `out_gguf`, whole or not at all."""
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    lora = json.loads((peft_dir / "adapter_config.json").read_text(encoding="utf-8"))
    arch = _ARCHITECTURES.get(config["model_type"])
    if arch is None:
        raise TrainError(f"{base}: no GGUF adapter for architecture {config['model_type']!r}; use its PEFT folder")
    if lora.get("use_dora") or lora.get("use_rslora") or lora.get("rank_pattern") or lora.get("alpha_pattern"):
        raise TrainError(f"{peft_dir}: only plain LoRA of one rank fits a GGUF adapter; train without variants")
    handle, temporary = tempfile.mkstemp(dir=out_gguf.parent, prefix=f".{out_gguf.name}.")
    os.close(handle)
    try:
        writer: Any = GGUFWriter(temporary, arch)
        writer.add_string("general.type", "adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(lora["lora_alpha"]))
        for key, weight in sorted(load_file(peft_dir / "adapter_model.safetensors").items()):
            name, rows = _place(key, config)
            if rows and name.endswith("lora_b"):
                weight = _permute(weight, rows)
            writer.add_tensor(name, weight.astype("float32"))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.chmod(temporary, 0o644)
        os.replace(temporary, out_gguf)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _place(key: str, config: dict[str, Any]) -> tuple[str, int | None]:
    """GGUF name of a LoRA matrix, and the number of heads if its rows must be reordered."""
    found = _KEY.fullmatch(key)
    if found is None or found[2] not in _MODULES:
        raise TrainError(f"adapter tensor {key!r} has no place in a GGUF adapter; train projections only")
    heads = None
    if config["model_type"] in ("llama", "smollm3") and found[2] == "self_attn.q_proj":
        heads = int(config["num_attention_heads"])
    elif config["model_type"] in ("llama", "smollm3") and found[2] == "self_attn.k_proj":
        heads = int(config.get("num_key_value_heads") or config["num_attention_heads"])
    return f"blk.{found[1]}.{_MODULES[found[2]]}.weight.lora_{found[3].lower()}", heads


def _permute(weight: Any, heads: int) -> Any:
    """Rows from the two-halves order of rotary embeddings to llama.cpp's interleaved one."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    )
