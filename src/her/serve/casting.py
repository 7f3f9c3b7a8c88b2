"""Which scene a named character is found in, and under which settings a model was trained to play.

Owns the choices `her chat` and `her serve` share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError
from her.llm.trained import load_trained
from her.schema import HistoryPolicy, Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a model is to be asked: as it was trained."""

    history_policy: HistoryPolicy = "drop_own_system"
    system_thinking: bool = True


def find_scene(scenes: Sequence[Scene], scene_id: str | None, character: str) -> Scene:
    """The scene called `scene_id`, or the first with the character."""
    if scene_id is not None:
        found = next((s for s in scenes if s.id == scene_id), None)
        if found is None:
            raise InputError(f"there is no scene {scene_id!r}; choose one of: {', '.join(s.id for s in scenes)}")
        if character not in found.names():
            raise InputError(f"{character!r} is not in scene {scene_id!r}; choose one of: {', '.join(found.names())}")
        return found
    found = next((s for s in scenes if character in s.names()), None)
    if found is None:
        names = dict.fromkeys(name for s in scenes for name in s.names())
        raise InputError(f"no scene has {character!r}; choose one of: {', '.join(names)}")
    return found


def ways_of(model: str) -> Ways:
    """The settings recorded with a trained model; the defaults for any other."""
    kind, _, folder = model.partition(":")
    if kind != "run":
        return Ways()
    card = load_trained(Path(folder)).card
    if card.stage == "judge":
        raise InputError(f"{model} is a judge; it compares replies and plays nobody: name a run or its policy")
    return Ways(history_policy=card.history_policy, system_thinking=card.system_thinking)
