"""From a book's chapters to scenes of bare turns: what happens, who is present, who speaks."""
