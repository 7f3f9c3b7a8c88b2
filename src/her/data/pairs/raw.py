"""RawPair: two texts at the end of a chat, one of them preferred, and the Preference that they are.

Every format is read into this first, so that what is refused, and why, is decided once. The chat is read as any other
chat of a stranger (`imports.chats`): who speaks, what is thought and done, what the prompt tells of the scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from her.data.imports.chats import Said, read_chat
from her.data.imports.markup import Markup, markup_of, read_turn
from her.errors import TagError
from her.renderers.coser_json import Unread
from her.schema import Comparison, Dialogue, Preference, Provenance, Winner
from her.store import sha256_text

MOST_CHARS = 20_000
"""Longest side. A judge is asked both, twice; the gates of a policy refuse more as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPair:
    """A pair as a file has it."""

    id: str
    conversation: str
    """Pairs of one conversation are never in two splits."""
    chat: Sequence[Said]
    """What was said before, the system prompt included."""
    first: str
    second: str
    winner: Winner
    principle: str
    reason: str
    labeller: Provenance


def preference_of(pair: RawPair, *, markup: Markup = "auto") -> Preference | Unread:
    """The pair as a record, or why it is none: missing_side, equal_sides, too_long, bad_text, ends_with_reply,
    unreadable (a side or a turn before it), unsound."""
    try:
        return _read(pair, markup=markup)
    except (TagError, ValidationError) as e:
        return _refused(pair, "unsound" if isinstance(e, ValidationError) else "unreadable", str(e))


def _read(pair: RawPair, *, markup: Markup) -> Preference | Unread:
    for side in (pair.first, pair.second):
        if not side.strip():
            return _refused(pair, "missing_side")
        if len(side) > MOST_CHARS:
            return _refused(pair, "too_long", f"{len(side)} characters, {MOST_CHARS} at most")
    for text in (pair.first, pair.second, *(s.text for s in pair.chat)):
        try:
            text.encode()
        except UnicodeEncodeError as e:
            return _refused(pair, "bad_text", f"half a surrogate pair at character {e.start}")
    if pair.first.strip() == pair.second.strip():
        return _refused(pair, "equal_sides")
    if pair.chat and pair.chat[-1].role == "assistant":
        return _refused(pair, "ends_with_reply")
    place = max((s.place for s in pair.chat), default=-1) + 1
    whole = [*pair.chat, Said(place=place, role="assistant", text=pair.first)]
    dialogue: Dialogue | None = None
    for found in read_chat(whole, ident=pair.id, scene_id=pair.conversation, markup=markup):
        if isinstance(found, Unread):
            return _refused(pair, "unreadable", f"{found.field}: {found.reason} {found.detail}")
        if isinstance(found, Dialogue):
            dialogue = found
    if dialogue is None or dialogue.perspective is None or not dialogue.turns:
        return _refused(pair, "unreadable")
    first = dialogue.turns[-1]
    if first.id != f"m{place:03d}" or first.speaker != dialogue.perspective:
        return _refused(pair, "ends_with_reply")
    grammar = markup_of((pair.first, pair.second, *(s.text for s in pair.chat)), asked=markup)
    second, _ = read_turn(pair.second, speaker=first.speaker, turn_id=first.id, markup=grammar)
    if first.parts == second.parts:
        return _refused(pair, "equal_sides", "they differ in nothing that anyone sees")
    return Preference(
        comparison=Comparison(
            id=pair.id,
            scene=dialogue.scene,
            history=dialogue.turns[:-1],
            character=first.speaker,
            cand_1=first,
            cand_2=second,
        ),
        winner=pair.winner,
        principle=pair.principle,
        reason=pair.reason,
        labeller=pair.labeller,
    )


def placed(preference: Preference) -> Preference:
    """The pair in the order that its id decides, so that formats which list the better side first teach no habit."""
    return preference.swap() if int(sha256_text(preference.comparison.id)[:8], 16) % 2 else preference


def conversation_of(chat: Sequence[Said]) -> str:
    """A name for the conversation that a prompt belongs to: its system prompt and first message, hashed."""
    opening = [f"{s.role}\0{s.text}" for s in chat if s.role == "system"]
    opening += [f"{s.role}\0{s.text}" for s in chat if s.role != "system"][:1]
    return f"c{sha256_text(chr(0).join(opening))[:12]}"


def _refused(pair: RawPair, reason: str, detail: str = "") -> Unread:
    return Unread(item=pair.id, field="", reason=reason, detail=detail[:200])
