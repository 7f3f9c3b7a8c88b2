"""GgufFile: the metadata and tensors of a GGUF file, read in one pass.

Owns the container's layout and nothing of what the keys mean. `gguf.GGUFReader` makes three numpy views for every word
of the vocabulary (seconds to tens of seconds); this reader unpacks it straight from the mapped bytes. Layout: the GGUF
specification, versions 2 and 3, little-endian.
"""

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from her.errors import InputError

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufTensor:
    """One entry of the tensor table. `shape` is in torch's order; `offset` counts from the start of the file."""

    name: str
    shape: tuple[int, ...]
    ggml_type: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFile:
    """What a GGUF file says of itself."""

    path: Path
    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", "unknown"))


class _Cursor:
    """A position in mapped bytes."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.position = 0

    def number(self, layout: str) -> Any:
        (value,) = struct.unpack_from(layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return value

    def string(self) -> str:
        length = self.number("<Q")
        raw = self.data[self.position : self.position + length]
        if len(raw) < length:
            raise struct.error("a string runs past the end of the file")
        self.position += length
        return raw.decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, count = self.number("<I"), self.number("<Q")
            if layout := _SCALARS.get(inner):
                many = f"<{count}{layout[1]}"
                values = list(struct.unpack_from(many, self.data, self.position))
                self.position += struct.calcsize(many)
                return values
            one: Callable[[], Any] = self.string if inner == _STRING else lambda: self.value(inner)
            return [one() for _ in range(count)]
        if kind not in _SCALARS:
            raise struct.error(f"unknown value type {kind}")
        return self.number(_SCALARS[kind])


def read_gguf(path: Path) -> GgufFile:
    """Read metadata and tensor table. Refuses what is not a whole GGUF file."""
    if not path.is_file() or path.stat().st_size < 24:
        raise InputError(f"{path} is missing or too short for a GGUF file; fetch the model again")
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            raise InputError(f"{path} is not a GGUF file; name the model's .gguf file")
        cursor = _Cursor(data)
        cursor.position = 4
        try:
            version, tensor_count, key_count = cursor.number("<I"), cursor.number("<Q"), cursor.number("<Q")
            if version not in (2, 3):
                raise InputError(f"{path} is GGUF version {version}, not 2 or 3; convert it with llama.cpp first")
            metadata: dict[str, Any] = {}
            for _ in range(key_count):
                key = cursor.string()
                metadata[key] = cursor.value(cursor.number("<I"))
            entries = []
            for _ in range(tensor_count):
                name, rank = cursor.string(), cursor.number("<I")
                shape = tuple(reversed([cursor.number("<Q") for _ in range(rank)]))
                entries.append((name, shape, cursor.number("<I"), cursor.number("<Q")))
        except (struct.error, MemoryError, OverflowError) as e:
            raise InputError(f"{path} is cut short or damaged ({e}); fetch the model again") from e
        alignment = int(metadata.get("general.alignment", 32))
        start = -(-cursor.position // alignment) * alignment
        tensors = {n: GgufTensor(name=n, shape=s, ggml_type=t, offset=start + o) for n, s, t, o in entries}
    return GgufFile(path=path, metadata=metadata, tensors=tensors)
