"""Dialogue to SFTSample and RLPrompt: one target turn each, with the history exactly as at inference.

Pure: same dialogue, same records, in the dialogue's order. Every turn of a character is a target once (HER §1.6, 8),
except the Environment's, those without parts, and those of whom a chat log never knew the thoughts. What is a target
and yields no sample is a `Left` with its reason. Ids come from the dialogue and the turn, never a position.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from her.errors import TagError
from her.renderers import Tokenizer, chat, render_turn
from her.renderers.tokens import count
from her.schema import (
    ENVIRONMENT,
    Dialogue,
    Flag,
    HistoryPolicy,
    Message,
    Provenance,
    Record,
    RLPrompt,
    Scene,
    SFTSample,
    Split,
    Turn,
)

FlagPolicy = Literal["auto", "keep", "drop"]
_TRUSTED: tuple[Provenance, ...] = ("gold", "human")


class SampleRule(Record):
    """How a turn becomes a sample."""

    history_policy: HistoryPolicy = "drop_own_system"
    system_thinking: bool = True
    """Does the target open with system thinking, and the prompt ask for it? False is the paper's ablation."""
    flags: FlagPolicy = "auto"
    """What becomes of a sample that shows something doubtful. `auto` keeps it where people wrote it (`gold`, `human`)
    and drops it where a model did, or nobody knows who."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Prompt, target and end-of-turn token together; the oldest turns of a longer history are left out."""


class Left(Record):
    """A target turn that became no sample, and why."""

    id: str
    reason: Literal[
        "no_system_thinking", "flagged", "unwritable", "too_long", "no_gain", "below_min_gain", "below_top_gain"
    ]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a dialogue where a character speaks."""

    dialogue: Dialogue
    index: int
    """Of the target among the dialogue's turns."""

    @property
    def turn(self) -> Turn:
        return self.dialogue.turns[self.index]

    @property
    def history(self) -> tuple[Turn, ...]:
        return self.dialogue.turns[: self.index]

    @property
    def id(self) -> str:
        return f"{self.dialogue.id}:{self.turn.id}"


def places(dialogue: Dialogue) -> Iterator[Place]:
    """Where the targets are."""
    for index, turn in enumerate(dialogue.turns):
        if turn.parts and turn.speaker != ENVIRONMENT and dialogue.perspective in (None, turn.speaker):
            yield Place(dialogue=dialogue, index=index)


def sample(place: Place, rule: SampleRule, *, split: Split, tokenizer: Tokenizer | None = None) -> SFTSample | Left:
    """The sample of a target turn."""
    turn, dialogue = place.turn, place.dialogue
    if rule.system_thinking and turn.system_thinking is None:
        # Samples that lost their plan taught models not to plan (HER §8.2, 10).
        return Left(id=place.id, reason="no_system_thinking")
    made = _prompt(place, rule, tokenizer=tokenizer)
    if isinstance(made, Left):
        return made
    return SFTSample(
        id=place.id,
        dialogue_id=dialogue.id,
        turn_id=turn.id,
        character=turn.speaker,
        messages=made.messages,
        target=made.target,
        split=split,
        provenance=dialogue.provenance,
        history_policy=rule.history_policy,
        system_thinking=rule.system_thinking,
        flags=made.flags,
    )


def prompt(place: Place, rule: SampleRule, *, split: Split, tokenizer: Tokenizer | None = None) -> RLPrompt | Left:
    """The place itself. A reference without a plan will do: the policy writes its own. `history` is whole even where
    `messages` had to be cut: a judge may see what the policy cannot."""
    made = _prompt(place, rule, tokenizer=tokenizer)
    if isinstance(made, Left):
        return made
    return RLPrompt(
        id=place.id,
        dialogue_id=place.dialogue.id,
        turn_id=place.turn.id,
        character=place.turn.speaker,
        scene=place.dialogue.scene,
        history=place.history,
        messages=made.messages,
        reference=place.turn,
        split=split,
        provenance=place.dialogue.provenance,
        history_policy=rule.history_policy,
        system_thinking=rule.system_thinking,
    )


def shown_flags(place: Place, rule: SampleRule, *, first: int = 0) -> tuple[str, ...]:
    """Kinds of doubt about anything that the sample shows, sorted; `first` is the oldest turn of its history."""
    scene, turn = place.dialogue.scene, place.turn
    found = {f.kind for f in scene.flags if _card_shown(f, scene, turn.speaker)}
    for past in place.history[first:]:
        own = past.speaker == turn.speaker
        plans = own and rule.history_policy == "keep_own_system"
        found |= {f.kind for f in past.flags if _layer_shown(f, thought=own, plan=plans)}
    found |= {f.kind for f in turn.flags if _layer_shown(f, thought=True, plan=rule.system_thinking)}
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    id: str
    messages: tuple[Message, ...]
    target: str
    flags: tuple[str, ...]


def _prompt(place: Place, rule: SampleRule, *, tokenizer: Tokenizer | None) -> _Made | Left:
    """The prompt within the rule's length, with the longest history that fits."""
    try:
        made = _from(place, rule, 0)
        if rule.max_tokens is not None and tokenizer is not None:
            fitted = _fit(place, rule, made, tokenizer, max_tokens=rule.max_tokens)
            if fitted is None:
                return Left(id=place.id, reason="too_long", detail=f"over {rule.max_tokens} tokens without any history")
            made = fitted
    except TagError as e:
        return Left(id=place.id, reason="unwritable", detail=str(e)[:200])
    doubted = rule.flags == "drop" or (rule.flags == "auto" and place.dialogue.provenance not in _TRUSTED)
    if made.flags and doubted:
        return Left(id=place.id, reason="flagged", detail=" ".join(made.flags))
    return made


def _from(place: Place, rule: SampleRule, first: int) -> _Made:
    """The prompt whose history begins at turn `first`."""
    return _Made(
        id=place.id,
        messages=chat(
            place.dialogue.scene,
            place.history[first:],
            place.turn.speaker,
            history_policy=rule.history_policy,
            system_thinking=rule.system_thinking,
        ),
        target=render_turn(place.turn, system_thinking=rule.system_thinking),
        flags=shown_flags(place, rule, first=first),
    )


def _fit(place: Place, rule: SampleRule, whole: _Made, tokenizer: Tokenizer, *, max_tokens: int) -> _Made | None:
    """With as few of the oldest turns left out as possible; None where the system prompt and target alone are too long.
    A shorter history is never more tokens, so the place to cut is found by halving."""
    if count(whole, tokenizer) <= max_tokens:
        return whole
    low, high = 0, place.index
    if not high or count(shortest := _from(place, rule, high), tokenizer) > max_tokens:
        return None
    while low + 1 < high:
        middle = (low + high) // 2
        made = _from(place, rule, middle)
        if count(made, tokenizer) <= max_tokens:
            high, shortest = middle, made
        else:
            low = middle
    return shortest


def _card_shown(flag: Flag, scene: Scene, character: str) -> bool:
    """Is the field of the card in this character's prompt? Others' background and motivation are not."""
    name, _, field = flag.where.rpartition(".")
    return name in ("", character) or name not in scene.names() or field not in ("background", "motivation")


def _layer_shown(flag: Flag, *, thought: bool, plan: bool) -> bool:
    return {"thought": thought, "system_thinking": plan}.get(flag.where, True)
