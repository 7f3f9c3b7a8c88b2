"""Prose: a book as its readers get it, furniture blanked, with the marks of speech that this book uses.

Made once for a book and handed to everything that looks for something in it. Every offset into `text` is an offset
into `Book.text`. Knows nothing of what is said.
"""

from dataclasses import dataclass

from her.schema import Book
from her.synthesis.text.quotes import Style, style_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A book ready to be read."""

    book: Book
    text: str
    """`Book.read()`."""
    style: Style

    @classmethod
    def of(cls, book: Book) -> "Prose":
        """Blank the furniture and look at the marks."""
        text = book.read()
        return cls(book=book, text=text, style=style_of(text))
