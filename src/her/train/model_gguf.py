"""A Hugging Face folder as one GGUF file that llama.cpp loads: the way back of `her.llm.engines.weights`.

Owns names, metadata, the order of q and k rows (architecture llama) and the tokenizer's keys. Numbers stay as precise
as they are in the folder; making them smaller is llama.cpp's `llama-quantize`. Refuses by name what it cannot write so
that llama.cpp reads the same: other architectures, stretched rotary embeddings, tokenizers that split text otherwise.
Layout: llama.cpp's `convert_hf_to_gguf.py`, whose results are compared through its server (tests).
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from her.errors import TrainError

_ARCHITECTURES = ("llama", "qwen2", "qwen3")
_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_LAYER = re.compile(r"model\.layers\.(\d+)\.([\w.]+)")
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLITS = {_WORDS.format(digits=""): "qwen2", _WORDS.format(digits="{1,3}"): "llama-bpe"}
_NORMAL, _CONTROL, _USER = 1, 3, 4
"""Token types of llama.cpp."""


def write_gguf(folder: Path, out: Path) -> None:
    """Write `out`, whole or not at all."""
    from gguf import GGUFWriter

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    arch = config["model_type"]
    if arch not in _ARCHITECTURES:
        raise TrainError(
            f"{folder}: no GGUF for architecture {arch!r}, only for {', '.join(_ARCHITECTURES)}; "
            "use llama.cpp's own convert_hf_to_gguf.py on the folder"
        )
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    os.close(handle)
    try:
        writer: Any = GGUFWriter(temporary, arch)
        _architecture(writer, config, folder)
        _tokenizer(writer, folder, size=int(config["vocab_size"]))
        for name, weight in _tensors(folder, config):
            writer.add_tensor(name, *weight)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.chmod(temporary, 0o644)
        os.replace(temporary, out)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _architecture(writer: Any, config: dict[str, Any], folder: Path) -> None:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if (kind := rope.get("rope_type") or rope.get("type") or "default") != "default":
        raise TrainError(f"{folder}: rotary embeddings of type {kind!r} have no place here; use llama.cpp's converter")
    heads = int(config["num_attention_heads"])
    width = int(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _tokenizer(writer: Any, folder: Path, *, size: int) -> None:
    from transformers import AutoTokenizer

    found = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if found["model"]["type"] != "BPE" or found.get("normalizer") not in (None, {"type": "NFC"}):
        raise TrainError(f"{folder}: its tokenizer is not byte-level BPE; use llama.cpp's converter")
    added = {t["id"]: t for t in found["added_tokens"]}
    vocabulary = {**found["model"]["vocab"], **{t["content"]: i for i, t in added.items()}}
    by_id = {i: token for token, i in vocabulary.items()}
    if max(by_id) >= size:
        raise TrainError(f"{folder}: {max(by_id) + 1} tokens, but {size} rows of weights; the folder is damaged")
    # Weights may have more rows than there are tokens.
    kinds = [
        (_CONTROL if added[i]["special"] else _USER) if i in added else _NORMAL if i in by_id else _USER
        for i in range(size)
    ]
    merges = found["model"]["merges"]
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_splitting(found["pre_tokenizer"], folder))
    writer.add_token_list([by_id.get(i, f"[PAD{i}]") for i in range(size)])
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.pad_token_id is not None:
        writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)  # chat templates write it where it belongs
    writer.add_chat_template(tokenizer.chat_template)


def _splitting(pre: dict[str, Any], folder: Path) -> str:
    """llama.cpp's name for how text is cut before merges are applied."""
    steps = pre["pretokenizers"] if pre["type"] == "Sequence" else [pre]
    kinds = [s["type"] for s in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True):
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits"):
        return "smollm"
    if kinds == ["Split", "ByteLevel"] and (name := _SPLITS.get(steps[0]["pattern"].get("Regex", ""))):
        return name
    raise TrainError(f"{folder}: its tokenizer cuts text in a way not known here; use llama.cpp's converter")


def _tensors(folder: Path, config: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """GGUF names and what `add_tensor` takes: the array, for bf16 its bytes with their shape and type."""
    import torch
    from gguf import GGMLQuantizationType
    from safetensors import safe_open

    heads = int(config["num_attention_heads"])
    rows = {"attn_q": heads, "attn_k": int(config.get("num_key_value_heads") or heads)}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), framework="pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118 (not a mapping)
                name = _place(key, folder)
                if name == "output.weight" and config.get("tie_word_embeddings"):
                    continue
                weight = tensors.get_tensor(key)
                part = name.split(".")[-2]
                if config["model_type"] == "llama" and part in rows:
                    n = rows[part]
                    weight = weight.reshape(n, 2, -1, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
                if weight.dim() == 1:  # norms and biases: few, and llama.cpp wants them whole
                    weight = weight.float()
                if weight.dtype == torch.bfloat16:
                    raw = weight.contiguous().view(torch.int16).numpy().view("uint8")
                    yield name, (raw, None, GGMLQuantizationType.BF16)
                else:
                    yield name, (weight.contiguous().numpy(),)


def _place(key: str, folder: Path) -> str:
    stem, _, suffix = key.rpartition(".")
    if stem in _TOP:
        return f"{_TOP[stem]}.{suffix}"
    found = _LAYER.fullmatch(stem)
    if found is None or found[2] not in _PARTS:
        raise TrainError(f"{folder}: tensor {key!r} has no place in a GGUF file; use llama.cpp's converter")
    return f"blk.{found[1]}.{_PARTS[found[2]]}.{suffix}"
