"""Chats as dialogues: ShareGPT and `messages` rows, and HER's two SFT configurations, which are chats too.

A chat is one character's account: the assistant's. Others' turns come without their thoughts, so only the assistant's
turns are targets (`Dialogue.perspective`). Turns are named by the message they stand in, as the row counts it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from her.data.imports.markup import Markup, Mended, markup_of, read_turn
from her.data.imports.system_prompt import Prompt, read_others, read_prompt
from her.errors import TagError
from her.renderers import CONVERSATION_START
from her.renderers.coser_json import Unread, add_turn, name_of, slug_of
from her.renderers.roleplay import CONTINUE
from her.schema import ENVIRONMENT, Character, Dialogue, Scene, Turn

_ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
}  # fmt: skip
_NAME = re.compile(r"\s*([^\W\d_][^:<>\n\[\](){}]{0,59}?):(?=\s)")
_SMALL = {"of", "the", "de", "da", "di", "du", "la", "le", "van", "von", "and", "y"}
_PLAN = re.compile(r"\A\s*<(?:system|think)[\w ]*>.*?</[\w ]+>\s*", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a chat."""

    place: int
    """Which of the row's messages, from 0."""
    role: str
    text: str


def messages_of(row: dict[str, object], *, item: str) -> tuple[list[Said], Unread | None]:
    """The messages of a row in any of the known spellings, or why it has none."""
    said: list[Said] = []
    if isinstance(row.get("system"), str):
        said.append(Said(place=0, role="system", text=str(row["system"])))
    field = next(
        (f for f in ("messages", "conversations", "conversation", "prompt") if isinstance(row.get(f), list)), None
    )
    if field is None:
        return [], Unread(item=item, field="messages", reason="no_messages")
    entries = row[field]
    assert isinstance(entries, list)
    answer = row.get("completion") if field == "prompt" else None
    entries = [*entries, *(answer if isinstance(answer, list) else [])]
    for k, entry in enumerate(entries):
        where = f"{field}[{k}]"
        if not isinstance(entry, dict):
            return [], Unread(item=item, field=where, reason="no_message")
        named = entry.get("role") or entry.get("from")
        role = _ROLES.get(str(named).lower())
        text = _content(entry["content"] if "content" in entry else entry.get("value"))
        if role is None:
            return [], Unread(item=item, field=where, reason="unknown_role", detail=str(named)[:80])
        if text is None:
            return [], Unread(item=item, field=where, reason="no_text")
        said.append(Said(place=k, role=role, text=text))
    return said, None


def read_chat(
    said: Sequence[Said], *, ident: str, scene_id: str, markup: Markup
) -> Iterator[Dialogue | Unread | Mended]:
    """The dialogue of a chat, after what of it could not be read."""
    told = "\n\n".join(s.text for s in said if s.role == "system")
    prompt = read_prompt(told)
    talk = [s for s in said if s.role != "system"]
    me = _assistant(prompt, talk)
    if me == ENVIRONMENT:
        yield Unread(item=ident, field="messages", reason="environment_s_account")
        return
    known = {me, ENVIRONMENT, *read_others(prompt.others, ())}
    known |= {name for s in talk if s.role == "user" and (name := _opening_name(_unmarked(s.text)))}
    grammar = markup_of((s.text for s in said), asked=markup)
    turns: list[Turn] = []
    for s in talk:
        spoken = [(me, s.text)] if s.role == "assistant" else _split(_unmarked(s.text), known)
        for j, (speaker, text) in enumerate(spoken):
            if not text.strip():
                continue
            turn_id = f"m{s.place:03d}" if j == 0 else f"m{s.place:03d}.{j}"
            try:
                turn, kinds = read_turn(text, speaker=speaker, turn_id=turn_id, markup=grammar)
            except (TagError, ValueError) as e:
                where = f"messages[{s.place}]"
                yield Unread(item=f"{ident}/{turn_id}", field=where, reason="unreadable", detail=str(e)[:200])
                continue
            if kinds:
                yield Mended(item=f"{ident}/{turn_id}", kinds=kinds)
            add_turn(turns, turn)
    if not any(t.speaker == me for t in turns):
        yield Unread(item=ident, field="messages", reason="no_reply")
        return
    book = prompt.book.strip() if prompt.book else None
    cast = _cast(me, prompt, [t.speaker for t in turns])
    scene = Scene(
        id=scene_id,
        book_id=slug_of(book) if book else None,
        chapter=None,
        scenario=prompt.scenario or "",
        characters=cast,
    )
    yield Dialogue(id=ident, scene=scene, turns=tuple(turns), provenance="imported", perspective=me)


def book_title(said: Sequence[Said]) -> str | None:
    """The book that a chat's system prompt names."""
    return next((read_prompt(s.text).book for s in said if s.role == "system"), None)


def _content(value: object) -> str | None:
    """Text as one string or as the parts of a chat API; None where it holds anything but text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in value]
    return "".join(str(t) for t in texts) if all(isinstance(t, str) for t in texts) else None


def _assistant(prompt: Prompt, talk: Sequence[Said]) -> str:
    """Who the assistant is: as most of its replies sign themselves, else as the prompt says, else plainly that."""
    signed = [_opening_name(_PLAN.sub("", s.text)) for s in talk if s.role == "assistant"]
    names = [n for n in signed if n is not None]
    most = max(names, key=names.count, default=None)
    if most is not None and names.count(most) * 2 > len(signed):
        return most
    return prompt.name or "Assistant"


def _unmarked(text: str) -> str:
    body = text.strip().removeprefix(CONVERSATION_START).strip()
    return "" if body == CONTINUE else body


def _opening_name(text: str) -> str | None:
    match = _NAME.match(text)
    return name_of(match[1]) if match and _looks_like_a_name(match[1]) else None


def _looks_like_a_name(text: str) -> bool:
    parts = text.split()
    return len(parts) <= 6 and all(p.lower() in _SMALL or not p[0].islower() for p in parts)


def _split(text: str, known: set[str]) -> list[tuple[str, str]]:
    """One message's turns: a paragraph that opens with a name begins one. Who has no name is the user."""
    found: list[tuple[str, str]] = []
    named = _opening_name(text) is not None
    for paragraph in re.split(r"\n[ \t]*\n", text):
        match = _NAME.match(paragraph)
        name = name_of(match[1]) if match else None
        if match and name and (name in known or (named and _looks_like_a_name(match[1]))):
            found.append((name, paragraph[match.end() :].strip()))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n\n{paragraph}".strip())
        else:
            found.append(("User", paragraph.strip()))
    return found


def _cast(me: str, prompt: Prompt, speakers: Sequence[str]) -> tuple[Character, ...]:
    others = read_others(prompt.others, speakers)
    mine = Character(name=me, profile=prompt.profile, background=prompt.background, motivation=prompt.motivation)
    names = dict.fromkeys([*others, *speakers])
    rest = (Character(name=name, profile=others.get(name)) for name in names if name not in (me, ENVIRONMENT))
    return (mine, *rest)
