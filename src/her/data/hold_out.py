"""Hold-out: what must never be trained on, by the book's title and by the text itself.

A test set is held out whole: every conversation of its books, and whatever is near one of its scenes under any title.
The release matched cases by an index that shifts and titles by their underscores, and let 8 of 200 cases into training
(HER §8.2, 13). Every match is kept with its reason and likeness, to be printed.
"""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Literal

from her.data.account import Kept
from her.data.imports.reading import any_dialogues
from her.data.near import Likeness, NearTexts, sketch_of
from her.data.titles import Titles
from her.errors import InputError
from her.schema import Book, Dialogue, Record
from her.store import sha256_file

Why = Literal["title", "near_text", "near_own_test", "near_own_valid"]
"""The last two: near a conversation that this build itself keeps for testing or validation."""


class HeldOut(Record):
    """A conversation that is in no sample, and why."""

    dialogue_id: str
    book: str | None
    """The title it came under."""
    reason: Why
    against: str
    """The held-out title, or the conversation that it is near."""
    likeness: Likeness | None
    """None where the title alone decided."""


class HoldOut:
    """What is held out, ready to be asked about one conversation after another."""

    def __init__(self, db: sqlite3.Connection, *, by_title: bool = True) -> None:
        self._whole_books = by_title
        self._texts = NearTexts(db, "held_out")
        self.titles: list[str] = []
        self._by_title = Titles(())

    def add(self, path: Path) -> Kept:
        """Hold out a file: CoSER's test set, any of its other files, or dialogues of ours. Raises InputError for a row
        that is none of these: what is not understood is not held out."""
        titles, scenes, unread = set[str](), 0, Counter[str]()
        for line, found in any_dialogues(path):
            if isinstance(found, Book):
                titles.add(found.title)
            elif isinstance(found, Dialogue):
                self._texts.add(found.id, sketch_of(found))
                scenes += 1
            elif found.reason in ("not_json", "not_utf8", "not_an_object", "unknown_format"):
                raise InputError(f"{path}:{line}: {found.reason} {found.detail}; nothing of it would be held out")
            elif found.reason == "too_short" and not self._whole_books:
                raise InputError(f"{path}:{line}: {found.item} has no text to hold out; hold out titles as well")
            else:
                unread[found.reason] += 1
        if not titles and not scenes:
            raise InputError(f"{path} holds no book and no scene; name CoSER's test set, or dialogues")
        self.titles = sorted({*self.titles, *titles})
        self._by_title = Titles(self.titles if self._whole_books else ())
        return Kept(
            file=path.name,
            sha256=sha256_file(path),
            titles=len(titles),
            scenes=scenes,
            unread=dict(sorted(unread.items())),
        )

    def find(self, dialogue: Dialogue, title: str | None) -> HeldOut | None:
        """Why this conversation is held out; None where it is not."""
        same = None if title is None else self._by_title.match(title)
        if same is not None:
            return HeldOut(dialogue_id=dialogue.id, book=title, reason="title", against=same, likeness=None)
        near = self._texts.find(sketch_of(dialogue)) if self._texts.count else None
        if near is None:
            return None
        return HeldOut(
            dialogue_id=dialogue.id, book=title, reason="near_text", against=near.name, likeness=near.likeness
        )
