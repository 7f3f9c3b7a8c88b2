"""TwinVoice's files, read into questions: three dimensions, three shapes, one item.

Owns what an item shows and what it must not: of a narrative speaker only what was said earlier in the novel, for the
profiles that are published hold every right answer. Asks nobody.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from her.errors import InputError
from her.evals.benchmarks.data import keys_of_first, parse, read_records
from her.evals.benchmarks.item import Item, Refused
from her.evals.benchmarks.upstream.twinvoice import TwinLine, TwinPost, TwinProfile
from her.store import read_json

Dimension = Literal["social", "interpersonal", "narrative"]
LETTERS = "ABCD"
_PROFILES = "characterList"
_NOBODY = "nothing shows who is speaking: there is no earlier history"
_NUMBERED = "-"
"""In place of an id, until the questions of a dimension are counted."""
_TITLES = {
    "BlueEyes": "A Pair of Blue Eyes",
    "LeMorteDArthur": "Le Morte d'Arthur",
    "Pompeii": "The Last Days of Pompeii",
    "SeventhShot": "The Seventh Shot",
    "SideOfParadise": "This Side of Paradise",
    "Titan": "The Titan",
}
"""Short names of novels, as far as they are sure, so that what was trained on can be recognised."""


class TwinQuestion(Item):
    """What one person says next."""

    dimension: Dimension
    speaker: str
    stimulus: str
    """The post, the conversation or the narration that is answered."""
    history: tuple[str, ...]
    """What the person said before, oldest first, as far as it is shown."""
    persona: str
    """Traits, goals and details of a narrative speaker; empty where they are not shown."""
    options: dict[str, str]
    """Letter to text, in the published order."""
    gold: str
    """The right letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What of a question's background is shown."""

    lines: int
    """At most so many of the last lines of a history."""
    earlier: bool
    """Is a narrative speaker's history cut where the question stands?"""
    refuse: bool
    """Is a question refused that holds its own answer, or shows nothing of the person?"""
    persona: bool
    """Is the summary of a narrative speaker shown?"""

    def last(self, history: Sequence[str]) -> tuple[str, ...]:
        """The part of a history that is shown."""
        return tuple(history[-self.lines :])


def read_twins(data: Path, showing: Showing) -> tuple[list[TwinQuestion], list[Refused]]:
    """Every question of a file of posts, or of a folder with any of the benchmark's files."""
    files = sorted(p for p in data.rglob("*.json*") if p.is_file()) if data.is_dir() else [data]
    if not files:
        raise InputError(f"{data} holds no .jsonl or .json file; give TwinVoice's `dataset` folder or a file of it")
    kinds = {path: _kind(path) for path in files}
    profiles = _profiles([p for p, kind in kinds.items() if kind == "profiles"])
    items: list[TwinQuestion] = []
    refused: list[Refused] = []
    numbers = Counter[str]()
    for path in files:
        if kinds[path] == "lines" and not profiles:
            raise InputError(f"{path} needs the speakers' profiles; give the folder that holds both files")
        for where, made in _made(path, kinds[path], profiles, showing):
            if isinstance(made, str):
                refused.append(Refused(where=where, reason=made))
            else:
                items.append(made.model_copy(update={"id": f"{made.dimension}-{numbers[made.dimension]:04d}"}))
                numbers[made.dimension] += 1
    return items, refused


def _kind(path: Path) -> Literal["posts", "lines", "profiles"]:
    keys = keys_of_first(path)
    if _PROFILES in keys:
        return "profiles"
    if "mcq" in keys:
        return "lines"
    if keys & {"anchor_post", "context", "choices", "history"}:
        return "posts"
    raise InputError(f"{path} is none of TwinVoice's files; give its `dataset` folder or a file of it")


def _made(
    path: Path, kind: str, profiles: Mapping[str, Sequence[TwinProfile]], showing: Showing
) -> Iterator[tuple[str, TwinQuestion | str]]:
    if kind == "posts":
        for where, post in read_records(path, TwinPost):
            yield where, _posted(post, showing)
    elif kind == "lines":
        for where, line in read_records(path, TwinLine):
            yield where, _narrated(line, profiles, showing)


