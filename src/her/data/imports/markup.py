"""Which grammar a text is written in, and the turn that it is: HER's tags, CoSER's brackets, or plain speech."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from her.errors import TagError
from her.renderers import CONVERSATION_START, read_coser, read_lenient
from her.schema import ENVIRONMENT, Turn

Markup = Literal["auto", "her", "coser", "plain"]
_HER = re.compile(r"</?\s*(?:role|system)[ _]?(?:think|action|speech)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A turn that was read with forgiveness, and the kinds of repair it took."""

    item: str
    kinds: tuple[str, ...]


def markup_of(texts: Iterable[str], *, asked: Markup) -> Markup:
    """What a row is written in. Brackets count as markup only in the chats of CoSER's family, which open with its
    marker: anywhere else `(see below)` is speech."""
    if asked != "auto":
        return asked
    found: Markup = "plain"
    for text in texts:
        if _HER.search(text):
            return "her"
        if CONVERSATION_START in text:
            found = "coser"
    return found


def read_turn(text: str, *, speaker: str, turn_id: str, markup: Markup) -> tuple[Turn, tuple[str, ...]]:
    """The turn in `text`, and what had to be forgiven. Raises TagError where nothing is left to be seen or heard."""
    if markup == "coser":
        return read_coser(text, speaker=speaker, turn_id=turn_id), ()
    reading = read_lenient(text, speaker=speaker, turn_id=turn_id)
    if not reading.turn.parts:
        raise TagError(f"turn {turn_id!r} has a plan and no body", 0)
    return reading.turn, tuple(repair.kind for repair in reading.repairs)


def planned(turn: Turn, plan: str | None) -> tuple[Turn, tuple[str, ...]]:
    """The turn with a plan that stood in a field of its own, with or without tags around it."""
    if plan is None or turn.speaker == ENVIRONMENT:
        return turn, ()
    tagged = plan if _HER.search(plan) else f"<system_thinking>{plan}</system_thinking>"
    reading = read_lenient(f"{tagged}.", speaker=turn.speaker, turn_id=turn.id)
    kinds = tuple(r.kind for r in reading.repairs)
    return Turn(id=turn.id, speaker=turn.speaker, system_thinking=reading.turn.system_thinking, parts=turn.parts), kinds
