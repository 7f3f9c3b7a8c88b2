"""Reads the shipped files into records. Spans point into `story.txt` as it stands."""

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from her.errors import InputError
from her.renderers.tags import read_strict
from her.schema import (
    Book,
    Chapter,
    Character,
    Comparison,
    Dialogue,
    Part,
    Preference,
    Record,
    Scene,
    Span,
    Turn,
    Winner,
)

BOOK_ID = "lantern"


class TwoPasses(Record):
    """How one pair was labelled, twice by the same labeller: when it was written, and again with labels, principles and
    reasons hidden, in another order and with sides turned at random."""

    id: str
    first: Winner
    second: Winner
    labeller: str


_HEADING = re.compile(r"^Chapter (\d+)\. (.+)$", re.MULTILINE)


def _root() -> Path:
    return Path(str(resources.files("her.story"))) / "lantern"


def story_path() -> Path:
    """Where the story lies, as a plain text file."""
    return _root() / "story.txt"


def load_book() -> Book:
    """The story with its chapters."""
    text = story_path().read_text(encoding="utf-8")
    heads = list(_HEADING.finditer(text))
    ends = [*(h.start() for h in heads[1:]), len(text)]
    chapters = tuple(
        Chapter(number=int(h[1]), title=h[2], span=Span(start=h.start(), end=end))
        for h, end in zip(heads, ends, strict=True)
    )
    return Book(id=BOOK_ID, title=text.split("\n", 1)[0], text=text, chapters=chapters, licence="CC0-1.0")


def load_scenes() -> list[Scene]:
    """The fourteen scenes in order, each with its cast as that scene finds it."""
    text = story_path().read_text(encoding="utf-8")
    people = {c["name"]: c for c in json.loads((_root() / "characters.json").read_text(encoding="utf-8"))}
    scenes = []
    for entry in json.loads((_root() / "scenes.json").read_text(encoding="utf-8")):
        cast = tuple(
            Character(
                name=name,
                aliases=tuple(people[name]["aliases"]),
                profile=people[name]["profile"],
                background=people[name]["background"],
                motivation=motivation,
            )
            for name, motivation in entry["cast"].items()
        )
        start = text.index(entry["begins"])
        scenes.append(
            Scene(
                id=entry["id"],
                book_id=BOOK_ID,
                chapter=entry["chapter"],
                scenario=entry["scenario"],
                topic=entry["topic"],
                characters=cast,
                span=Span(start=start, end=text.index(entry["ends"], start) + len(entry["ends"])),
            )
        )
    return scenes


def load_gold() -> list[Dialogue]:
    """The hand-made two-layer dialogue of every scene. Speech carries its span where it stands unbroken in the text."""
    text = story_path().read_text(encoding="utf-8")
    dialogues = []
    for scene in load_scenes():
        data = json.loads((_root() / "gold" / f"{scene.id}.json").read_text(encoding="utf-8"))
        turns = []
        for entry in data["turns"]:
            bare = read_strict(entry["text"], speaker=entry["speaker"], turn_id=entry["id"])
            parts = tuple(_anchored(p, text, scene) for p in bare.parts)
            turns.append(Turn(id=bare.id, speaker=bare.speaker, system_thinking=entry["system_thinking"], parts=parts))
        dialogues.append(Dialogue(id=f"gold-{scene.id}", scene=scene, turns=tuple(turns), provenance="gold"))
    return dialogues


def load_pairs() -> list[Preference]:
    """The labelled pairs on which both passes agree. History is the gold dialogue before the turn."""
    gold = {d.scene.id: d for d in load_gold()}
    pairs = []
    for entry in _pair_entries():
        if entry["winner"] != entry["second"]:
            continue
        dialogue = gold[entry["scene"]]
        target = dialogue.turn(entry["turn"])
        if target.speaker != entry["character"]:
            raise InputError(f"pair {entry['id']}: {entry['turn']} is spoken by {target.speaker}")
        first, second = (
            read_strict(entry[side], speaker=entry["character"], turn_id=entry["turn"]) for side in ("cand_1", "cand_2")
        )
        pairs.append(
            Preference(
                comparison=Comparison(
                    id=entry["id"],
                    scene=dialogue.scene,
                    history=dialogue.before(entry["turn"]),
                    character=entry["character"],
                    cand_1=first,
                    cand_2=second,
                ),
                winner=entry["winner"],
                principle=entry["principle"],
                reason=entry["reason"],
                labeller="gold",
            )
        )
    return pairs


def load_passes() -> tuple[TwoPasses, ...]:
    """What both passes said of every pair, those included that are left out because they disagree."""
    return tuple(
        TwoPasses(id=e["id"], first=e["winner"], second=e["second"], labeller=e["labeller"]) for e in _pair_entries()
    )


def _pair_entries() -> Iterator[dict[str, Any]]:
    for path in sorted((_root() / "pairs").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield json.loads(line)


def _anchored(part: Part, text: str, scene: Scene) -> Part:
    """Give a speech part its span. The final full stop may stand as a comma before an attribution in the text."""
    if part.kind != "speech" or scene.span is None:
        return part
    for wording in (part.text, part.text[:-1] + ",", part.text[:-1]):
        start = text.find(wording, scene.span.start, scene.span.end)
        if start >= 0:
            return Part(kind="speech", text=part.text, span=Span(start=start, end=start + len(wording)))
    return part