def _profiles(files: Sequence[Path]) -> dict[str, list[TwinProfile]]:
    """By canonical name."""
    found: dict[str, list[TwinProfile]] = {}
    for path in files:
        document = read_json(path)
        listed = document.get(_PROFILES) if isinstance(document, dict) else None
        if not isinstance(listed, dict):
            raise InputError(
                f"{path.name}: field {_PROFILES!r} is no object of profiles; check that it is the right file"
            )
        for key, value in listed.items():
            profile = parse(value, TwinProfile, where=f"{path.name}, {key}")
            found.setdefault(profile.name, []).append(profile)
    return found


def _posted(post: TwinPost, showing: Showing) -> TwinQuestion | str:
    options = {letter: text.strip() for letter, text in zip(LETTERS, post.choices, strict=True)}
    gold = LETTERS[post.answer_idx]
    stimulus = (post.anchor_post or post.context or "").strip()
    history = showing.last([h.strip() for h in post.history if h.strip()])
    if fault := _fault(options, stimulus):
        return fault
    if showing.refuse and not history:
        return _NOBODY
    if showing.refuse and any(options[gold] in h and stimulus in h for h in history):
        return "the right answer to this very post stands in the history"
    dimension: Dimension = "interpersonal" if post.anchor_post is None else "social"
    return TwinQuestion(
        id=_NUMBERED,
        cluster=f"{dimension}: {post.user_id}",
        title=None,
        facets=_facets(dimension, options, gold),
        dimension=dimension,
        speaker=post.user_id,
        stimulus=stimulus,
        history=history,
        persona="",
        options=options,
        gold=gold,
    )


def _narrated(line: TwinLine, profiles: Mapping[str, Sequence[TwinProfile]], showing: Showing) -> TwinQuestion | str:
    options = {str(letter): text.strip() for letter, text in sorted(line.mcq.options.items())}
    gold = line.mcq.answer
    known = profiles.get(line.speaker_match_key, ())
    if len(known) != 1:
        return f"{'no profile' if not known else 'more than one profile'} has the speaker's name"
    places = [u.chunk_id for u in known[0].history]
    if showing.earlier and not all(place.isdecimal() for place in (line.chunk_id, *places)):
        return "a chunk_id is no number, so nobody can tell what was said earlier"
    told = list(known[0].history)
    if showing.earlier:
        before = [u for u in told if int(u.chunk_id) < int(line.chunk_id)]
        told = sorted(before, key=lambda u: int(u.chunk_id))
    history = showing.last([u.utterance.strip() for u in told if u.utterance.strip()])
    persona = _persona(known[0]) if showing.persona else ""
    if fault := _fault(options, line.context.strip()):
        return fault
    if showing.refuse and not history and not persona:
        return _NOBODY
    if showing.refuse and options[gold] in line.context:
        return "the right answer stands in the narration before it"
    return TwinQuestion(
        id=_NUMBERED,
        cluster=f"{line.source_novel}: {line.speaker_match_key}",
        title=_TITLES.get(line.source_novel, line.source_novel),
        facets=_facets("narrative", options, gold),
        dimension="narrative",
        speaker=line.speaker,
        stimulus=line.context.strip(),
        history=history,
        persona=persona,
        options=options,
        gold=gold,
    )


def _fault(options: Mapping[str, str], stimulus: str) -> str | None:
    if len(options) < len(LETTERS) or not all(options.values()):
        return "fewer than four options"
    if len({" ".join(t.casefold().split()) for t in options.values()}) < len(LETTERS):
        return "two options are the same"
    return None if stimulus else "nothing is answered"


def _facets(dimension: Dimension, options: Mapping[str, str], gold: str) -> dict[str, str]:
    shortest = min(len(t) for t in options.values())
    return {"dimension": dimension, "shortest option": "right" if len(options[gold]) == shortest else "wrong"}


def _persona(profile: TwinProfile) -> str:
    """The published summary, which was made from the whole novel."""
    details = "; ".join(f"{k}: {v if isinstance(v, str) else ', '.join(v)}" for k, v in profile.details.items())
    parts = (("Traits", ", ".join(profile.traits)), ("Goals", ", ".join(profile.goals)), ("Details", details))
    return "\n".join(f"{name}: {text}" for name, text in parts if text)
