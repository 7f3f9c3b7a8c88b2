"""Stories about where a thing is and who knows it: made by seed, with every belief computed from the log of events.

Owns our own theory-of-mind mini-set (Hi-ToM's schema, our own words, CC0). An answer is never written down: it is
replayed from the events. The rules that a reader is told, and that `belief` follows:

1. Who is present witnesses everything until leaving, and knows who else was there.
2. A says that B thinks something only from what A knows B to have witnessed.
3. Speakers may lie, and do not believe their own words; a hearer believes a speaker who left the room later.
4. A public claim is heard by all; a private one by two people, and nobody else knows of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from random import Random

from her.evals.benchmarks.upstream.hitom import HiToMRow

ORDERS = range(5)
_NAMES = ("Ada", "Bruno", "Celia", "Dmitri", "Edda", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kaya", "Luka")
_ROOMS = ("boathouse", "attic", "greenhouse", "workshop", "cellar", "music room")
_HALL = "courtyard"
_THINGS = ("compass", "lantern", "violin bow", "brass key", "seed packet", "teapot", "chess clock")
_WHATS = ("chest", "shelf", "basket", "crate", "jar", "drawer")
_PLACES = tuple(f"{how} {what}" for how in ("tin", "oak", "wicker") for what in _WHATS)
_IDLE = (
    "{name} hums an old tune.",
    "{name} says that it looks like rain.",
    "{name} dislikes the smell of varnish.",
    "{name} has a hole in one sleeve.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that tells where the thing is. `witnesses` is whoever knows of it, and knows who else does."""

    place: str
    witnesses: frozenset[str]
    speaker: str | None = None
    """Who claimed it; None: it was moved there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A story's text and the events behind the thing that is asked about."""

    text: str
    thing: str
    cast: tuple[str, ...]
    left: tuple[str, ...]
    """The cast in the order in which they left the thing's room."""
    events: tuple[Event, ...]
    choices: tuple[str, ...]


def belief(events: Sequence[Event], left: Sequence[str], chain: Sequence[str]) -> str:
    """Where the first of `chain` thinks that the second thinks ... that the thing is. An empty chain: where it is.

    A move changes the belief of a chain all of whose members witnessed it. A claim changes it where all heard it and
    the last of the chain, not being the speaker, left before the speaker did.
    """
    place = events[0].place
    for event in events:
        if event.speaker is None:
            changes = set(chain) <= event.witnesses
        else:
            last = chain[-1] if chain else event.speaker
            changes = (
                set(chain) <= event.witnesses and last != event.speaker and left.index(event.speaker) > left.index(last)
            )
        place = event.place if changes else place
    return place


def tell(seed: int, *, chapters: int, deception: bool) -> Story:
    """A story of five people. The thing of one chapter is asked about; the others are there to be kept apart."""
    rng = Random(f"story:{seed}:{chapters}:{deception}")
    cast = tuple(rng.sample(_NAMES, 5))
    rooms, things = rng.sample(_ROOMS, chapters), rng.sample(_THINGS, chapters)
    places = rng.sample(_PLACES, 15)
    asked = rng.randrange(chapters)
    lines: list[str] = []
    kept: tuple[tuple[str, ...], tuple[Event, ...]] | None = None
    for number in range(chapters):
        told = _chapter(rng, cast, rooms[number], things[number], places, deception=deception)
        lines += told[0]
        kept = told[1:] if number == asked else kept
    assert kept is not None  # one of the chapters is the one asked about
    text = "\n".join(f"{i} {line}" for i, line in enumerate(lines, start=1))
    return Story(text=text, thing=things[asked], cast=cast, left=kept[0], events=kept[1], choices=tuple(places))


def rows(*, seed: int, samples: int) -> tuple[HiToMRow, ...]:
    """A set in Hi-ToM's schema: `samples` stories of each length, with lies and without, five orders each."""
    made = []
    for deception in (False, True):
        for chapters in (1, 2, 3):
            stories = [tell(seed + n, chapters=chapters, deception=deception) for n in range(samples)]
            chains = [_chain(story, seed=seed) for story in stories]
            for order in ORDERS:
                made += [
                    _row(story, chain[:order], number + 20 * order, chapters=chapters, deception=deception)
                    for number, (story, chain) in enumerate(zip(stories, chains, strict=True))
                ]
    return tuple(made)


def _chain(story: Story, *, seed: int) -> tuple[str, ...]:
    """Four people, so that the answers to the five orders differ from each other as often as they can."""
    orders = list(permutations(story.cast, len(ORDERS) - 1))
    Random(f"chain:{seed}").shuffle(orders)
    return max(orders, key=lambda c: len({belief(story.events, story.left, c[:order]) for order in ORDERS}))


def _chapter(
    rng: Random, cast: Sequence[str], room: str, thing: str, places: Sequence[str], *, deception: bool
) -> tuple[list[str], tuple[str, ...], tuple[Event, ...]]:
    """The lines of a chapter, the order of leaving, and the events of its thing."""
    order = rng.sample(list(cast), len(cast))
    place = rng.choice(places)
    lines = [f"{_listed(cast)} went into the {room}.", f"The {thing} is in the {place}."]
    events = [Event(place=place, witnesses=frozenset(cast))]
    for number, name in enumerate(order):
        if rng.random() < 0.7:
            place = rng.choice([p for p in places if p != place])
            lines.append(f"{name} put the {thing} into the {place}.")
            events.append(Event(place=place, witnesses=frozenset(order[number:])))
        else:
            lines.append(f"{name} touched nothing and waited for a minute.")
        if rng.random() < 0.3:
            lines.append(rng.choice(_IDLE).format(name=rng.choice(order[number:])))
        lines.append(f"{name} left the {room}.")
    lines.append(f"{_listed(cast)} met in the {_HALL}.")
    if deception:
        public, private = rng.sample(order[2:], 2)
        hearer = rng.choice([n for n in order if n != private])
        for speaker, hearers in ((public, frozenset(cast)), (private, frozenset({private, hearer}))):
            claimed = rng.choice([p for p in places if p != place])
            how = "told everyone" if len(hearers) > 2 else f"whispered to {hearer} alone"
            lines.append(f"{speaker} {how} that the {thing} is in the {claimed}.")
            events.append(Event(place=claimed, witnesses=hearers, speaker=speaker))
    return lines, tuple(order), tuple(events)


def _row(story: Story, chain: Sequence[str], sample_id: int, *, chapters: int, deception: bool) -> HiToMRow:
    return HiToMRow(
        prompting_type="CoTP",
        deception=deception,
        story_length=chapters,
        question_order=len(chain),
        sample_id=sample_id,
        story=story.text,
        question=_question(story.thing, chain),
        choices=", ".join(f"{chr(65 + i)}. {place}" for i, place in enumerate(story.choices)),
        answer=belief(story.events, story.left, chain),
    )


def _question(thing: str, chain: Sequence[str]) -> str:
    if not chain:
        return f"Where is the {thing} really?"
    middle = "".join(f" {name} thinks" for name in chain[1:])
    return f"Where does {chain[0]} think{middle} the {thing} is?"


def _listed(cast: Sequence[str]) -> str:
    return f"{', '.join(cast[:-1])} and {cast[-1]}"
