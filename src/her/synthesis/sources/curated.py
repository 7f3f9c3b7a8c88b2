"""CoSER's curated JSON in place of extraction: plots, conversations, `[thought] (action) speech`.

What is where in that JSON is known to `her.renderers.coser_json`. What cannot be read is rejected by item and counted.
Knows no model.
"""

from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError
from her.renderers.coser_json import Unread, read_book, slug_of, title_of
from her.schema import Book, Dialogue, Plot
from her.store import read_json
from her.synthesis.result import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """A curated file as records: the plots' texts joined into a book, and the conversations without system thinking."""

    book: Book
    plots: tuple[Plot, ...]
    dialogues: tuple[Dialogue, ...]
    rejects: tuple[Reject, ...]


def read_curated(path: Path) -> Curated:
    """Read a CoSER `full` file. Raises InputError where it is not one or holds no usable conversation."""
    data = read_json(path)
    if not isinstance(data, dict) or not isinstance(data.get("plots"), list):
        raise InputError(f"{path} has no list `plots`; give a CoSER `full` JSON file or a plain text")
    title = title_of(path.name)
    book, *found = read_book(data, slug=slug_of(title), title=title)
    assert isinstance(book, Book)
    dialogues = tuple(item for item in found if isinstance(item, Dialogue))
    rejects = tuple(
        Reject(stage="curated", item_id=item.item, reason=item.reason, detail=item.detail)
        for item in found
        if isinstance(item, Unread)
    )
    if not dialogues:
        raise InputError(f"{path} holds no conversation that can be read; {len(rejects)} items were refused")
    plots = tuple(item for item in found if isinstance(item, Plot))
    return Curated(book=book, plots=plots, dialogues=dialogues, rejects=rejects)
