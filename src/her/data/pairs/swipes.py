"""Swipes and edits: what a reader of a SillyTavern chat preferred, as raw pairs.

A chat file is JSON Lines: a header, then messages. A message with several `swipes` was sampled again until the reader
was content; `mes` is what stayed. Where `mes` is not the swipe that was chosen, the reader rewrote it, and the file has
both. The last message is no choice yet: nobody has answered it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from her.data.imports.chats import Said
from her.data.imports.rows import Rows, safe_id
from her.data.pairs.raw import RawPair
from her.renderers.coser_json import Unread, name_of


def swiped(path: Path) -> Iterator[tuple[int | None, RawPair | Unread]]:
    """Every pair of a chat file, and every message that holds a choice which is no pair, with its line."""
    rows: list[tuple[int, dict[str, object]]] = []
    for row in Rows(path):
        if isinstance(row.value, Unread):
            yield row.number, row.value
        else:
            rows.append((row.number, row.value))
    conversation = safe_id(path.stem)
    character = _header(rows)
    messages = [(n, m) for n, m in rows if isinstance(m.get("mes"), str) and not m.get("is_system")]
    if not messages:
        yield None, Unread(item=conversation, field="mes", reason="no_messages")
        return
    chat: list[Said] = [] if character is None else [Said(place=0, role="system", text=f"You are {character}.")]
    for i, (line, message) in enumerate(messages):
        said = str(message["mes"])
        me = not message.get("is_user")
        name = name_of(message.get("name")) or ("User" if not me else character or "Assistant")
        if me and character is not None and name != character and _swipes(message):
            yield line, Unread(item=f"{conversation}.{i}", field="name", reason="another_character", detail=name)
        elif me:
            for found in _pairs(message, chat, ident=f"{conversation}.{i}", last=i == len(messages) - 1):
                yield line, found
        ours = me and (character is None or name == character)
        chat.append(Said(place=i + 1, role="assistant" if ours else "user", text=f"{name}: {said}"))


def _pairs(message: dict[str, object], chat: Sequence[Said], *, ident: str, last: bool) -> Iterator[RawPair | Unread]:
    swipes = _swipes(message)
    said = str(message["mes"])
    if not swipes or (len(swipes) == 1 and swipes[0] == said):
        return
    if last:
        yield Unread(item=ident, field="swipes", reason="not_yet_chosen")
        return
    at = message.get("swipe_id")
    chosen_at = at if isinstance(at, int) and 0 <= at < len(swipes) else None
    for k, other in enumerate(swipes):
        if k == chosen_at and other == said:
            continue
        edited = k == chosen_at
        yield RawPair(
            id=f"{ident}.{k}",
            conversation=ident.rpartition(".")[0],
            chat=tuple(chat),
            first=said,
            second=other,
            winner="cand_1",
            principle="(edited)" if edited else "(swiped)",
            reason="the reader rewrote the other" if edited else "the reader kept this of several",
            labeller="human",
        )


def _swipes(message: dict[str, object]) -> list[str]:
    found = message.get("swipes")
    return [s for s in found if isinstance(s, str)] if isinstance(found, list) else []


def _header(rows: Sequence[tuple[int, dict[str, object]]]) -> str | None:
    """The character that the file's header names, else the first that is not the user."""
    named = next((name_of(r.get("character_name")) for _, r in rows[:1] if "mes" not in r), None)
    if named is not None and named.lower() != "unused":
        return named
    return next(
        (name_of(m.get("name")) for _, m in rows if isinstance(m.get("mes"), str) and not m.get("is_user")), None
    )
