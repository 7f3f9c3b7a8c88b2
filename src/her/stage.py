"""Stage and run folder: work that is done once, can be killed at any moment, and says what it was made of.

A stage is a folder `runs/NAME/STAGE/`. While it is being made it holds `key.json` (what it is made from) beside partial
work; `manifest.json` is written last and marks it complete. Same key and intact outputs: the stage is skipped. Same key
and no manifest: the work goes on from its own checkpoints. Another key: the folder is cleared first.
Knows nothing of what the stages do.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from types import TracebackType

from pydantic import Field, ValidationError

import her
from her.errors import StoreError
from her.schema import Record
from her.store import canonical, read_json, sha256_file, sha256_text, write_json

RUN_FORMAT = 1
"""Raised whenever an older run folder can no longer be read."""

Progress = Callable[[int, int, str], None]
"""`progress(done, total, note)`: how far a stage has come. `note` never holds hidden thoughts."""


class StageKey(Record):
    """What a stage is made from. Equal keys mean equal work."""

    stage: str
    inputs: dict[str, str]
    """Name to sha256 of every file read."""
    settings: str
    """The stage's resolved settings as canonical JSON."""
    code: dict[str, str]
    """Room to sha256 of its source and prompts."""
    models: dict[str, str]
    """Role to fingerprint."""


class Outcome(Record):
    """What a stage's work reports. `outputs` are file names relative to the stage's folder."""

    outputs: tuple[str, ...]
    kept: int
    rejected: dict[str, int] = Field(default_factory=dict)
    """Reason to count."""


class Manifest(Record):
    """A finished stage, without clocks: the same inputs give the same bytes."""

    her_version: str
    key: StageKey
    outputs: dict[str, str]
    """File name to sha256."""
    kept: int
    rejected: dict[str, int]


class Clock(Record):
    """How a stage went, apart from what it made."""

    seconds: float
    """Wall time of the attempt that finished."""
    attempts: int
    """1: never interrupted."""


class Finished(Record):
    """A stage's manifest and clock; `skipped` says that this run found it complete."""

    manifest: Manifest
    clock: Clock
    skipped: bool


def code_hash(*rooms: str) -> dict[str, str]:
    """sha256 of the source and prompts of each room (folder or module of `her`)."""
    root = Path(str(resources.files("her")))
    hashes = {}
    for room in rooms:
        path = root / room
        files = sorted(p for p in path.rglob("*") if p.suffix in {".py", ".txt", ".toml", ".json", ".jsonl"})
        if not path.is_dir():
            files = [path.with_suffix(".py")]
        hashes[room] = sha256_text(canonical([[p.relative_to(root).as_posix(), sha256_file(p)] for p in files]))
    return hashes


class RunFolder:
    """`runs/NAME`: one process at a time, one format."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock: int | None = None

    def __enter__(self) -> "RunFolder":
        marker = self.root / "run.json"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            foreign = not marker.exists() and any(p.name != ".lock" for p in self.root.iterdir())
            if foreign:
                raise StoreError(f"{self.root} is not a run folder and not empty; choose another --out")
            self._lock = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as e:
            if isinstance(e, StoreError):
                raise
            raise StoreError(f"cannot use {self.root}: {e.strerror}; choose another --out or free space") from e
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            os.close(self._lock)
            self._lock = None
            raise StoreError(f"{self.root} is in use by another process; wait for it or choose another --out") from e
        if marker.exists():
            check_run(self.root)
        else:
            write_json(marker, {"format": RUN_FORMAT, "her_version": her.__version__})
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def run(self, key: StageKey, work: Callable[[Path], Outcome]) -> Finished:
        """Do the work of a stage, unless its manifest says that it is done. `work` gets the stage's folder."""
        folder = self.root / key.stage
        done = finished(folder)
        if done is not None and done.manifest.key == key and _intact(folder, done.manifest):
            return done
        attempts = 1
        if (folder / "key.json").exists() and done is None:
            previous = read_json(folder / "key.json")
            if isinstance(previous, dict) and previous.get("key") == key.model_dump(mode="json"):
                attempts = int(previous["attempts"]) + 1
        if attempts == 1:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "key.json", {"key": key.model_dump(mode="json"), "attempts": attempts})
        start = time.monotonic()
        outcome = work(folder)
        clock = Clock(seconds=round(time.monotonic() - start, 1), attempts=attempts)
        manifest = Manifest(
            her_version=her.__version__,
            key=key,
            outputs={name: sha256_file(folder / name) for name in sorted(outcome.outputs)},
            kept=outcome.kept,
            rejected=dict(sorted(outcome.rejected.items())),
        )
        write_json(folder / "clock.json", clock.model_dump(mode="json"))
        write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
        return Finished(manifest=manifest, clock=clock, skipped=False)


def check_run(root: Path) -> None:
    """Refuse a folder that another version of the package wrote."""
    marker = root / "run.json"
    if not marker.is_file():
        raise StoreError(f"{root} is not a run folder (no run.json); make one with `her run --out {root}`")
    found = read_json(marker)
    version = found.get("format") if isinstance(found, dict) else None
    if version != RUN_FORMAT:
        raise StoreError(
            f"{root} was written in run format {version!r}, this is format {RUN_FORMAT}; use another --out, "
            "or the version of her that made it"
        )


def finished(folder: Path) -> Finished | None:
    """The finished stage in a folder; None while it is not finished or its manifest cannot be read."""
    try:
        manifest = Manifest.model_validate(read_json(folder / "manifest.json"))
        clock = Clock.model_validate(read_json(folder / "clock.json"))
    except (ValidationError, ValueError, OSError):
        return None
    return Finished(manifest=manifest, clock=clock, skipped=True)


def _intact(folder: Path, manifest: Manifest) -> bool:
    return all((folder / n).exists() and sha256_file(folder / n) == sha for n, sha in manifest.outputs.items())


def stage_key(
    stage: str, *, inputs: Mapping[str, Path], settings: Record, rooms: tuple[str, ...], models: Mapping[str, str]
) -> StageKey:
    """Hash what a stage is about to read."""
    return StageKey(
        stage=stage,
        inputs={name: sha256_file(path) for name, path in sorted(inputs.items())},
        settings=canonical(settings.model_dump(mode="json")),
        code=code_hash(*rooms),
        models=dict(sorted(models.items())),
    )
