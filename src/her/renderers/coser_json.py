"""CoSER's JSON as records: books of plots, plots of conversations, and the cases of its test set (HER §2.1, §6.1).

Owns where that JSON keeps what, and who is who: ids are made of `i_p`, `i_c` and `i_u` as the file states them, and of
a place in the file's own, uncleaned list where it states none (HER §8.2, 13: ids counted in a cleaned list held out the
wrong scenes). Tolerant of what is missing; what cannot be read is named with its field and reason. Opens no file.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from her.errors import TagError
from her.renderers.coser import read_coser
from her.schema import ENVIRONMENT, Book, Chapter, Character, Dialogue, Plot, Scene, Span, Turn, merge_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Something in a file that became no record: which, in what field, and why."""

    item: str
    field: str
    reason: str
    """The short name under which it is counted."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a file says around a conversation."""

    book_id: str
    plot: Mapping[str, object]
    plot_id: str | None
    profiles: Mapping[str, str]
    """Name to the book-wide profile."""
    chapter: int | None
    span: Span | None


def slug_of(title: str) -> str:
    """A title as the letters an id may have. What has no such letters is kept apart by a hash."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", title.replace("_", " ")) if not unicodedata.combining(c))
    slug = re.sub(r"[^a-z0-9]+", "-", re.sub(r"['’ʼ]", "", plain.lower())).strip("-")  # noqa: RUF001
    lost = any(c.isalnum() and not c.isascii() for c in plain)
    mark = sha256(title.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{slug or 'book'}-{mark}" if lost or not slug else slug


def title_of(name: str) -> str:
    """The title in a file's name: `king-lear.full.json` is King Lear."""
    stem = re.sub(r"(?:\.full)?\.jsonl?$", "", name, flags=re.IGNORECASE).replace("_", " ").strip()
    return stem.replace("-", " ").title() if stem == stem.lower() else stem


def read_book(data: Mapping[str, object], *, slug: str, title: str) -> Iterator[Book | Plot | Dialogue | Unread]:
    """Everything in a CoSER `full` file: the book with its plots' texts, then each plot and its conversations."""
    plots = listed(data.get("plots"))
    yield _book(plots, slug=slug, title=title)
    profiles = _profiles(data.get("character_datasets"))
    seen: set[str] = set()
    at = 0
    for index, plot in enumerate(plots):
        if not isinstance(plot, dict):
            yield Unread(item=f"{slug}.p{index}", field="plots", reason="no_plot")
            continue
        text = words(plot, "text")
        span = Span(start=at, end=at + len(text)) if text else None
        at += len(text) + 2 if text else 0
        conversations = listed(plot.get("conversation"))
        number = stated("i_p", plot, *conversations)
        number = index if number is None else number
        ident = _fresh(f"{slug}.p{number}", index, seen)
        yield read_plot(plot, ident=ident, number=number, span=span)
        if not conversations:
            yield Unread(item=ident, field="conversation", reason="no_conversation")
        around = Around(
            book_id=slug, plot=plot, plot_id=ident, profiles=profiles, chapter=number + 1 if span else None, span=span
        )
        for k, conversation in enumerate(conversations):
            given = stated("i_c", conversation)
            yield from read_conversation(
                conversation, around, ident=_fresh(f"{ident}.c{k if given is None else given}", k, seen)
            )


def read_case(data: Mapping[str, object], *, slug: str, ident: str) -> Iterator[Plot | Dialogue | Unread]:
    """A case of the test set, or any conversation that brings its plot and profiles with it."""
    plot = data.get("plot")
    plot = plot if isinstance(plot, dict) else {}
    number = stated("i_p", data, plot)
    plot_id = None if number is None else f"{slug}.p{number}"
    if plot_id is not None and number is not None:
        yield read_plot(plot, ident=plot_id, number=number, span=None)
    around = Around(
        book_id=slug, plot=plot, plot_id=plot_id, profiles=_profiles(data.get("character_profiles")), chapter=None,
        span=None,
    )  # fmt: skip
    yield from read_conversation(data, around, ident=ident)


def read_plot(plot: Mapping[str, object], *, ident: str, number: int, span: Span | None) -> Plot:
    """The plot's card. Its chapter is its number, from 1: CoSER's own `chapter` is free text."""
    prominence = plot.get("prominence")
    sound = isinstance(prominence, int) and not isinstance(prominence, bool) and 0 <= prominence <= 100
    return Plot(
        id=ident,
        chapter=number + 1,
        span=span,
        summary=words(plot, "summary"),
        prominence=prominence if sound and isinstance(prominence, int) else None,
        characters=tuple(_by_name(plot.get("key_characters"))),
    )


