"""The shipped seed data: one story of our own (CC0), its gold two-layer annotations and labelled pairs.

`The Ninth Lantern`: seven chapters, fourteen dialogue scenes, seven people with secrets from one another. Everything
in `lantern/` was written for this project; the loader reads it through the strict reader, so a fault in the data is an
error and not a repair.
"""

from her.story.load import load_book, load_gold, load_pairs, load_passes, load_scenes, story_path

__all__ = ["load_book", "load_gold", "load_pairs", "load_passes", "load_scenes", "story_path"]
