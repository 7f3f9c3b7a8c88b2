"""Files between stages: JSONL in, JSONL out, each written whole or not at all.

Owns atomic writes, line-precise reads, streams of either and hashes. Knows nothing of what the records mean. Stages and
their manifests are in `her.stage`.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeVar

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
    with Together() as files:
        files.open(path).write_text(text)


def write_json(path: Path, value: object) -> None:
    """Write one JSON document, readable and with sorted keys."""
    write_text(path, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def write_jsonl(path: Path, records: Iterable[BaseModel]) -> int:
    """Write records, one canonical line each, as they come; returns how many."""
    with Together() as files:
        file = files.open(path)
        for record in records:
            file.write(record)
    return file.count


class Growing:
    """A file that is being written under another name; see `Together`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        """Records written so far."""
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, self._temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            self._file = os.fdopen(handle, "wb")
        self.digest = hashlib.sha256()

    def write(self, record: BaseModel) -> None:
        """One record on one canonical line."""
        self.write_json(record.model_dump(mode="json"))

    def write_json(self, value: object) -> None:
        """One JSON value on one canonical line."""
        self.write_text(f"{canonical(value)}\n")
        self.count += 1

    def write_text(self, text: str) -> None:
        self.write_bytes(text.encode())

    def write_bytes(self, data: bytes) -> None:
        self.digest.update(data)
        with _writing(self.path):
            self._file.write(data)

    def finish(self) -> None:
        """Everything is on the disk, still under the temporary name."""
        with _writing(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.chmod(self._temporary, 0o644)

    def appear(self) -> None:
        with _writing(self.path):
            os.replace(self._temporary, self.path)

    def discard(self) -> None:
        # Closing may want to write once more to a full disk; what is thrown away need not arrive.
        with suppress(OSError):
            self._file.close()
        Path(self._temporary).unlink(missing_ok=True)


class Together:
    """Files that appear together: all are written aside and take their names, in the order in which they were opened,
    only where the block ends without an error. An error leaves what was there before."""

    def __init__(self) -> None:
        self._files: list[Growing] = []

    def __enter__(self) -> "Together":
        return self

    def open(self, path: Path) -> Growing:
        file = Growing(path)
        self._files.append(file)
        return file

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        waiting = list(self._files)
        try:
            if kind is None:
                for file in waiting:
                    file.finish()
                while waiting:
                    waiting[0].appear()
                    waiting.pop(0)
                for folder in sorted({file.path.parent for file in self._files}):
                    _settle(folder)
        finally:
            for file in waiting:
                file.discard()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """An OSError while writing `path` becomes a StoreError that says so."""
    try:
        yield
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror or e}; free space or rights, then run it again") from e


def _settle(folder: Path) -> None:
    """The folder's new names are on the disk."""
    with _writing(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
    try:
        return [record_of(line, kind, path) for line in lines(path)]
    except InputError as e:
        raise StoreError(f"{e}; delete the stage's folder to rebuild it") from e


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file, as bytes without its end."""

    number: int
    """From 1."""
    offset: int
    """Where it begins, in bytes."""
    data: bytes


def lines(path: Path) -> Iterator[Line]:
    """The lines of a file that hold something, one at a time. Only a line feed ends a line."""
    offset = 0
    with open_file(path) as file:
        for number, data in enumerate(file, start=1):
            if data.strip():
                yield Line(number=number, offset=offset, data=data.rstrip(b"\r\n"))
            offset += len(data)


def open_file(path: Path) -> BinaryIO:
    """A file that the user named, for reading. Refuses what is missing, a folder, or not to be read."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file")
    try:
        return path.open("rb")
    except FileNotFoundError as e:
        raise InputError(f"no such file: {path}; check the path") from e
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror or e}; check its rights") from e


def line_at(file: BinaryIO, offset: int) -> bytes:
    """The line that begins at `offset` of an open file."""
    file.seek(offset)
    return file.readline().rstrip(b"\r\n")


def record_of(line: Line, kind: type[R], path: Path) -> R:
    """The record on a line. An InputError names file, line and field."""
    try:
        return kind.model_validate_json(line.data)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise InputError(f"{path}:{line.number}: not a {kind.__name__}: {first['msg']} at {where!r}") from e


def stream_jsonl(path: Path, kind: type[R]) -> Iterator[R]:
    """Records of a file that the user named, one at a time: memory does not grow with the file."""
    for line in lines(path):
        yield record_of(line, kind, path)
