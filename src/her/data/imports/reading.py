"""Which rows a file of a format has, and what each of them holds: books, plots, dialogues, and what could not be read.

Owns which reader a row is for. Writes nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from her.data.beside import titles_beside
from her.data.imports import chats, her_dataset
from her.data.imports.markup import Markup, Mended
from her.data.imports.rows import Rows, row_id
from her.data.register import Register
from her.errors import InputError, TagError
from her.renderers.coser_json import Unread, read_book, read_case, slug_of, stated, title_of, words
from her.schema import Book, Dialogue, Plot
from her.store import read_json

Format = Literal["coser", "coser-raw", "her", "sharegpt", "messages"]
FORMATS: tuple[Format, ...] = get_args(Format)
Found = Book | Plot | Dialogue | Unread | Mended


def found_in(
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
    titles = titles_beside(path)
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
                yield row.number, _named(titles.get(dialogue.scene.book_id, dialogue.scene.book_id))
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
