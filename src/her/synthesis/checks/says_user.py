"""Out of the fiction: words that belong to whoever runs a model, in any layer or on the card itself.

Some words are never of the story (`language model`, `system prompt`). Others have an honest meaning: a painter's model,
a surgeon's assistant, a prompt answer, a user of a ford, a ship's AI. Those are faults only in the company they keep in
chat logs, and not where the scene's card itself has them. The words are `lexicons/out_of_fiction.toml`.
"""

import re
from collections.abc import Iterator

from her.schema import Flag, Scene
from her.synthesis.checks.lexicon import any_of, phrases
from her.synthesis.checks.standpoint import Standpoint, flag

KIND = "says_user"
_LEXICON = "out_of_fiction"
_ALWAYS = re.compile(any_of(_LEXICON, "never_of_the_story"), re.IGNORECASE)
_HONEST = {
    name: (
        re.compile(any_of(_LEXICON, name), re.IGNORECASE),
        re.compile(any_of(_LEXICON, f"{name}_on_card"), re.IGNORECASE),
    )
    for name in phrases(_LEXICON)
    if f"{name}_on_card" in phrases(_LEXICON)
}
_WORLD = "AI, model, role-play"
"""A card may give its world such things, and does so by naming them."""


def find(place: Standpoint) -> Iterator[Flag]:
    """Flags of every layer of the turn."""
    card = "\n".join(text for _, text in fields(place.dialogue.scene))
    for where, text in (*place.inner(), *((p.kind, p.text) for p in place.parts("speech", "action"))):
        if (word := out_of_fiction(text, card)) is not None:
            yield flag(KIND, where, "out of the fiction", word)


def find_in_scene(scene: Scene) -> Iterator[Flag]:
    """Flags of the card: it too is told to a model."""
    for where, text in fields(scene):
        if (word := out_of_fiction(text, _WORLD)) is not None:
            yield flag(KIND, where, "out of the fiction", word)


def out_of_fiction(text: str, card: str) -> str | None:
    """The first words of the text that are not of its world; `card` says what its world has."""
    if (found := _ALWAYS.search(text)) is not None:
        return found.group()
    for fault, on_card in _HONEST.values():
        if (found := fault.search(text)) is not None and not on_card.search(card):
            return found.group()
    return None


def fields(scene: Scene) -> Iterator[tuple[str, str]]:
    """The card's texts as `(where, text)`."""
    if scene.scenario:
        yield "scenario", scene.scenario
    if scene.topic:
        yield "topic", scene.topic
    for c in scene.characters:
        for name, text in (("profile", c.profile), ("background", c.background), ("motivation", c.motivation)):
            if text:
                yield f"{c.name}.{name}", text
