"""Import: a file in another format becomes dialogues, their books and plots, and an account of what did not.

Owns the order of the output (the file's own), unique ids, and what is written beside the dialogues. Memory does not
grow with the file where it is JSON Lines; a CoSER book is read whole, one at a time.
"""

from collections import Counter
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from her import __version__
from her.data.imports import chats, her_dataset
from her.data.imports.markup import Markup, Mended
from her.data.imports.rows import Rows, row_id
from her.data.register import Register, sweep
from her.errors import InputError, TagError
from her.renderers import render_turn
from her.renderers.coser_json import Unread, read_book, read_case, slug_of, stated, title_of, words
from her.schema import Book, Dialogue, Flag, Part, Plot, Record, Turn
from her.stage import Progress
from her.store import Growing, Together, read_json, sha256_file

Format = Literal["coser", "coser-raw", "her", "sharegpt", "messages"]
FORMATS: tuple[Format, ...] = get_args(Format)
KNOWN_LICENCES: dict[Format, str] = {"her": "Apache-2.0"}
"""What a format's own publisher states. CoSER's repository states none."""
BESIDE = (".books.jsonl", ".plots.jsonl", ".refused.jsonl", ".source.json")
"""What stands beside the dialogues."""
Found = Book | Plot | Dialogue | Unread | Mended


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
        for name, line, found in _found(path, format=format, register=register, markup=markup):
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


def _found(
    path: Path, *, format: Format, register: Register, markup: Markup
) -> Iterator[tuple[str, int | None, Found]]:
    """Everything in the source with the file's name and the line it comes from."""
    if format == "coser":
        for file in _books(path):
            data = read_json(file)
            if not isinstance(data, dict) or not isinstance(data.get("plots"), list):
                raise InputError(f"{file} has no list `plots`; CoSER's full files have (its other data: coser-raw)")
            title = title_of(file.name)
            for item in read_book(data, slug=slug_of(title), title=title):
                yield file.name, None, item
        return
    rows = Rows(path)
    for row in rows:
        if isinstance(row.value, Unread):
            yield path.name, row.number, row.value
            continue
        group = her_dataset.single_turn_group(row.value) if format == "her" else None
        if group is not None:
            place = len(row.value["messages"]) if isinstance(row.value["messages"], list) else 0
            register.wait(group, place=place, offset=row.offset, number=row.number)
            continue
        for found in _sound(_row(row.value, format=format, stem=title_of(path.name), markup=markup)):
            yield path.name, row.number, found
    for group, items in register.groups():
        members = [value for offset, _ in items if isinstance(value := rows.at(offset), dict)]
        for found in _sound(her_dataset.read_replies(members, group=group, markup=markup)):
            yield path.name, items[0][1], found


def any_dialogues(path: Path) -> Iterator[tuple[int, Book | Dialogue | Unread]]:
    """Books and dialogues of a file whose format is told by its rows: dialogues of ours, or any of CoSER's files."""
    for row in Rows(path):
        if isinstance(row.value, Unread):
            yield row.number, row.value
        elif "turns" in row.value and "scene" in row.value:
            try:
                dialogue = Dialogue.model_validate(row.value)
            except ValidationError as e:
                yield row.number, Unread(item="", field="", reason="unknown_format", detail=str(e)[:200])
                continue
            if dialogue.scene.book_id is not None:
                yield row.number, _named(dialogue.scene.book_id)
            yield row.number, dialogue
        elif {"plots", "dialogues", "conversation"} & set(row.value):
            for found in _sound(_raw(row.value, stem=title_of(path.name))):
                if isinstance(found, Book | Dialogue | Unread):
                    yield row.number, found
        else:
            keys = ", ".join(sorted(row.value)[:6])
            yield row.number, Unread(item="", field="", reason="unknown_format", detail=f"keys {keys}")


def _books(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise InputError(f"{path} holds no .json file; name a folder of CoSER's full files, or one of them")
        return files
    return [path]


def _row(row: dict[str, object], *, format: Format, stem: str, markup: Markup) -> Iterator[Found]:
    """What one row of a list or of JSON Lines holds."""
    fallback = row_id(row, "id", "trace_id", "conversation_id", "uuid")
    if format == "coser-raw":
        yield from _raw(row, stem=stem)
    elif format == "her" and not her_dataset.is_chat(row):
        if title := her_dataset.book_of(row):
            yield _named(title)
        yield from her_dataset.read_conversations(row, fallback=fallback)
    else:
        said, wrong = chats.messages_of(row, item=fallback)
        if title := chats.book_title(said):
            yield _named(title)
        if format == "her":
            yield from her_dataset.read_account(row, fallback=fallback, markup=markup)
        elif wrong is not None:
            yield wrong
        else:
            yield from chats.read_chat(said, ident=fallback, scene_id=fallback, markup=markup)


def _raw(row: dict[str, object], *, stem: str) -> Iterator[Found]:
    """CoSER's other records: a whole book, a plot with its conversations, a conversation, a case of the test set."""
    title = words(row, "book") or words(row, "book_name") or words(row, "title") or stem
    slug = slug_of(title)
    if isinstance(row.get("plots"), list):
        yield from read_book(row, slug=slug, title=title)
        return
    yield _named(title)
    if isinstance(row.get("conversation"), list):
        # A plot by itself: a book of one, whose own number counts.
        found = read_book({**row, "plots": [row]}, slug=slug, title=title)
        yield from (item for item in found if not isinstance(item, Book))
        return
    plot = row.get("plot")
    numbers = [stated(key, row, plot) for key in ("i_p", "i_c")]
    known = None not in numbers
    ident = f"{slug}.p{numbers[0]}.c{numbers[1]}" if known else f"{slug}.{row_id(row)}"
    yield from read_case(row, slug=slug, ident=ident)


def _named(title: str) -> Book:
    """A book of which only the title is known."""
    return Book(id=slug_of(title), title=title, text="", chapters=())


def _sound(items: Iterator[Found]) -> Iterator[Found]:
    """What is no sound record is a refusal of its item, not the end of the import."""
    try:
        yield from items
    except (ValidationError, TagError) as e:
        where = ".".join(str(p) for p in e.errors()[0]["loc"]) if isinstance(e, ValidationError) else ""
        yield Unread(item="", field=where, reason="unsound", detail=str(e)[:200])


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
