"""The files beside an induced pack: how it came to be, what was refused, what the audit found.

Owns their names and the rule that a pack which a person has edited is never written over. `pack.toml` has
`pack.induced.json`, `pack.candidates.jsonl`, `pack.rejects.jsonl`, `pack.audit.json`, `pack.ledger.sqlite` beside it;
where no pack came of it, `pack.failed.jsonl` has the rejects.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from her.errors import InputError
from her.reward.induction.audit import Audit
from her.reward.induction.induce import Chosen, Induced, SelectConfig, count
from her.reward.induction.propose import ProposeConfig, Reject
from her.reward.pack import load_pack
from her.reward.pack_text import pack_toml
from her.schema import Preference, Record
from her.store import Together, canonical, read_text, write_json, write_jsonl

_COMMENT = """\
Principles that {teacher} wrote from {pairs} labelled pairs: {entries} of {candidates} that explained their pair.
A draft for a person: rename, reword, delete, add. Whoever rewrites an entry becomes its `author`.
`her reward principles check` reads it; a pack that was edited is not written over."""


class Account(Record):
    """How a pack was induced."""

    pack_hash: str
    """As it was written; a file with another hash was edited since."""
    teacher: str
    fingerprint: str
    embedder: str
    pairs: tuple[str, ...]
    """Ids of the pairs that were given, in the order asked."""
    asking: ProposeConfig
    selecting: SelectConfig
    calls: int
    """Proposals asked for, revisions included."""
    candidates: int
    chosen: tuple[Chosen, ...]
    """In the order of choice."""
    refused: dict[str, int]
    """Answers refused, by step and reason, those that were mended later too."""
    rejects: dict[str, int]
    """Proposals that came to nothing, by step and reason."""


def beside(out: Path, kind: str) -> Path:
    """`pack.toml` and `audit.json` give `pack.audit.json`."""
    return out.with_name(f"{out.stem}.{kind}")


def check_out(out: Path) -> None:
    """Refuse a place that cannot take the pack: another file, or a pack that was edited."""
    if out.suffix != ".toml":
        raise InputError(f"{out} does not end in .toml; a pack is a TOML file")
    if not out.exists():
        return
    made = beside(out, "induced.json")
    try:
        known = Account.model_validate_json(read_text(made)).pack_hash if made.is_file() else None
    except ValidationError:
        known = None
    if known is None or load_pack(out).hash != known:
        raise InputError(f"{out} was edited, or was not induced; move it away or choose another --out")


def write(out: Path, induced: Induced, *, account: Account) -> None:
    """The pack and its account: all of the files, or none."""
    comment = _COMMENT.format(
        teacher=account.teacher,
        pairs=len(account.pairs),
        entries=len(induced.pack.principles),
        candidates=account.candidates,
    )
    with Together() as files:
        files.open(out).write_text(pack_toml(induced.pack, comment=comment))
        files.open(beside(out, "induced.json")).write_text(canonical(account.model_dump(mode="json")) + "\n")
        for kind, records in (("candidates", induced.proposed.candidates), ("rejects", induced.rejects)):
            file = files.open(beside(out, f"{kind}.jsonl"))
            for record in records:
                file.write(record)


def write_failed(out: Path, rejects: Sequence[Reject]) -> Path:
    """What was refused where no pack came of it; where it is."""
    path = beside(out, "failed.jsonl")
    write_jsonl(path, rejects)
    return path


def write_audit(out: Path, audit: Audit) -> None:
    write_json(beside(out, "audit.json"), audit.model_dump(mode="json"))


def account_of(
    induced: Induced,
    *,
    teacher: str,
    fingerprint: str,
    embedder: str,
    pairs: Sequence[Preference],
    asking: ProposeConfig,
    selecting: SelectConfig,
) -> Account:
    """The account of what was induced."""
    return Account(
        pack_hash=induced.pack.hash,
        teacher=teacher,
        fingerprint=fingerprint,
        embedder=embedder,
        pairs=tuple(p.comparison.id for p in pairs),
        asking=asking,
        selecting=selecting,
        calls=induced.proposed.calls,
        candidates=len(induced.proposed.candidates),
        chosen=induced.chosen,
        refused=dict(sorted(induced.proposed.refused.items())),
        rejects=count(induced.rejects),
    )
