"""Export: a finished build in another format, in a folder of its own with a card.

Owns which file becomes which. A build that was changed by hand is refused: the card's numbers would not be its own.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from her.data.account import CONTAMINATION, DIALOGUES, HELD_OUT, MANIFEST, OWN, SAMPLES, USES, Assigned, Built
from her.data.build import read_built
from her.data.exports import her_dataset
from her.data.exports.card import card
from her.data.exports.chats import SHAPES
from her.data.exports.parquet import write_parquet
from her.data.purposes import SPLITS, Purpose
from her.data.register import Register, sweep
from her.errors import InputError
from her.schema import Dialogue, Record, RLPrompt, SFTSample
from her.store import Growing, Together, sha256_file, stream_jsonl

Format = Literal["messages", "her", "parquet", "sharegpt"]
FORMATS: tuple[Format, ...] = get_args(Format)
COPIED = (CONTAMINATION, HELD_OUT, MANIFEST)
CARD = "README.md"


class Exported(Record):
    """What an export wrote."""

    format: Format
    rows: dict[str, int]
    """File name to rows."""
    left: dict[str, int]
    """What the format cannot say, by reason."""


def export(folder: Path, *, format: Format, out: Path) -> Exported:
    """Write a build's data in a format. Raises InputError for a folder that is no build, or is no longer what its
    manifest says; then nothing is written."""
    built = read_built(folder)
    for name, sha256 in (*((n, f.sha256) for n, f in built.files.items()), *built.outputs.items()):
        if not (folder / name).is_file() or sha256_file(folder / name) != sha256:
            raise InputError(f"{folder / name} is not what {MANIFEST} says; build it again")
    new = not out.exists()
    sweep(out, (*OWN, *(name.replace(".jsonl", ".parquet") for name in OWN), "HER_dataset_*", CARD))
    try:
        return _export(folder, built, format=format, out=out)
    except BaseException:
        if new:
            with suppress(OSError):
                out.rmdir()
        raise


def _export(folder: Path, built: Built, *, format: Format, out: Path) -> Exported:
    left: dict[str, int] = {}
    with Register(out / CARD) as register, Together() as files:
        if format == "her":
            written, accounts = _her(folder, built, out=out, files=files)
            if accounts:
                left["one_character_s_account"] = accounts
        elif format == "parquet":
            written = {}
            for name in built.files:
                file = files.open(out / name.replace(".jsonl", ".parquet"))
                source = folder / name
                if name in SAMPLES.values():
                    rows = write_parquet(source, SFTSample, into=file, register=register)
                else:
                    rows = write_parquet(source, RLPrompt, into=file, register=register)
                written[file.path.name] = rows
        else:
            written = _chats(folder, built, format=format, out=out, files=files)
        for name in COPIED:
            files.open(out / name).write_text((folder / name).read_text(encoding="utf-8"))
        files.open(out / CARD).write_text(card(built, folder, format=format, rows=written, left=left))
        own = {*written, *COPIED, CARD}
        if foreign := sorted(p.name for p in out.iterdir() if p.name not in own and not p.name.startswith(".")):
            raise InputError(
                f"--out {out} holds {foreign[0]!r}, which this export does not write; choose another folder"
            )
    return Exported(format=format, rows=written, left=left)


def _chats(folder: Path, built: Built, *, format: Format, out: Path, files: Together) -> dict[str, int]:
    sample_row, place_row = SHAPES[format]
    written = {}
    for name in built.files:
        file = files.open(out / name)
        if name in SAMPLES.values():
            for sample in stream_jsonl(folder / name, SFTSample):
                file.write_json(sample_row(sample))
        else:
            for place in stream_jsonl(folder / name, RLPrompt):
                file.write_json(place_row(place))
        written[name] = file.count
    return written


def _her(folder: Path, built: Built, *, out: Path, files: Together) -> tuple[dict[str, int], int]:
    """Conversations of every purpose; replies of the samples. Returns rows, and accounts that are no conversations."""
    opened: dict[str, Growing] = {}

    def file(config: str, purpose: Purpose) -> Growing:
        name = her_dataset.file_name(config, SPLITS[purpose])
        if name not in opened:
            opened[name] = files.open(out / name)
        return opened[name]

    for purpose in built.purposes:
        if built.purposes[purpose].asked > 0:
            for config in ("full_info", "clean"):
                file(config, purpose)
    accounts = 0
    for dialogue, use in _with_use(folder):
        if dialogue.perspective is not None:
            accounts += 1
            continue
        for config in ("full_info", "clean"):
            row = her_dataset.conversation_row(dialogue, use.book, full=config == "full_info")
            file(config, use.purpose).write_json(row)
    for purpose, name in SAMPLES.items():
        if name not in built.files:
            continue
        single, multi = file("sft_single_turn", purpose), file("sft_multi_turn", purpose)
        replies = her_dataset.Replies()
        for sample in stream_jsonl(folder / name, SFTSample):
            single.write_json(replies.single(sample))
            for row in replies.multi(sample):
                multi.write_json(row)
        for row in replies.rest():
            multi.write_json(row)
    return {name: growing.count for name, growing in opened.items()}, accounts


def _with_use(folder: Path) -> Iterator[tuple[Dialogue, Assigned]]:
    """Every dialogue with its purpose: the two files have the same order."""
    dialogues, uses = stream_jsonl(folder / DIALOGUES, Dialogue), stream_jsonl(folder / USES, Assigned)
    for dialogue, use in zip(dialogues, uses, strict=True):
        assert dialogue.id == use.dialogue_id
        yield dialogue, use
