"""Source: what a path holds, by its ending: a text, an EPUB, a shelf of books, or curated JSON."""

from pathlib import Path

from her.errors import InputError
from her.schema import Book
from her.synthesis.sources.book import read_book
from her.synthesis.sources.curated import Curated, read_curated
from her.synthesis.sources.epub import read_epub
from her.synthesis.sources.shelf import Shelf


def read_source(path: Path) -> Book | Curated | Shelf:
    """Read what the path holds. A shelf is only looked at; its books are read one by one. Raises InputError for what
    cannot be used."""
    match path.suffix.lower():
        case ".json":
            return read_curated(path)
        case ".epub":
            return read_epub(path)
        case ".jsonl":
            if not path.is_file():
                raise InputError(f"no such file: {path}; check the path")
            if path.stat().st_size == 0:
                raise InputError(f'{path} is empty; a line of it is a book: {{"text": ..., "title": ...}}')
            return Shelf(path=path)
        case _:
            return read_book(path)
