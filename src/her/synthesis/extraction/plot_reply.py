"""The reply of a teacher that has read a chunk: plots, their scenes, their turns.

Owns the schema that is asked for and the reading of what comes. The whole must be one JSON object; inside it every
plot, scene, turn and part stands for itself, so that one that is malformed costs itself alone and is named by its
place (`plots[0].scenes[1].turns[3]`). Nothing here is believed yet: what the text does not bear out is refused in
`her.synthesis.extraction.by_teacher`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from her.errors import TeacherError
from her.llm import Reply
from her.synthesis.reading import read_object
from her.synthesis.text.wording import normalise

Kind = Literal["thought", "action", "speech"]
_KINDS: tuple[Kind, ...] = ("thought", "action", "speech")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidPart:
    """One stretch of a turn. `quote`: the text's words that tell a thought or an action."""

    kind: Kind
    text: str
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidTurn:
    """A turn, with its place in the reply."""

    place: int
    speaker: str
    parts: tuple[SaidPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidScene:
    """A scene. `cast`: name to motivation, empty where none was given."""

    scenario: str
    topic: str
    cast: Mapping[str, str]
    turns: tuple[SaidTurn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidPerson:
    """A key character of a plot."""

    name: str
    description: str
    motivation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidPlot:
    """A plot."""

    summary: str
    prominence: int | None
    """0 to 100; None where the teacher gave no such number."""
    people: tuple[SaidPerson, ...]
    scenes: tuple[SaidScene, ...]


@dataclass(slots=True, kw_only=True)
class PlotReply:
    """A reply as far as it can be read."""

    plots: tuple[SaidPlot, ...] = ()
    malformed: list[str] = field(default_factory=list)
    """Places that could not be read, and what is wrong there."""

    def turns(self) -> Iterator[SaidTurn]:
        """Every turn in order."""
        for plot in self.plots:
            for scene in plot.scenes:
                yield from scene.turns


def schema() -> dict[str, object]:
    """What is asked for. Every field is required and nothing is bounded: many endpoints refuse more."""
    text = {"type": "string"}
    part = _object(kind={"type": "string", "enum": list(_KINDS)}, text=text, quote=text)
    turn = _object(speaker=text, parts=_list(part))
    scene = _object(scenario=text, topic=text, cast=_list(_object(name=text, motivation=text)), turns=_list(turn))
    person = _object(name=text, description=text, motivation=text)
    plot = _object(summary=text, prominence={"type": "integer"}, characters=_list(person), scenes=_list(scene))
    return _object(plots=_list(plot))


def _object(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


def read(reply: Reply) -> PlotReply:
    """The reply as values. Raises TeacherError as `read_object` does, and `not_json` where `plots` is no list."""
    whole = read_object(reply, ("plots",))
    plots = whole["plots"]
    if not isinstance(plots, list):
        raise TeacherError(f"`plots` is no list: {str(plots)[:60]}", "not_json")
    found = PlotReply()
    found.plots = tuple(p for k, item in enumerate(plots) if (p := _plot(item, f"plots[{k}]", found)) is not None)
    return found


def _plot(item: object, where: str, found: PlotReply) -> SaidPlot | None:
    if not isinstance(item, dict):
        found.malformed.append(f"{where}: no object")
        return None
    prominence = item.get("prominence")
    if isinstance(prominence, float) and prominence.is_integer():
        prominence = int(prominence)
    if not isinstance(prominence, int) or isinstance(prominence, bool) or not 0 <= prominence <= 100:
        found.malformed.append(f"{where}.prominence: no number from 0 to 100")
        prominence = None
    people = []
    for k, person in enumerate(_items(item, "characters", where, found)):
        name = _name(person, "name")
        if name is None:
            found.malformed.append(f"{where}.characters[{k}]: no name")
            continue
        people.append(
            SaidPerson(name=name, description=_text(person, "description"), motivation=_text(person, "motivation"))
        )
    scenes = [
        scene
        for k, entry in enumerate(_items(item, "scenes", where, found))
        if (scene := _scene(entry, f"{where}.scenes[{k}]", found)) is not None
    ]
    return SaidPlot(summary=_text(item, "summary"), prominence=prominence, people=tuple(people), scenes=tuple(scenes))


def _scene(item: object, where: str, found: PlotReply) -> SaidScene | None:
    if not isinstance(item, dict):
        found.malformed.append(f"{where}: no object")
        return None
    cast: dict[str, str] = {}
    for k, person in enumerate(_items(item, "cast", where, found)):
        name = _name(person, "name") or _name({"name": person}, "name")
        if name is None:
            found.malformed.append(f"{where}.cast[{k}]: no name")
            continue
        cast.setdefault(name, _text(person, "motivation"))
    turns = []
    for k, entry in enumerate(_items(item, "turns", where, found)):
        place = f"{where}.turns[{k}]"
        speaker = _name(entry, "speaker")
        if speaker is None:
            found.malformed.append(f"{place}: no speaker")
            continue
        parts = []
        for n, part in enumerate(_items(entry, "parts", place, found)):
            kind = next((known for known in _KINDS if isinstance(part, dict) and part.get("kind") == known), None)
            if kind is None or not _text(part, "text"):
                found.malformed.append(f"{place}.parts[{n}]: no kind or no text")
                continue
            parts.append(SaidPart(kind=kind, text=_text(part, "text"), quote=_text(part, "quote")))
        turns.append(SaidTurn(place=k, speaker=speaker, parts=tuple(parts)))
    return SaidScene(scenario=_text(item, "scenario"), topic=_text(item, "topic"), cast=cast, turns=tuple(turns))


def _items(item: object, key: str, where: str, found: PlotReply) -> Sequence[object]:
    value = item.get(key) if isinstance(item, dict) else None
    if isinstance(value, list):
        return value
    found.malformed.append(f"{where}.{key}: no list")
    return ()


def _text(item: object, key: str) -> str:
    """The text at `key`, one space for every run of white space; empty where there is none."""
    value = item.get(key) if isinstance(item, dict) else None
    return normalise(value) if isinstance(value, str) else ""


def _name(item: object, key: str) -> str | None:
    """A name as a character may have it; None where nothing is left of it."""
    name = " ".join(_text(item, key).translate({ord(c): " " for c in ":<>"}).split())
    return name if any(c.isalnum() for c in name) and len(name) <= _LONGEST_NAME else None
