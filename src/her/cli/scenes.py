"""The scenes a command may offer: the shipped story's, and those of the run whose model is asked for."""

from pathlib import Path

from her.schema import Dialogue, Scene
from her.store import read_jsonl
from her.story import load_scenes


def known_scenes(model: str) -> list[Scene]:
    """Scenes of the run first, where `model` is `run:DIR` of a run (or of a model inside one) on another text."""
    shipped = load_scenes()
    kind, _, rest = model.partition(":")
    if kind != "run":
        return shipped
    folder = Path(rest)
    made = next(
        (p / "synth" / "dialogues.jsonl" for p in (folder, *folder.parents[:2]) if (p / "run.json").is_file()), None
    )
    if made is None or not made.is_file():
        return shipped
    found = {d.scene.id: d.scene for d in read_jsonl(made, Dialogue)}
    own = {s.book_id for s in shipped}
    return [*(s for s in found.values() if s.book_id not in own), *shipped]
