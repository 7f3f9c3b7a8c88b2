"""What a gain is measured on: the source's own words of a turn, the layer before them, and another turn's in its place.

Owns which parts of a turn count as the source's, where a layer stands, what it copies, and which other layer is its
control. Pure: asks no model. How texts are written is asked of `renderers`; the scorer sees what the character sees
(`roleplay.chat`), as in training.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from her.errors import TagError
from her.renderers.roleplay import chat
from her.renderers.tags import render_turn
from her.schema import ENVIRONMENT, Dialogue, HistoryPolicy, Message, Part, Record, Turn, merge_parts
from her.synthesis.text.wording import content_words, words

Layer = Literal["thought", "system_thinking"]
Reason = Literal["no_layer", "no_reply", "no_control", "not_renderable", "too_long"]
"""no_layer: the turn has no thought (or plan). no_reply: none of its words is known to be the source's. no_control: the
book has no other layer of like length. not_renderable: its text would read as a tag. too_long: over the scorer's
context."""


OUT_OF_ORDER = 0.2
"""What a content word earns that a thought has said elsewhere, against a word recited in its order (measured as the
weight of copying was). Thoughts share words with what follows because they are about it."""


class GainConfig(Record):
    """How gains are measured. A gain is comparable with those of the same settings and scorer alone."""

    layers: tuple[Layer, ...] = ("thought",)
    controls: int = Field(default=2, gt=0)
    """So many other turns' layers stand in for a layer, at most; `shuffled` is their mean."""
    length_factor: float = Field(default=1.5, ge=1)
    """A control is at most so many times longer or shorter, in characters: any text before a reply helps or hurts a
    little by its mere length."""
    copy_weight: float = Field(default=2.4, ge=0)
    """Nats a token that a thought loses when it says the whole reply beforehand: what that earns with the embedded
    model, where another turn's thought is made to recite (docs/LOG.md, `bench/gain.py --price`)."""
    history_turns: int = Field(default=5, gt=0)
    """So many turns of history are shown to the scorer."""
    history_policy: HistoryPolicy = "drop_own_system"
    seed: int = 0


