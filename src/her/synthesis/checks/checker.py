"""The checker: what in a two-layer dialogue should not be there, by kind, turn and layer.

Owns the running of the rules of `checks` and of `injection`, and the attaching of what they find. Says what it found
and cuts nothing: a finding is a doubt to count, to filter by and to read, and never an error.
"""

from collections.abc import Callable, Iterable, Iterator

from her.schema import ENVIRONMENT, Dialogue, Flag, Record, Turn
from her.synthesis.checks import (
    impossible_knowledge,
    injection,
    mind_reading,
    says_user,
    speaks_for_others,
    third_person_thought,
    thought_in_speech,
)
from her.synthesis.checks.standpoint import Standpoint, standpoint

_RULES: dict[str, Callable[[Standpoint], Iterator[Flag]]] = {
    m.KIND: m.find
    for m in (
        impossible_knowledge,
        mind_reading,
        says_user,
        speaks_for_others,
        third_person_thought,
        thought_in_speech,
    )
}
KINDS = (*sorted((*_RULES, injection.KIND)),)
"""Every kind that `check` knows, sorted."""


class Finding(Record):
    """One doubt about one place of a dialogue."""

    dialogue_id: str
    turn_id: str | None
    """None: the scene's card."""
    flag: Flag


def check(dialogue: Dialogue) -> tuple[Finding, ...]:
    """What the rules find: the card first, then turn by turn."""
    found = [
        Finding(dialogue_id=dialogue.id, turn_id=None, flag=f)
        for f in (*says_user.find_in_scene(dialogue.scene), *injection.in_scene(dialogue.scene))
    ]
    for turn in dialogue.turns:
        flags = dict.fromkeys((*_rules(dialogue, turn), *injection.in_turn(turn)))
        found += [Finding(dialogue_id=dialogue.id, turn_id=turn.id, flag=f) for f in flags]
    return tuple(found)


def _rules(dialogue: Dialogue, turn: Turn) -> Iterator[Flag]:
    place = standpoint(dialogue, turn)
    for kind, rule in _RULES.items():
        # The Environment has no mind to speak from, and to tell what happens to others is its work.
        if turn.speaker != ENVIRONMENT or kind == says_user.KIND:
            yield from rule(place)


def flagged(dialogue: Dialogue, findings: Iterable[Finding] | None = None) -> Dialogue:
    """The dialogue with findings (default: those of `check`) attached to its turns and its scene. Flags that are there
    already stay; attaching the same findings twice changes nothing."""
    new: dict[str | None, list[Flag]] = {}
    for finding in check(dialogue) if findings is None else findings:
        new.setdefault(finding.turn_id, []).append(finding.flag)
    scene = dialogue.scene
    turns = tuple(t.model_copy(update={"flags": _merged(t.flags, new.get(t.id, ()))}) for t in dialogue.turns)
    card = scene.model_copy(update={"flags": _merged(scene.flags, new.get(None, ()))})
    return dialogue.model_copy(update={"turns": turns, "scene": card})


def _merged(old: Iterable[Flag], new: Iterable[Flag]) -> tuple[Flag, ...]:
    return tuple(dict.fromkeys((*old, *new)))
