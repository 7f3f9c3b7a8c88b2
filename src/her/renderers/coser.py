"""CoSER's brackets: `[thought] (action) speech`, as its data and its judges have it (HER §1.4).

The format has no escapes: a bracket in speech is an action, as in CoSER itself. What it cannot say is refused, so that
reading what was written gives the same turn. Nested brackets belong to the outermost one; an unclosed `[` hides the
rest.
"""

from her.errors import TagError
from her.renderers.tags import render_turn
from her.schema import Part, PartKind, Turn, merge_parts

_CLOSES = {"[": "]", "(": ")"}
_KINDS: dict[str, PartKind] = {"[": "thought", "(": "action"}


def read_coser(message: str, *, speaker: str, turn_id: str) -> Turn:
    """The turn in a CoSER message. A name prefix is dropped. Raises TagError where nothing is left, or where the text
    could not be written in HER tags."""
    body = message.strip()
    if body.startswith(f"{speaker}:"):
        body = body[len(speaker) + 1 :]
    parts: list[Part] = []
    opener, depth, begun = "", 0, 0
    for position, char in enumerate(body):
        if not opener and char in _CLOSES:
            _add(parts, "speech", body[begun:position])
            opener, depth, begun = char, 1, position + 1
        elif opener and char == opener:
            depth += 1
        elif opener and char == _CLOSES[opener]:
            depth -= 1
            if not depth:
                _add(parts, _KINDS[opener], body[begun:position])
                opener, begun = "", position + 1
    _add(parts, _KINDS[opener] if opener else "speech", body[begun:])
    if not parts:
        raise TagError(f"turn {turn_id!r} is empty: no speech, action or thought in {len(message)} characters", 0)
    turn = Turn(id=turn_id, speaker=speaker, parts=merge_parts(tuple(parts)))
    render_turn(turn)
    return turn


def render_coser(turn: Turn) -> str:
    """The turn in brackets, without name and system thinking, neither of which the format knows."""
    pieces = []
    for part in turn.parts:
        if bad := next((c for c in "[]()" if c in part.text), None):
            at = part.text.index(bad)
            raise TagError(f"turn {turn.id!r}: {bad!r} at character {at} of a part cannot be said in brackets", at)
        pieces.append({"thought": "[{}]", "action": "({})", "speech": "{}"}[part.kind].format(part.text))
    return " ".join(pieces)


def _add(parts: list[Part], kind: PartKind, text: str) -> None:
    if text.strip():
        parts.append(Part(kind=kind, text=text.strip()))
