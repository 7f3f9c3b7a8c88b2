"""Labelled pairs for a judge that is trained in a test."""

from reward_cases import SCENE, preference, turn

from her.reward.brief import Brief
from her.reward.lessons import Lesson, from_labels
from her.reward.pack import load_pack
from her.schema import Preference, Scene

COUPLED = Brief(mode="coupled", max_turns=0, max_words=2, max_findings=1)
INDEPENDENT = Brief(mode="independent", max_turns=0, max_words=2, max_principles=2)


def pairs(n: int = 4) -> list[Preference]:
    """The longer reply wins; it stands first in every second pair. Two pairs a scene."""
    made = []
    for i in range(n):
        scene = Scene.model_validate({**SCENE.model_dump(), "id": f"mill-{i // 2}", "scenario": f"Night {i // 2}."})
        long, short = turn("It went where stones go, father."), turn(f"No {i}.")
        first, second, winner = (long, short, "cand_1") if i % 2 else (short, long, "cand_2")
        principle = "Own Voice" if i % 2 else "Out of Era"
        made.append(preference(first, second, winner, id=f"c{i}", scene=scene, principle=principle))
    return made


def lessons(n: int = 4) -> tuple[Lesson, ...]:
    return from_labels(pairs(n), load_pack()).lessons
