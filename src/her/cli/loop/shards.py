"""Shards put together: the runs of all parts of a shelf become the run of the whole shelf.

Owns what a set of shards must be: all parts of one dealing of one shelf, made by this code with the same settings and
models, each finished. Copies what they made and binds it in the order of the shelf with the very function that an
undivided run ends with, under the very key; so the same command without `--shard` finds its work done.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

import her
from her.cli.loop.synth import ROOMS, ShardSettings
from her.cli.loop.volume import DEAL, Dealt, bind
from her.errors import StoreError
from her.llm.ledger_merge import MergedLedger, merge_ledgers
from her.stage import Finished, Manifest, Outcome, RunFolder, StageKey, check_run, code_hash, finished
from her.store import canonical, read_jsonl, sha256_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A finished shard."""

    root: Path
    key: StageKey
    settings: ShardSettings
    deal: tuple[Dealt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedRun:
    """What a merge made."""

    volume: Finished
    ledger: MergedLedger
    books: int


def merge(folders: Sequence[Path], out: Path) -> MergedRun:
    """Make `out` the run of the whole shelf. Raises StoreError, before anything is written, for a shard that is not
    finished, missing, given twice, or of another shelf, dealing, setting, model or version."""
    with ExitStack() as held:
        for folder in folders:
            check_run(folder)
            held.enter_context(RunFolder(folder))  # nobody works in it meanwhile
        parts = sorted((_part(f) for f in folders), key=lambda p: p.settings.shard.number)
        _agree(parts)
        deal = sorted((row for p in parts for row in p.deal), key=lambda row: row.line)
        run = held.enter_context(RunFolder(out))
        ledger = merge_ledgers(out / "ledger.sqlite", [p.root / "ledger.sqlite" for p in parts])
        books = 0
        for part in parts:
            for row in part.deal:
                if row.book is not None:
                    _copy(run, part.root / "books" / row.book)
                    books += 1
        first = parts[0]
        key = first.key.model_copy(update={"settings": canonical(first.settings.synth.model_dump(mode="json"))})
        volume = run.run(key, lambda folder: bind(run.root / "books", folder, deal, shelf=first.settings.shelf))
    return MergedRun(volume=volume, ledger=ledger, books=books)


def _part(root: Path) -> Part:
    done = finished(root / "synth")
    if done is None:
        raise StoreError(f"{root} is not finished: its stage synth has no manifest; run its command again, then merge")
    manifest = done.manifest
    try:
        settings = ShardSettings.model_validate_json(manifest.key.settings)
    except ValidationError as e:
        raise StoreError(
            f"{root} is no shard but a whole run; name the folders of `her synth SHELF --shard K/N`"
        ) from e
    _intact(root / "synth", manifest)
    return Part(root=root, key=manifest.key, settings=settings, deal=tuple(read_jsonl(root / "synth" / DEAL, Dealt)))


def _agree(parts: Sequence[Part]) -> None:
    """Are these all parts of one dealing?"""
    if not parts:
        raise StoreError("no shard to merge; name the folders of `her synth SHELF --shard K/N`")
    first = parts[0]
    for part in parts:
        if (differs := next(_differences(first, part), None)) is not None:
            raise StoreError(
                f"{part.root} does not belong to {first.root}: another {differs}; merge what was dealt once"
            )
    if first.key.code != code_hash(*ROOMS):
        raise StoreError(
            f"{first.root} was made by another version of her (this is {her.__version__}); merge with the one that "
            "made it, or run the shards again with this one: no call is paid again"
        )
    of, numbers = first.settings.shard.of, [p.settings.shard.number for p in parts]
    if twice := sorted({n for n in numbers if numbers.count(n) > 1}):
        where = ", ".join(str(p.root) for p in parts if p.settings.shard.number == twice[0])
        raise StoreError(f"shard {twice[0]}/{of} is given more than once ({where}); name each once")
    if missing := sorted(set(range(1, of + 1)) - set(numbers)):
        raise StoreError(f"of {of} shards these are missing: {', '.join(map(str, missing))}; run them, then merge all")
    owners: dict[str, Part] = {}
    for part in parts:
        for name in (row.book for row in part.deal if row.book is not None):
            if (other := owners.setdefault(name, part)) is not part:
                raise StoreError(
                    f"book {name!r} is in {other.root} and in {part.root}: two lines of {first.settings.shelf} came to "
                    "one name; give each an id of its own"
                )


def _differences(a: Part, b: Part) -> Iterator[str]:
    if a.key.inputs != b.key.inputs or a.settings.shelf != b.settings.shelf:
        yield "shelf"
    if a.settings.shard.of != b.settings.shard.of:
        yield f"dealing ({b.settings.shard} beside {a.settings.shard})"
    if a.settings.synth != b.settings.synth:
        yield "setting of the synthesis"
    if a.key.models != b.key.models:
        yield "teacher"
    if a.key.code != b.key.code:
        yield "version of her"


def _copy(run: RunFolder, book: Path) -> None:
    """A book's folder as a stage of the whole run: the same key, the same files."""
    done = finished(book)
    if done is None:
        raise StoreError(f"{book} has no manifest, though its shard is finished; run the shard's command again")
    manifest = done.manifest
    _intact(book, manifest)

    def copied(folder: Path) -> Outcome:
        for name in manifest.outputs:
            shutil.copyfile(book / name, folder / name)
        return Outcome(outputs=tuple(manifest.outputs), kept=manifest.kept, rejected=manifest.rejected)

    run.run(manifest.key, copied)


def _intact(folder: Path, manifest: Manifest) -> None:
    for name, digest in manifest.outputs.items():
        if not (folder / name).is_file() or sha256_file(folder / name) != digest:
            raise StoreError(f"{folder / name} is not what its stage wrote; run the shard's command again, then merge")
