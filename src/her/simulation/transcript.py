"""What someone outside the cast, the Environment or the one who calls the next speaker, is shown of a scene.

Owns the text of their user message. Hidden layers never reach them (HER §1.5): every turn goes through `Turn.seen_by`.
"""

from collections.abc import Sequence

from her.renderers.display import render_display
from her.schema import Character, Scene, Turn, Viewer

_OUTSIDER = Viewer.reader()


def transcript(scene: Scene, history: Sequence[Turn], *, last: int = 12) -> str:
    """The scenario, the cast as everyone knows it, and the last turns as everyone saw them."""
    seen = [t.seen_by(_OUTSIDER) for t in history]
    lines = [render_display(t, name=True) for t in seen if t.parts][-last:]
    cast = "\n".join(_introduction(c) for c in scene.characters)
    said = "\n".join(lines) or "(nobody has spoken yet)"
    return f"Scene: {scene.scenario}\n\nCast:\n{cast}\n\nSo far:\n{said}"


def _introduction(character: Character) -> str:
    return f"- {character.name}" if character.profile is None else f"- {character.name}: {character.profile}"
