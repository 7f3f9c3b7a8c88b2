"""Files are whole or absent, and a bad line names its number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from her.config import load_toml
from her.errors import ConfigError, InputError, StoreError
from her.schema import Message, Record
from her.store import (
    Together,
    line_at,
    lines,
    read_jsonl,
    read_text,
    sha256_file,
    stream_jsonl,
    write_jsonl,
    write_text,
)


def test_records_survive_the_file(tmp_path: Path) -> None:
    records = [Message(role="user", content='a\u2028b\n"c"'), Message(role="assistant", content="夜")]
    assert write_jsonl(tmp_path / "m.jsonl", records) == 2
    assert read_jsonl(tmp_path / "m.jsonl", Message) == records
    first = sha256_file(tmp_path / "m.jsonl")
    write_jsonl(tmp_path / "m.jsonl", records)
    assert sha256_file(tmp_path / "m.jsonl") == first


def test_a_bad_line_names_its_number(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"role":"user","content":"x"}\n{"role":"user","cont\n')
    with pytest.raises(StoreError, match=r"m\.jsonl:2: not a Message"):
        read_jsonl(path, Message)


def test_a_stream_names_its_line_and_finds_it_again(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes('{"role":"user","content":"夜\u2028"}\r\n\n{"role":"user","content":"b"}\n{"role":"x"}'.encode())
    found = list(lines(path))
    assert [line.number for line in found] == [1, 3, 4]
    with path.open("rb") as file:
        assert [line_at(file, line.offset) for line in found] == [line.data for line in found]
    stream = stream_jsonl(path, Message)
    assert [next(stream).content, next(stream).content] == ["夜\u2028", "b"]
    with pytest.raises(InputError, match=r"m\.jsonl:4: not a Message: .* at 'role'"):
        next(stream)


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    def half(files: Together) -> None:
        files.open(tmp_path / "a.txt").write_text("new")
        files.open(tmp_path / "b" / "c.jsonl").write(Message(role="user", content="x"))
        raise KeyError

    with pytest.raises(KeyError), Together() as files:
        half(files)
    assert [p.name for p in sorted(tmp_path.rglob("*"))] == ["a.txt", "b"]
    assert (tmp_path / "a.txt").read_text() == "old"
    with Together() as files:
        one, two = files.open(tmp_path / "a.txt"), files.open(tmp_path / "b" / "c.jsonl")
        one.write_text("new")
        two.write(Message(role="user", content="x"))
    assert (one.count, two.count) == (0, 1)
    assert two.digest.hexdigest() == sha256_file(tmp_path / "b" / "c.jsonl")


@pytest.mark.parametrize(
    ("data", "says"), [(b"", "empty"), (b"\x00\x01", "binary"), (b"caf\xe9 au lait", "not UTF-8"), (None, "no such")]
)
def test_unusable_text_is_refused(tmp_path: Path, data: bytes | None, says: str) -> None:
    path = tmp_path / "book.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=says):
        read_text(path)


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A write that the system refuses (file size limit, as a full disk would) is an error and changes nothing."""
    path = tmp_path / "a.txt"
    write_text(path, "old")
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from her.errors import StoreError\n"
        "from her.store import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_text(Path(sys.argv[1]), 'x' * 100_000)\n"
        "except StoreError as e: print(e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


class Inner(Record):
    learning_rate: float = 1.0


class Outer(Record):
    sft: Inner = Inner()


def test_a_wrong_key_names_its_neighbour(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[sft]\nlearning_rat = 2.0\n")
    with pytest.raises(ConfigError, match=r"unknown key 'sft\.learning_rat'; did you mean 'learning_rate'"):
        load_toml(path, Outer)
    path.write_text("[sft\n")
    with pytest.raises(ConfigError, match="not TOML"):
        load_toml(path, Outer)
