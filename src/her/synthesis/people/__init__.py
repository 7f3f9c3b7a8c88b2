"""Who is spoken of in a book, under which names, and which names are one person."""
