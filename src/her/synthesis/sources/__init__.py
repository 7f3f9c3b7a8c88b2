"""What a path holds: a text, an EPUB, a shelf or a curated file becomes books and plots, with exact offsets."""