def read_conversation(data: object, around: Around, *, ident: str) -> Iterator[Dialogue | Unread]:
    """The dialogue in a conversation, behind whatever of it could not be read."""
    turns: list[Turn] = []
    taken: set[str] = set()
    for k, entry in enumerate(listed(_get(data, "dialogues"))):
        speaker, message = name_of(_get(entry, "character") or _get(entry, "name")), _message(entry)
        item = f"{ident}/{k}"
        if speaker is None:
            yield Unread(item=item, field=f"dialogues[{k}].character", reason="no_speaker")
            continue
        if message is None:
            yield Unread(item=item, field=f"dialogues[{k}].message", reason="empty")
            continue
        given = stated("i_u", entry)
        turn_id = _fresh(f"t{k if given is None else given:03d}", k, taken)
        try:
            add_turn(turns, read_coser(message, speaker=speaker, turn_id=turn_id))
        except (TagError, ValueError) as e:
            yield Unread(item=item, field=f"dialogues[{k}].message", reason="unreadable", detail=str(e)[:200])
    speakers = [t.speaker for t in turns if t.speaker != ENVIRONMENT]
    if len(turns) < 2 or not speakers:
        yield Unread(item=ident, field="dialogues", reason="too_short")
        return
    scene = Scene(
        id=ident,
        book_id=around.book_id,
        chapter=around.chapter,
        scenario=words(data, "scenario") or words(around.plot, "summary") or "",
        topic=words(data, "topic"),
        characters=_cast(data, around, speakers),
        span=around.span,
        plot_id=around.plot_id,
    )
    yield Dialogue(id=ident, scene=scene, turns=tuple(turns), provenance="imported")


def add_turn(turns: list[Turn], turn: Turn) -> None:
    """Append a turn, or join it to the last one where the same character goes on (HER §1.6). The joined turn keeps the
    first one's identity: later stages look it up by that, never by position. A turn with a plan of its own stays."""
    last = turns[-1] if turns else None
    if last is None or last.speaker != turn.speaker or turn.system_thinking is not None:
        turns.append(turn)
    else:
        turns[-1] = last.model_copy(update={"parts": merge_parts((*last.parts, *turn.parts))})


def stated(key: str, *places: object) -> int | None:
    """The number that a place states, itself or through its people and lines (which repeat `i_p` and `i_c`)."""
    for place in places:
        inner = (*listed(_get(place, "key_characters")), *listed(_get(place, "dialogues"))) if key != "i_u" else ()
        for candidate in (place, *inner):
            found = _get(candidate, key)
            if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
                return found
    return None


def listed(value: object) -> list[object]:
    """A list, or nothing in place of one."""
    return value if isinstance(value, list) else []


def words(value: object, key: str) -> str | None:
    """A text field without its edges; None where there is nothing in it."""
    found = _get(value, key)
    return found.strip() or None if isinstance(found, str) else None


def name_of(value: object) -> str | None:
    """A name as a character may have it; None where nothing is left."""
    if not isinstance(value, str):
        return None
    return " ".join(value.replace(":", " ").replace("<", " ").split()) or None


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _message(entry: object) -> str | None:
    """What is said. Lines of some books lost the word `message`: a thought stays hidden, a description is an action."""
    if message := words(entry, "message"):
        return message
    if thought := words(entry, "thought"):
        return thought if thought.startswith("[") else f"[{thought}]"
    if done := words(entry, "description"):
        return done if done.startswith("(") else f"({done})"
    return None


def _fresh(ident: str, place: int, seen: set[str]) -> str:
    """`ident`, told apart by its place in the file where the file states it twice."""
    found = f"{ident}-{place}" if ident in seen else ident
    seen.add(found)
    return found


def _book(plots: Sequence[object], *, slug: str, title: str) -> Book:
    """The plots' texts one after the other; a chapter for each plot that has one, numbered as the plot is."""
    chapters: list[Chapter] = []
    pieces: list[str] = []
    at = 0
    for index, plot in enumerate(plots):
        text = words(plot, "text")
        if text is None:
            continue
        number = stated("i_p", plot, *listed(_get(plot, "conversation")))
        heading = words(plot, "chapter") or f"Plot {index}"
        span = Span(start=at, end=at + len(text))
        chapters.append(Chapter(number=(index if number is None else number) + 1, title=heading, span=span))
        pieces.append(text)
        at += len(text) + 2
    return Book(id=slug, title=title, text="\n\n".join(pieces), chapters=tuple(chapters))


def _profiles(value: object) -> dict[str, str]:
    """Book-wide profiles by name: a dict of texts, or of sheets with a `profile`."""
    found = {}
    for name, sheet in value.items() if isinstance(value, dict) else ():
        text = sheet.strip() if isinstance(sheet, str) else words(sheet, "profile")
        if text:
            found[str(name)] = text
    return found


def _cast(conversation: object, around: Around, speakers: Sequence[str]) -> tuple[Character, ...]:
    """Everyone the conversation lists and everyone who speaks, each once."""
    listed_here = _by_name(_get(conversation, "key_characters"))
    told = _by_name(around.plot.get("key_characters"))
    cast = []
    for name in dict.fromkeys([*listed_here, *speakers]):
        if name == ENVIRONMENT:
            continue
        here, there = listed_here.get(name), told.get(name)
        about = (words(there, "description"), around.profiles.get(name))
        cast.append(
            Character(
                name=name,
                profile="\n\n".join(text for text in about if text) or None,
                # The test set calls it `summary`.
                background=words(there, "experience") or words(there, "summary"),
                # The test set calls it `thought`.
                motivation=words(here, "motivation") or words(here, "thought"),
            )
        )
    return tuple(cast)


def _by_name(value: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in listed(value):
        name = name_of(_get(entry, "name") or _get(entry, "character"))
        if name is not None:
            found.setdefault(name, entry)
    return found
