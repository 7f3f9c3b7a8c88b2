"""Checkpoints that survive a kill: one counts only when a marker, written last, says that it is whole and whose it is.

Owns the marker and the choice of checkpoint. What is inside is the engine's business.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from her.store import canonical, sha256_text, write_text

_MARKER = "her-checkpoint.json"


def fingerprint(*facts: object) -> str:
    """Settings, data and model of a run. A checkpoint of other facts is not continued."""
    return sha256_text(canonical(list(facts)))


def mark_whole(checkpoint: Path, run: str) -> None:
    """Call when everything in `checkpoint` is on disk."""
    for file in checkpoint.iterdir():
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    write_text(checkpoint / _MARKER, canonical({"run": run}) + "\n")


def last_whole(folder: Path, run: str) -> Path | None:
    """The newest whole checkpoint of this run. Half-written ones and those of other runs are removed."""
    whole: list[tuple[int, Path]] = []
    for path in folder.glob("checkpoint-*"):
        number = path.name.removeprefix("checkpoint-")
        if number.isdigit() and _run_of(path) == run:
            whole.append((int(number), path))
        elif path.is_dir():
            shutil.rmtree(path)
    return max(whole)[1] if whole else None


def _run_of(path: Path) -> str | None:
    try:
        found = json.loads((path / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found.get("run") if isinstance(found, dict) else None


@contextlib.contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of `target` where the block ends without an error, and vanishes with one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    work.chmod(0o755)
    try:
        yield work
        replace_folder(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in place of an old one. There is a moment without either, never one with half of one."""
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=".old-"))
    if target.exists():
        os.replace(target, old / target.name)
    os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)
