"""HER-Dataset's four configurations (HER §9), told apart row by row.

`full_info` and `clean` are conversations with everyone's thoughts; `sft_multi_turn` is one character's chat;
`sft_single_turn` is the same chat once for each of its replies, with growing history, which is put together again. The
field names of the last three were never published in full, so every name is optional and the richest one present wins.
"""

from collections.abc import Iterator, Mapping

from her.data.imports.chats import Said, messages_of, read_chat
from her.data.imports.markup import Markup, Mended, planned, read_turn
from her.data.imports.rows import safe_id
from her.errors import TagError
from her.renderers.coser_json import (
    Unread,
    add_turn,
    listed,
    name_of,
    read_plot,
    slug_of,
    stated,
    words,
)
from her.schema import ENVIRONMENT, Character, Dialogue, Plot, Scene, Turn

_TEXTS = ("enhanced_standard_format", "enhanced_speech", "standard_format")
"""Turns in HER tags, the most finished first."""
_PLANS = ("sys_thinking", "sys_thinking_revised", "sys_thinking_original")


def is_chat(row: Mapping[str, object]) -> bool:
    """Is this a row of one of the two SFT configurations?"""
    return isinstance(row.get("messages"), list)


def single_turn_group(row: Mapping[str, object]) -> str | None:
    """The chat of which a `sft_single_turn` row is one reply; None for any other row."""
    whole = words(row, "original_trace_id")
    return whole if is_chat(row) and whole is not None else None


def book_of(row: Mapping[str, object]) -> str | None:
    """The title that a conversation's row names."""
    sheets = row.get("character_datasets")
    first = next(iter(sheets.values()), None) if isinstance(sheets, dict) else None
    title = words(row, "book_name") or words(first, "book_name")
    return title.replace("_", " ") if title else None


def read_conversations(row: dict[str, object], *, fallback: str) -> Iterator[Plot | Dialogue | Unread | Mended]:
    """A row of `full_info` or `clean`; `fallback` names it where it states nothing."""
    found = row.get("conversation")
    conversations = listed(found) or ([found] if isinstance(found, dict) else [])
    title = book_of(row)
    slug = slug_of(title) if title else None
    number = stated("i_p", row, *conversations)
    trace = words(row, "trace_id_book_chapter") or words(row, "trace_id")
    if not conversations:
        yield Unread(item=trace or fallback, field="conversation", reason="no_conversation")
        return
    plot_id = f"{slug}.p{number}" if slug and number is not None else None
    if plot_id is not None and number is not None:
        yield read_plot(row, ident=plot_id, number=number, span=None)
    for k, conversation in enumerate(conversations):
        part = stated("i_c", conversation)
        part = stated("i_c", row) if part is None else part
        if plot_id is not None and part is not None:
            ident = f"{plot_id}.c{part}"
        else:
            # An enumeration index is part of the trace; it is kept as the name it is, and never counted anew.
            ident = safe_id(f"{trace or fallback}{f'.{k}' if k else ''}")
        yield from _conversation(conversation, row=row, ident=ident, book_id=slug, plot_id=plot_id)


def read_account(row: dict[str, object], *, fallback: str, markup: Markup) -> Iterator[Dialogue | Unread | Mended]:
    """A row of `sft_multi_turn`."""
    trace = words(row, "trace_id") or fallback
    said, wrong = messages_of(row, item=trace)
    if wrong is not None:
        yield wrong
        return
    conversation = trace.split("/")[0]
    yield from read_chat(said, ident=safe_id(trace), scene_id=safe_id(conversation), markup=markup)


def read_replies(rows: list[dict[str, object]], *, group: str, markup: Markup) -> Iterator[Dialogue | Unread | Mended]:
    """The chat that rows of `sft_single_turn` are replies of: the longest one, with each row's own last message in its
    place, as a plan stands only where it is the reply."""
    chats: list[list[Said]] = []
    for row in rows:
        said, wrong = messages_of(row, item=words(row, "trace_id") or group)
        if wrong is not None:
            yield wrong
        elif said:
            chats.append(said)
    if not chats:
        return
    whole = list(chats[max(range(len(chats)), key=lambda k: len(chats[k]))])
    for said in chats:
        last = len(said) - 1
        if not said[last].role == whole[last].role == "assistant":
            yield Unread(item=group, field=f"messages[{last}]", reason="no_reply")
        elif any(a.role == "user" and a.text != b.text for a, b in zip(said, whole, strict=False)):
            # Cut to fit a length, perhaps: its place in the whole chat cannot be told.
            yield Unread(item=group, field="messages", reason="other_history")
        else:
            whole[last] = said[last]
    yield from read_chat(whole, ident=safe_id(group), scene_id=safe_id(group.split("/")[0]), markup=markup)


