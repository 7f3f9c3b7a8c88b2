"""Build: dialogues become the files that each purpose is trained and examined with.

Two passes over the inputs with one dialogue in memory at a time: `survey` learns what no single dialogue can tell,
`shelves` writes. Same inputs, same bytes; all files appear together or none does.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from her import __version__
from her.data.account import DIALOGUES, MANIFEST, OWN, BuildConfig, Built, Rejected
from her.data.hold_out import HeldOut, HoldOut
from her.data.register import Register, sweep
from her.data.shelves import Shelves
from her.data.survey import Survey
from her.errors import InputError
from her.renderers import Tokenizer
from her.stage import Progress
from her.store import Together, read_json


def build(
    inputs: Sequence[Path],
    *,
    out: Path,
    config: BuildConfig,
    hold_outs: Sequence[Path] = (),
    tokenizer: Tokenizer | None = None,
    tokenizer_name: str | None = None,
    progress: Progress | None = None,
) -> Built:
    """Write the build's folder. Raises InputError for an input that cannot be read and where nothing is left to learn
    from; then nothing is written."""
    if config.rule.max_tokens is not None and tokenizer is None:
        raise InputError("a limit of tokens needs the tokenizer that counts them: give --tokenizer MODEL")
    _refuse_foreign(out)
    new = not out.exists()
    try:
        return _build(
            inputs, out=out, config=config, hold_outs=hold_outs, tokenizer=tokenizer, tokenizer_name=tokenizer_name,
            progress=progress,
        )  # fmt: skip
    except BaseException:
        if new:
            with suppress(OSError):
                out.rmdir()
        raise


def _build(
    inputs: Sequence[Path],
    *,
    out: Path,
    config: BuildConfig,
    hold_outs: Sequence[Path],
    tokenizer: Tokenizer | None,
    tokenizer_name: str | None,
    progress: Progress | None,
) -> Built:
    with Register(out / MANIFEST) as register, Together() as files:
        hold_out = HoldOut(register.db, by_title=config.hold_out_titles)
        kept = tuple(hold_out.add(path) for path in hold_outs)
        survey = Survey(register, hold_out, seed=config.seed, gain=config.gain)
        shelves = Shelves(survey, register, config=config, tokenizer=tokenizer, out=out, files=files)
        duplicates = 0
        for path in inputs:
            for found in survey.read(path, progress):
                if isinstance(found, HeldOut):
                    shelves.hold(found)
                else:
                    duplicates += 1
                    shelves.reject(Rejected(file=DIALOGUES, id=found.id, reason="duplicate_id", detail=path.name))
        survey.deal(config.shares, config.by)
        shelves.fill(progress)
        counts = shelves.counts()
        if not any(count.kept for count in counts.values()):
            left = sum((Counter(count.left) for count in counts.values()), Counter(shelves.held))
            why = ", ".join(f"{reason} {n}" for reason, n in left.most_common()) or "no dialogue has a target turn"
            raise InputError(f"nothing is left to build from ({why}); see the flags of `her data build --help`")
        built = Built(
            her_version=__version__,
            config=config,
            tokenizer=tokenizer_name,
            sources=tuple(survey.sources),
            hold_outs=kept,
            held_out=dict(sorted(shelves.held.items())),
            by=survey.by,
            books=survey.books(),
            duplicates=duplicates,
            purposes=shelves.dealt(),
            files=counts,
            outputs={name: file.digest.hexdigest() for name, file in sorted(shelves.accounts.items())},
        )
        files.open(out / MANIFEST).write_json(built.model_dump(mode="json"))
        for stale in sorted(OWN - set(counts) - set(built.outputs) - {MANIFEST}):
            (out / stale).unlink(missing_ok=True)
    return built


def read_built(folder: Path) -> Built:
    """The account of a finished build."""
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is no build (no {MANIFEST}); make one with `her data build ... --out {folder}`")
    try:
        return Built.model_validate(read_json(path))
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise InputError(f"{path}: {first['msg']} at {where!r}; it is another version's, build it again") from e


def _refuse_foreign(out: Path) -> None:
    """A folder with a file in it that no build writes belongs to someone else. What a killed build left is removed."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    if not out.is_dir():
        return
    sweep(out, OWN)
    if foreign := sorted(p.name for p in out.iterdir() if p.is_file() and p.name not in OWN):
        raise InputError(f"--out {out} holds {foreign[0]!r}, which no build wrote; choose another folder")
