"""Files between stages: JSONL in, JSONL out, each written whole or not at all.

Owns atomic writes, line-precise reads and hashes. Knows nothing of what the records mean. Stages and their manifests
are in `her.stage`.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from her.errors import InputError, StoreError

R = TypeVar("R", bound=BaseModel)


def canonical(value: object) -> str:
    """JSON with sorted keys and no spare space: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def sha256_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256_file(path: Path) -> str:
    """Hash of a file's bytes, or of every file below a folder with its relative name."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file is not path:
            digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename, fsync of the folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror or e}; free space or rights, then run it again") from e


def write_json(path: Path, value: object) -> None:
    """Write one JSON document, readable and with sorted keys."""
    write_text(path, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def write_jsonl(path: Path, records: Iterable[BaseModel]) -> int:
    """Write records, one canonical line each; returns how many."""
    lines = [canonical(r.model_dump(mode="json")) for r in records]
    write_text(path, "".join(f"{line}\n" for line in lines))
    return len(lines)


def read_text(path: Path) -> str:
    """Read a UTF-8 text the user named. Refuses a missing, empty or binary file."""
    if not path.exists():
        raise InputError(f"no such file: {path}; check the path")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file")
    data = path.read_bytes()
    if not data.strip():
        raise InputError(f"{path} is empty; give it some text")
    if b"\0" in data:
        raise InputError(f"{path} is binary, not text; convert it to UTF-8 text first")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as e:
        raise InputError(f"{path} is not UTF-8 (byte {e.start}); convert it to UTF-8 first") from e


def read_json(path: Path) -> object:
    """Read one JSON document that the user or a stage wrote."""
    try:
        return json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as e:
        raise InputError(f"{path} is not JSON: {e}; repair or remove it") from e


def read_jsonl(path: Path, kind: type[R]) -> list[R]:
    """Read records written by `write_jsonl`. An empty file is an empty list; a bad line names its number."""
    if not path.is_file():
        raise StoreError(f"{path} is missing; run the stage that writes it")
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(kind.model_validate_json(line))
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(str(p) for p in first["loc"])
            message = f"{path}:{number}: not a {kind.__name__}: {first['msg']} at {where!r}"
            raise StoreError(f"{message}; delete the stage's folder to rebuild it") from e
    return records