class Unmeasured(Record):
    """A layer whose gain could not be had."""

    dialogue_id: str
    turn_id: str
    layer: Layer
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One layer to be weighed. Prefills open the assistant's turn; `text` goes on from any of them."""

    layer: Layer
    messages: tuple[Message, ...]
    text: str
    without: str
    given: str
    controls: tuple[str, ...]
    copied: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A turn with a case, or the reason for none, per layer asked for."""

    dialogue: Dialogue
    turn: Turn
    cases: tuple[Case | Unmeasured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """A layer that may stand in for another."""

    dialogue_id: str
    turn_id: str
    text: str


def places(dialogues: Sequence[Dialogue], config: GainConfig) -> Iterator[Place]:
    """Every turn of a character, in order."""
    pools = {layer: _pools(dialogues, layer) for layer in config.layers}
    for dialogue in dialogues:
        for at, turn in enumerate(dialogue.turns):
            if not weighed(dialogue, turn):
                continue
            before = dialogue.turns[max(0, at - config.history_turns) : at]
            cases = tuple(
                _case(dialogue, turn, before, layer=layer, pool=pools[layer][book_of(dialogue)], config=config)
                for layer in config.layers
            )
            yield Place(dialogue=dialogue, turn=turn, cases=cases)


def book_of(dialogue: Dialogue) -> str:
    """The book from which controls are taken, or the dialogue itself where no book tells it."""
    return dialogue.id if dialogue.scene.book_id is None else dialogue.scene.book_id


def weighed(dialogue: Dialogue, turn: Turn) -> bool:
    """Is it a turn of a character whose thoughts the dialogue can know?"""
    return turn.speaker != ENVIRONMENT and dialogue.perspective in (None, turn.speaker)


def source_parts(turn: Turn, dialogue: Dialogue) -> tuple[Part, ...]:
    """Speech and actions that the source is known to tell. Invented speech is not; nor is an action without a span that
    a teacher may have added to a scene told by a book: it came together with the thought, which foretells it."""
    added = dialogue.provenance == "teacher" and dialogue.scene.span is not None
    own = (
        p
        for p in turn.parts
        if (p.kind == "speech" and not p.invented) or (p.kind == "action" and (p.span is not None or not added))
    )
    return merge_parts(tuple(own))


def layer_text(turn: Turn, layer: Layer) -> str | None:
    """The layer as one text; None where the turn has none. All thoughts of a turn are weighed jointly."""
    if layer == "system_thinking":
        return turn.system_thinking
    return " ".join(p.text for p in turn.parts if p.kind == "thought") or None


def copied_share(reply: str, layer: str) -> float:
    """Share of the reply's words that the layer has already said. A word within a run of three that both have counts
    whole; a content word said elsewhere counts `OUT_OF_ORDER`. A shorter reply is one run."""
    said, before = words(reply), words(layer)
    run = min(3, len(said))
    runs = {tuple(before[i : i + run]) for i in range(len(before) - run + 1)}
    recited = {i + k for i in range(len(said) - run + 1) if tuple(said[i : i + run]) in runs for k in range(run)}
    shared = content_words(reply) & content_words(layer)
    # Where nothing parts words, `words` are single characters and a content word is a pair of them.
    pairs = {i + k for i in range(len(said) - 1) if said[i] + said[i + 1] in shared for k in (0, 1)}
    named = {i for i, word in enumerate(said) if word in shared} | pairs
    return (len(recited) + OUT_OF_ORDER * len(named - recited)) / len(said) if said else 0.0


def _case(
    dialogue: Dialogue, turn: Turn, before: Sequence[Turn], *, layer: Layer, pool: Sequence[_Other], config: GainConfig
) -> Case | Unmeasured:
    def unmeasured(reason: Reason) -> Unmeasured:
        return Unmeasured(dialogue_id=dialogue.id, turn_id=turn.id, layer=layer, reason=reason)

    text = layer_text(turn, layer)
    if text is None:
        return unmeasured("no_layer")
    reply = source_parts(turn, dialogue)
    if not reply:
        return unmeasured("no_reply")
    others = _controls(dialogue, turn, text, layer=layer, pool=pool, config=config)
    if not others:
        return unmeasured("no_control")
    bare = Turn(id=turn.id, speaker=turn.speaker, parts=reply)
    try:
        body = render_turn(bare, name_prefix=False)
        messages = chat(
            dialogue.scene, before, turn.speaker, history_policy=config.history_policy, system_thinking=False
        )
        return Case(
            layer=layer,
            messages=messages,
            text=body,
            without=render_turn(bare).removesuffix(body),
            given=render_turn(_with(bare, layer, text)).removesuffix(body),
            controls=tuple(render_turn(_with(bare, layer, other)).removesuffix(body) for other in others),
            copied=copied_share(" ".join(p.text for p in reply), text),
        )
    except TagError:
        return unmeasured("not_renderable")


def _with(bare: Turn, layer: Layer, text: str) -> Turn:
    """The turn with the layer before its first visible word: wherever a thought stood, its whole reply is scored."""
    if layer == "system_thinking":
        return Turn(id=bare.id, speaker=bare.speaker, system_thinking=text, parts=bare.parts)
    return Turn(id=bare.id, speaker=bare.speaker, parts=(Part(kind="thought", text=text), *bare.parts))


def _controls(
    dialogue: Dialogue, turn: Turn, text: str, *, layer: Layer, pool: Sequence[_Other], config: GainConfig
) -> list[str]:
    """Other turns' layers of like length, drawn by seed from the same book."""
    here = (dialogue.id, turn.id)
    fit = sorted(
        {
            o.text
            for o in pool
            if (o.dialogue_id, o.turn_id) != here
            and o.text != text
            and max(len(o.text), len(text)) <= config.length_factor * min(len(o.text), len(text))
        }
    )
    dice = random.Random(f"{config.seed}/{dialogue.id}/{turn.id}/{layer}")
    return dice.sample(fit, min(config.controls, len(fit)))


def _pools(dialogues: Sequence[Dialogue], layer: Layer) -> dict[str, list[_Other]]:
    pools: dict[str, list[_Other]] = {}
    for dialogue in dialogues:
        pool = pools.setdefault(book_of(dialogue), [])
        for turn in dialogue.turns:
            text = layer_text(turn, layer)
            if text is not None and weighed(dialogue, turn):
                pool.append(_Other(dialogue_id=dialogue.id, turn_id=turn.id, text=text))
    return pools
