"""Import: a file in another format becomes dialogues, their books and plots, and an account of what did not.

Owns the order of the output (the file's own), unique ids, and what is written beside the dialogues. Memory does not
grow with the file where it is JSON Lines; a CoSER book is read whole, one at a time.
"""

from collections import Counter
from glob import escape
from pathlib import Path

from her import __version__
from her.data.imports.markup import Markup, Mended
from her.data.imports.reading import Format, found_in
from her.data.register import Register, sweep
from her.errors import InputError, TagError
from her.renderers import render_turn
from her.renderers.coser_json import Unread
from her.schema import Book, Dialogue, Flag, Part, Plot, Record, Turn
from her.stage import Progress
from her.store import Growing, Together, sha256_file

KNOWN_LICENCES: dict[Format, str] = {"her": "Apache-2.0"}
"""What a format's own publisher states. CoSER's repository states none."""
BESIDE = (".books.jsonl", ".plots.jsonl", ".refused.jsonl", ".source.json")
"""What stands beside the dialogues."""


class Refusal(Record):
    """Something in the source that became no record."""

    file: str
    line: int | None
    """The line, or the place in a JSON list, from 1; None in a file that is one JSON object."""
    item: str
    field: str
    reason: str
    detail: str


class Imported(Record):
    """What an import made. Written beside the dialogues as `NAME.source.json`."""

    her_version: str
    format: Format
    source: str
    """Name of the file or folder that was read."""
    sha256: str
    """Of what was read."""
    licence: str | None
    """None: not known. What may be done with the dialogues is then not known either."""
    books: int
    plots: int
    dialogues: int
    refused: dict[str, int]
    """Reason to count."""
    repairs: dict[str, int]
    """Kind of repair to turns."""


def import_dialogues(
    path: Path,
    *,
    format: Format,
    out: Path,
    licence: str | None = None,
    markup: Markup = "auto",
    progress: Progress | None = None,
) -> Imported:
    """Read `path` into `out`, with `NAME.books.jsonl`, `.plots.jsonl`, `.refused.jsonl` and `.source.json` beside it.

    Raises InputError where nothing at all could be read; then nothing is written.
    """
    if out.suffix != ".jsonl":
        raise InputError(f"--out {out} must be a .jsonl file")
    licence = licence or KNOWN_LICENCES.get(format)
    refused, repairs = Counter[str](), Counter[str]()
    paths = [out, *(out.with_suffix(suffix) for suffix in BESIDE)]
    sweep(out.parent, (escape(p.name) for p in paths))
    with Register(out) as register, Together() as files:
        dialogues, books, plots, refusals, account = (files.open(p) for p in paths)
        for name, line, found in found_in(path, format=format, register=register, markup=markup):
            if isinstance(found, Mended):
                repairs.update(found.kinds)
                continue
            if not isinstance(found, Unread):
                file = dialogues if isinstance(found, Dialogue) else books if isinstance(found, Book) else plots
                refusal = _keep(found, file, register=register, licence=licence)
                if refusal is None:
                    if progress is not None and isinstance(found, Dialogue):
                        progress(dialogues.count, 0, found.id)
                    continue
                found = refusal
            refused[found.reason] += 1
            refusals.write(_refusal(name, line, found))
        if not dialogues.count:
            reasons = ", ".join(f"{reason} {n}" for reason, n in refused.most_common()) or "it holds no rows"
            raise InputError(f"{path} holds no dialogue in the format {format!r} ({reasons}); is it another format?")
        made = Imported(
            her_version=__version__,
            format=format,
            source=path.name,
            sha256=sha256_file(path),
            licence=licence,
            books=books.count,
            plots=plots.count,
            dialogues=dialogues.count,
            refused=dict(sorted(refused.items())),
            repairs=dict(sorted(repairs.items())),
        )
        account.write_json(made.model_dump(mode="json"))
    return made


def _keep(found: Book | Plot | Dialogue, file: Growing, *, register: Register, licence: str | None) -> Unread | None:
    """Write a record that is new. Books and plots are told by every row that belongs to them; a dialogue once."""
    kind = type(found).__name__
    if not register.claim(f"{kind}:{found.id}"):
        return Unread(item=found.id, field="id", reason="duplicate_id") if isinstance(found, Dialogue) else None
    if isinstance(found, Book):
        found = found.model_copy(update={"licence": licence})
    elif isinstance(found, Dialogue):
        found = _flagged(found)
    try:
        file.write(found)
    except UnicodeEncodeError as e:
        return Unread(item=found.id, field=kind.lower(), reason="not_text", detail=str(e))
    return None


def _refusal(name: str, line: int | None, found: Unread) -> Refusal:
    def plain(text: str) -> str:
        return text.encode("utf-8", "replace").decode()

    return Refusal(
        file=name,
        line=line,
        item=plain(found.item),
        field=plain(found.field),
        reason=found.reason,
        detail=plain(found.detail[:200]),
    )


def _flagged(dialogue: Dialogue) -> Dialogue:
    """The dialogue, with a flag for each field of its card that a model would read as markup."""
    scene = dialogue.scene
    fields = {"scenario": scene.scenario}
    for c in scene.characters:
        fields |= {f"{c.name}.{f}": getattr(c, f) or "" for f in ("profile", "background", "motivation")}
    flags = [Flag(kind="markup", where=where, detail=bad) for where, text in fields.items() if (bad := _markup(text))]
    if not flags:
        return dialogue
    marked = scene.model_copy(update={"flags": (*scene.flags, *flags)})
    return dialogue.model_copy(update={"scene": marked})


def _markup(text: str) -> str | None:
    """Why `text` reads as markup; None where it does not."""
    if not text.strip():
        return None
    try:
        render_turn(Turn(id="t", speaker="x", parts=(Part(kind="speech", text=text.strip()),)))
    except TagError as e:
        return str(e)[:200]
    return None
