"""Packet: dialogues to be rated by people who must not know whose they are, and the key that tells.

Owns blinding: no model, run or item is named in what raters get, the order is drawn by seed, hidden layers are left
out. What a model says of itself in a dialogue cannot be taken out.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from her.errors import InputError
from her.evals.benchmarks.item import Item
from her.evals.benchmarks.mark import ItemScore
from her.evals.benchmarks.play import Line, Play
from her.evals.benchmarks.rating.form import Quality, form_of
from her.evals.benchmarks.run import PLAYS, SCORES, Played, read_played
from her.schema import PartKind, Record, Viewer
from her.store import canonical, read_jsonl, sha256_file, sha256_text

KEYS = "rating"
"""Folder of a run in which the keys of its packets lie."""


class Piece(Record):
    """A stretch of a line: an action, or speech."""

    kind: PartKind
    text: str


class SheetLine(Record):
    """A line as everyone in the scene perceived it."""

    speaker: str
    rated: bool
    """Is it the examined model's?"""
    given: bool
    """Is it of the data, from before the model came in?"""
    pieces: tuple[Piece, ...]
    """Empty: a silence."""


class Sheet(Record):
    """One dialogue to be rated."""

    id: str
    context: tuple[tuple[str, str], ...]
    """What was given: name and text."""
    lines: tuple[SheetLine, ...]


class Packet(Record):
    """What raters get."""

    id: str
    """Of its own content: ratings name it, so that they cannot be taken for another's."""
    qualities: tuple[Quality, ...]
    sheets: tuple[Sheet, ...]


class Entry(Record):
    """Whose dialogue a sheet is."""

    sheet: str
    run: str
    """Hash of the run's plays: a run may be moved."""
    model: str
    item_id: str
    repeat: int
    cluster: str


class Key(Record):
    """What raters do not get."""

    packet: str
    benchmark: str
    qualities: tuple[Quality, ...]
    entries: tuple[Entry, ...]
    skipped: int
    """Plays in which the examined model says nothing that can be read: nobody is asked to rate them."""


def make_packet(roots: Sequence[Path], *, seed: int, limit: int | None) -> tuple[Packet, Key]:
    """A packet of one or more runs of one benchmark. `limit`: so many items of each run, the same ones of all."""
    runs = [(read_played(root), sha256_file(root / "play" / PLAYS)) for root in roots]
    benches = {played.plan.benchmark for played, _ in runs}
    if len(benches) != 1:
        raise InputError(f"the runs are of {' and '.join(sorted(benches))}; a packet is of one benchmark")
    if len({digest for _, digest in runs}) < len(runs):
        raise InputError("two of the runs hold the same plays; give each once")
    card = runs[0][0].benchmark.card
    qualities = form_of(card, [s for root in roots for s in scores_of(root)])
    places = list(dict.fromkeys((p.item_id, p.repeat) for played, _ in runs for p in played.plays))
    Random(f"{seed}:rate:items").shuffle(places)
    chosen = set(places[:limit])
    found: list[tuple[Played, str, Item, Play]] = []
    skipped = 0
    for played, digest in runs:
        items = {i.id: i for i in played.exam.items}
        for play in played.plays:
            if (play.item_id, play.repeat) in chosen:
                if any(line.by == "player" and line.visible for line in play.lines):
                    found.append((played, digest, items[play.item_id], play))
                else:
                    skipped += 1
    if not found:
        raise InputError(f"{roots[0]} has no dialogue in which the examined model says anything; nothing can be rated")
    Random(f"{seed}:rate:order").shuffle(found)
    sheets, entries = [], []
    for number, (played, digest, item, play) in enumerate(found, start=1):
        name = f"d{number:0{max(2, len(str(len(found))))}d}"
        sheets.append(Sheet(id=name, context=_context(item), lines=tuple(_line(line) for line in play.lines)))
        entries.append(
            Entry(
                sheet=name,
                run=digest,
                model=played.plan.model,
                item_id=item.id,
                repeat=play.repeat,
                cluster=item.cluster,
            )
        )
    content = [[s.model_dump(mode="json") for s in sheets], [q.model_dump(mode="json") for q in qualities]]
    packet_id = sha256_text(canonical(content))[:16]
    key = Key(packet=packet_id, benchmark=card.name, qualities=qualities, entries=tuple(entries), skipped=skipped)
    return Packet(id=packet_id, qualities=qualities, sheets=tuple(sheets)), key


def scores_of(root: Path) -> tuple[ItemScore, ...]:
    """What a run was scored; empty where it was only played."""
    path = root / "score" / SCORES
    return tuple(read_jsonl(path, ItemScore)) if path.is_file() else ()


def _line(line: Line) -> SheetLine:
    if line.turn is not None:
        parts = line.turn.seen_by(Viewer.reader()).parts
        pieces = tuple(Piece(kind=p.kind, text=p.text) for p in parts)
    else:
        pieces = (Piece(kind="speech", text=line.visible),) if line.visible else ()
    return SheetLine(speaker=line.speaker, rated=line.by == "player", given=line.by == "given", pieces=pieces)


def _context(item: Item) -> tuple[tuple[str, str], ...]:
    """The item's own texts. What is not a text, and what ids and facets say of it, could tell whose it is."""
    own = item.model_dump(mode="json", exclude={"id", "cluster", "title", "facets"})
    return tuple((k.replace("_", " "), v.strip()) for k, v in own.items() if isinstance(v, str) and v.strip())
