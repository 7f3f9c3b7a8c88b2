"""CoSER's curated JSON in place of extraction: plots, conversations, `[thought] (action) speech`.

Tolerant of what is missing and strict about identity: ids are made of `i_p` and `i_c` as the file states them, never
of a position in a cleaned list. What cannot be read is rejected by item and counted. Knows no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from her.errors import InputError, TagError
from her.renderers.coser import read_coser
from her.schema import ENVIRONMENT, Book, Chapter, Character, Dialogue, Scene, Span, Turn, merge_parts
from her.store import read_json
from her.synthesis.result import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """A curated file as records: the plots' texts joined into a book, and the conversations without system thinking."""

    book: Book
    dialogues: tuple[Dialogue, ...]
    rejects: tuple[Reject, ...]


def read_curated(path: Path) -> Curated:
    """Read a CoSER `full` file. Raises InputError where it is not one or holds no usable conversation."""
    data = read_json(path)
    plots = data.get("plots") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(plots, list):
        raise InputError(f"{path} has no list `plots`; give a CoSER `full` JSON file or a plain text")
    slug = path.name.split(".")[0]
    sheets = data.get("character_datasets")
    profiles = {
        str(name): str(sheet["profile"]).strip()
        for name, sheet in (sheets.items() if isinstance(sheets, dict) else ())
        if isinstance(sheet, dict) and sheet.get("profile")
    }
    book, chapters = _book(slug, plots)
    dialogues: list[Dialogue] = []
    rejects: list[Reject] = []
    for index, plot in enumerate(plots):
        conversations = plot.get("conversation") if isinstance(plot, dict) else None
        if not isinstance(plot, dict) or not isinstance(conversations, list) or not conversations:
            rejects.append(Reject(stage="curated", item_id=f"{slug}.p{index}", reason="no_conversation"))
            continue
        for k, conversation in enumerate(conversations):
            ident = f"{slug}.p{_number(plot.get('i_p'), index)}.c{_number(_get(conversation, 'i_c'), k)}"
            if any(d.id == ident for d in dialogues):
                ident = f"{ident}-{k}"
            made = _dialogue(
                conversation, ident=ident, plot=plot, profiles=profiles, chapter=chapters.get(index), rejects=rejects
            )
            if made is not None:
                dialogues.append(made)
    if not dialogues:
        raise InputError(f"{path} holds no conversation that can be read; {len(rejects)} items were refused")
    return Curated(book=book, dialogues=tuple(dialogues), rejects=tuple(rejects))


def _number(value: object, fallback: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else fallback


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: object, key: str) -> str | None:
    found = _get(value, key)
    return found.strip() or None if isinstance(found, str) else None


def _book(slug: str, plots: Sequence[object]) -> tuple[Book, dict[int, Chapter]]:
    """The plots' texts one after the other; a chapter for each plot that has one."""
    chapters: dict[int, Chapter] = {}
    pieces: list[str] = []
    at = 0
    for index, plot in enumerate(plots):
        text = _text(plot, "text")
        if text is None:
            continue
        title = _text(plot, "chapter") or f"Plot {index}"
        chapters[index] = Chapter(number=len(chapters) + 1, title=title, span=Span(start=at, end=at + len(text)))
        pieces.append(text)
        at += len(text) + 2
    title = slug.replace("-", " ").replace("_", " ").title()
    return Book(id=slug, title=title, text="\n\n".join(pieces), chapters=tuple(chapters.values())), chapters


def _dialogue(
    conversation: object,
    *,
    ident: str,
    plot: Mapping[str, object],
    profiles: Mapping[str, str],
    chapter: Chapter | None,
    rejects: list[Reject],
) -> Dialogue | None:
    entries = _get(conversation, "dialogues")
    turns: list[Turn] = []
    for k, entry in enumerate(entries if isinstance(entries, list) else ()):
        speaker, message = _name(_get(entry, "character")), _text(entry, "message")
        item = f"{ident}/{k}"
        if speaker is None or message is None:
            rejects.append(Reject(stage="curated", item_id=item, reason="no_speaker" if speaker is None else "empty"))
            continue
        try:
            turn = read_coser(message, speaker=speaker, turn_id=f"t{k:03d}")
        except (TagError, ValueError) as e:
            rejects.append(Reject(stage="curated", item_id=item, reason="unreadable", detail=str(e)[:200]))
            continue
        if turns and turns[-1].speaker == speaker:
            # The merged turn keeps the first one's identity: later stages look it up by that, never by position.
            turns[-1] = Turn(id=turns[-1].id, speaker=speaker, parts=merge_parts((*turns[-1].parts, *turn.parts)))
        else:
            turns.append(turn)
    speakers = [t.speaker for t in turns if t.speaker != ENVIRONMENT]
    if len(turns) < 2 or not speakers:
        rejects.append(Reject(stage="curated", item_id=ident, reason="too_short"))
        return None
    scene = Scene(
        id=ident,
        book_id=ident.split(".")[0],
        chapter=chapter.number if chapter else None,
        scenario=_text(conversation, "scenario") or _text(plot, "summary") or "",
        topic=_text(conversation, "topic"),
        characters=_cast(conversation, plot=plot, profiles=profiles, speakers=speakers),
        span=chapter.span if chapter else None,
    )
    return Dialogue(id=ident, scene=scene, turns=tuple(turns), provenance="imported")


def _name(value: object) -> str | None:
    """A name as a character may have it; None where nothing is left."""
    if not isinstance(value, str):
        return None
    name = " ".join(value.replace(":", " ").replace("<", " ").split())
    return name or None


def _cast(
    conversation: object, *, plot: Mapping[str, object], profiles: Mapping[str, str], speakers: Sequence[str]
) -> tuple[Character, ...]:
    """Everyone the conversation lists and everyone who speaks, each once."""
    listed = _by_name(_get(conversation, "key_characters"))
    told = _by_name(plot.get("key_characters"))
    names = dict.fromkeys([*listed, *speakers])
    cast = []
    for name in names:
        if name == ENVIRONMENT:
            continue
        here, there = listed.get(name), told.get(name)
        cast.append(
            Character(
                name=name,
                profile=_text(there, "description") or profiles.get(name),
                background=_text(there, "experience"),
                # CoSER's test set calls the same field `thought`.
                motivation=_text(here, "motivation") or _text(here, "thought"),
            )
        )
    return tuple(cast)


def _by_name(value: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in value if isinstance(value, list) else ():
        name = _name(_get(entry, "name"))
        if name is not None:
            found.setdefault(name, entry)
    return found
