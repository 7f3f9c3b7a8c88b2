"""Ballot: one rater's ratings of a packet, as the rating page writes them. What does not fit is refused by name.

Nothing is filled in and nothing is dropped: a rating that is foreign, doubled, out of range or missing is an InputError
that says which. Unfinished ballots are read where the caller asks for it; what is missing is then missing.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from her.errors import InputError
from her.evals.benchmarks.rating.form import LEAST, MOST
from her.evals.benchmarks.rating.packet import Key
from her.schema import Record
from her.store import read_text

FORMAT = "her-rating-1"


class Rated(Record):
    """One dialogue's ratings."""

    id: str
    scores: dict[str, int]
    """Quality to rating."""
    note: str = ""


class Ballot(Record):
    """A rater's file."""

    format: str
    packet: str
    rater: str
    ratings: tuple[Rated, ...]


def packet_of(path: Path) -> str:
    """Which packet a ballot is of."""
    return _parsed(path).packet


def read_ballots(paths: Sequence[Path], key: Key, *, partial: bool = False) -> tuple[Ballot, ...]:
    """All ballots of a packet, checked. `partial`: unfinished ones too."""
    found: dict[str, Path] = {}
    ballots = []
    for path in paths:
        ballot = _checked(_parsed(path), path, key, partial=partial)
        if ballot.rater in found:
            raise InputError(
                f"{path} and {found[ballot.rater]} are both by {ballot.rater!r}; give each rater's file once, and "
                "tell raters apart by name"
            )
        found[ballot.rater] = path
        ballots.append(ballot)
    return tuple(ballots)


def _checked(ballot: Ballot, path: Path, key: Key, *, partial: bool) -> Ballot:
    if ballot.packet != key.packet:
        raise InputError(f"{path} rates packet {ballot.packet}, not {key.packet}; give the run that it was made from")
    if not ballot.rater.strip():
        raise InputError(f"{path} does not say who rated; write a name, or any sign, into 'rater'")
    known = [e.sheet for e in key.entries]
    names = [q.name for q in key.qualities]
    seen: set[str] = set()
    for rated in ballot.ratings:
        where = f"{path}: dialogue {rated.id!r}"
        if rated.id not in known:
            raise InputError(f"{where} is not in the packet; it has {known[0]} to {known[-1]}")
        if rated.id in seen:
            raise InputError(f"{where} is rated twice; keep one of the two")
        seen.add(rated.id)
        for quality, score in rated.scores.items():
            if quality not in names:
                raise InputError(f"{where}: {quality!r} is not asked for; the qualities are {', '.join(names)}")
            if not LEAST <= score <= MOST:
                raise InputError(f"{where}: {quality} is {score}; ratings go from {LEAST} to {MOST}")
        missing = [n for n in names if n not in rated.scores]
        if missing and not partial:
            raise InputError(f"{where} has no rating of {missing[0]}; finish it, or give --partial")
    left = [s for s in known if s not in seen]
    if left and not partial:
        raise InputError(
            f"{path} rates {len(seen)} of {len(known)} dialogues, {left[0]!r} not among them; finish it, or give "
            "--partial"
        )
    if not any(r.scores for r in ballot.ratings):
        raise InputError(f"{path} holds no rating; leave it out")
    return ballot


def _parsed(path: Path) -> Ballot:
    try:
        value = json.loads(read_text(path), object_pairs_hook=_once)
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path} cannot be read as ratings: {e}; give what the rating page downloads") from e
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(f"{path} is not a file of ratings ({FORMAT}); give what the rating page downloads")
    try:
        return Ballot.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as e:
        first = e.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        raise InputError(f"{path}: field {field!r}: {first['msg']}; give what the rating page downloads") from e


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if doubled := next((k for k in keys if keys.count(k) > 1), None):
        raise ValueError(f"{doubled!r} stands twice in one object")
    return dict(pairs)