def _conversation(
    conversation: object, *, row: dict[str, object], ident: str, book_id: str | None, plot_id: str | None
) -> Iterator[Dialogue | Unread | Mended]:
    turns: list[Turn] = []
    taken: set[str] = set()
    for k, entry in enumerate(listed(conversation.get("dialogues") if isinstance(conversation, dict) else None)):
        speaker = name_of(entry.get("character")) if isinstance(entry, dict) else None
        item, where = f"{ident}/{k}", f"conversation.dialogues[{k}]"
        if not isinstance(entry, dict) or speaker is None:
            yield Unread(item=item, field=f"{where}.character", reason="no_speaker")
            continue
        tagged = next((t for f in _TEXTS if (t := words(entry, f))), None)
        text = tagged or words(entry, "message")
        if text is None:
            yield Unread(item=item, field=f"{where}.message", reason="empty")
            continue
        turn_id = f"t{_origin(entry, k):03d}"
        turn_id = f"{turn_id}-{k}" if turn_id in taken else turn_id
        taken.add(turn_id)
        plan = next((p for f in _PLANS if (p := words(entry, f))), None)
        try:
            turn, kinds = read_turn(text, speaker=speaker, turn_id=turn_id, markup="her" if tagged else "coser")
            turn, more = planned(turn, plan)
        except (TagError, ValueError) as e:
            yield Unread(item=item, field=where, reason="unreadable", detail=str(e)[:200])
            continue
        if kinds or more:
            yield Mended(item=item, kinds=(*kinds, *more))
        add_turn(turns, turn)
    if len(turns) < 2 or all(t.speaker == ENVIRONMENT for t in turns):
        yield Unread(item=ident, field="conversation.dialogues", reason="too_short")
        return
    chapter = row.get("chapter")
    scene = Scene(
        id=ident,
        book_id=book_id,
        chapter=chapter if isinstance(chapter, int) and not isinstance(chapter, bool) else None,
        scenario=words(conversation, "scenario_enriched") or words(conversation, "scenario") or "",
        topic=words(conversation, "topic"),
        characters=_cast(conversation, row, turns),
        plot_id=plot_id,
    )
    yield Dialogue(id=ident, scene=scene, turns=tuple(turns), provenance="imported")


def _origin(entry: dict[str, object], place: int) -> int:
    """Where the turn stood before turns of one character were joined."""
    origin = entry.get("origin_id")
    first = origin[0] if isinstance(origin, list) and origin else origin
    return first if isinstance(first, int) and not isinstance(first, bool) and first >= 0 else place


def _cast(conversation: object, row: dict[str, object], turns: list[Turn]) -> tuple[Character, ...]:
    sheets = row.get("character_datasets")
    sheets = sheets if isinstance(sheets, dict) else {}
    here = {name_of(p.get("name")): p for p in listed(_field(conversation, "key_characters")) if isinstance(p, dict)}
    told = {name_of(p.get("name")): p for p in listed(row.get("key_characters")) if isinstance(p, dict)}
    by_name = {name_of(name): sheet for name, sheet in sheets.items()}
    summary = words(row, "summary")
    cast = []
    for name in dict.fromkeys([*here, *by_name, *(t.speaker for t in turns)]):
        if name is None or name == ENVIRONMENT:
            continue
        sheet, card = by_name.get(name), told.get(name)
        description = words(sheet, "description_enriched") or words(sheet, "description") or words(card, "description")
        profile = words(sheet, "character_profile_enriched") or words(sheet, "character_profile")
        if description and profile and description not in profile:
            profile = f"{description}\n\n{profile}"
        # The plot's summary, which some rows call everyone's background, tells each what the others hide.
        background = words(sheet, "background_enriched") or words(sheet, "background")
        background = None if background == summary else background
        past = words(sheet, "experience_enriched") or words(sheet, "experience") or words(card, "experience")
        wants = words(sheet, "motivation_enriched") or words(sheet, "motivation") or words(here.get(name), "motivation")
        cast.append(
            Character(
                name=name,
                profile=profile or description,
                background="\n\n".join(dict.fromkeys(t for t in (background, past) if t)) or None,
                motivation=wants,
            )
        )
    return tuple(cast)


def _field(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None
