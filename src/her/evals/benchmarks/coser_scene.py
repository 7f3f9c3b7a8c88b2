"""A scene of CoSER Test as our item: read from the published schema, and handed out as each profile sees it.

Owns the reading of the test set and what a character is told of itself. Keeps what the file says (`thought` and
`motivation` apart), so that a play can be judged again under another profile.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from her.errors import ConfigError
from her.evals.benchmarks.card import Card
from her.evals.benchmarks.data import data_used, read_records
from her.evals.benchmarks.item import Exam, Item, Refused
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.upstream.coser import CoserScene
from her.renderers.coser_json import slug_of
from her.schema import ENVIRONMENT, Character, Record, Scene

FULL_ROUNDS = 20


class CoserRole(Record):
    """One who speaks."""

    name: str
    description: str
    """What the plot says of it; empty where it says nothing."""
    profile: str
    """The book-wide profile; empty for a quarter of the published scenes' minor speakers."""
    thought: str | None
    motivation: str | None
    """The published file has `thought` alone; the released evaluators read `motivation` alone."""

    def known(self) -> str:
        """Who this is, as everyone in the scene knows it."""
        return "\n\n".join(text for text in (self.description.strip(), self.profile.strip()) if text)


class CoserSaid(Record):
    """A line of the book's own conversation, in brackets."""

    speaker: str
    message: str


class CoserItem(Item):
    """One scene."""

    case: str
    """Its id in CoSER's files: BOOK-i_p-i_c."""
    book: str
    plot_summary: str
    scenario: str
    topic: str
    speakers: tuple[str, ...]
    """In the file's order, the Environment among them."""
    majors: tuple[str, ...]
    roles: tuple[CoserRole, ...]
    """Everyone who speaks, the Environment apart."""
    reference: tuple[CoserSaid, ...]

    def scene(self) -> Scene:
        """The scene as our actors play it: `thought` is what a character wants, and it alone is told."""
        return Scene(
            id=self.id,
            book_id=slug_of(self.book),
            chapter=None,
            scenario=self.scenario,
            topic=self.topic or None,
            characters=tuple(
                Character(name=r.name, profile=r.known() or None, motivation=r.motivation or r.thought or None)
                for r in self.roles
            ),
        )


def load_scenes(data: Path, card: Card, settings: Settings) -> Exam[CoserItem]:
    """Every scene of a test set. A shortened exam says so in a facet, and so in every figure's group."""
    rounds = number(settings, "rounds")
    items: list[CoserItem] = []
    refused: list[Refused] = []
    for where, record in read_records(data, CoserScene):
        made = _item(record, rounds)
        if isinstance(made, str):
            refused.append(Refused(where=where, reason=made))
        else:
            items.append(made)
    return Exam(items=tuple(items), refused=tuple(refused), data=data_used(data, card))


def number(settings: Settings, option: str) -> int:
    """A whole number of at least 1 among the options."""
    text = settings.options[option]
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise ConfigError(f"coser: {option} is a whole number from 1, not {text!r}")
    return int(text)


def temperature(settings: Settings) -> float:
    """The option `temperature`."""
    text = settings.options["temperature"]
    if not re.fullmatch(r"[0-9](\.[0-9]{1,4})?", text):
        raise ConfigError(f"coser: temperature is a number from 0, not {text!r}")
    return float(text)


def without_thoughts(message: str) -> str:
    """A message as CoSER's evaluator shows it to others and to judges: `[..]` within a line is cut out, lines are
    trimmed and empty ones dropped. An unclosed bracket is shown."""
    lines = (line.strip() for line in re.sub(r"\[.*?\]", "", message).split("\n"))
    return re.sub(r"\n+", "\n", "\n".join(lines)).strip()


def _item(record: CoserScene, rounds: int) -> CoserItem | str:
    speakers = tuple(dict.fromkeys((*record.speaking_characters_w_env, ENVIRONMENT)))
    cast = [s for s in speakers if s != ENVIRONMENT]
    if not cast:
        return "nobody but the Environment speaks"
    if not record.dialogues:
        return "the book's own conversation is missing"
    if bad := next((name for name in cast if not _speakable(name)), None):
        return f"{bad!r} cannot be a speaker's name"
    facets = {"tag": record.tag, "speakers": str(len(cast))}
    if rounds < FULL_ROUNDS:
        facets["rounds"] = f"{rounds} of {FULL_ROUNDS}"
    return CoserItem(
        id=f"{slug_of(record.book)}-{record.i_p}-{record.i_c}",
        cluster=record.book,
        title=record.book,
        facets=facets,
        case=f"{record.book}-{record.i_p}-{record.i_c}",
        book=record.book,
        plot_summary=record.plot.summary,
        scenario=record.scenario,
        topic=record.topic,
        speakers=speakers,
        majors=tuple(m for m in record.major_characters if m != ENVIRONMENT),
        roles=tuple(_role(record, name) for name in cast),
        reference=tuple(CoserSaid(speaker=d.character, message=d.message) for d in record.dialogues),
    )


def _role(record: CoserScene, name: str) -> CoserRole:
    inside = next((c for c in record.key_characters if c.name == name), None)
    told: Sequence[str] = [c.description for c in record.plot.key_characters if c.name == name]
    return CoserRole(
        name=name,
        description=told[0] if told else "",
        profile=record.character_profiles.get(name, ""),
        thought=None if inside is None else inside.thought,
        motivation=None if inside is None else inside.motivation,
    )


def _speakable(name: str) -> bool:
    """Names that a prompt can be written with; what `Character` refuses would end the whole run."""
    return bool(name.strip()) and name == name.strip() and not re.search(r"[\n:<]", name)
