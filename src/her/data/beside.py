"""What stands beside a file of dialogues: the titles of its books, and the account of the import that made it."""

from pathlib import Path

from her.schema import Book
from her.store import read_json, stream_jsonl


def titles_beside(path: Path) -> dict[str, str]:
    """Titles by book id, where an import or a synthesis wrote `NAME.books.jsonl` beside its dialogues."""
    books = path.with_suffix(".books.jsonl")
    return {book.id: book.title for book in stream_jsonl(books, Book)} if books.is_file() else {}


def imported_beside(path: Path) -> dict[str, str]:
    """What an import wrote down beside its dialogues: the licence and the source, where it knew them."""
    account = path.with_suffix(".source.json")
    found = read_json(account) if account.is_file() else {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
