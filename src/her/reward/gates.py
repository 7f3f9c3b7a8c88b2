"""Gates: what loses a game before it is played.

Owns the faults that need no judge, each under one objective: form of the tags, speaking for others, a thought said
aloud, language, length, repetition, and what a profile lets a character know. A gated reply never reaches the judge, so
nothing it says can sway one, and faults are named so that a run shows what its policy gets wrong. Grammar faults come
from `renderers.wellformed`; this file adds those that need the scene or the turn as a whole.

What code cannot find for certain is no gate: a language is known by its script alone, and a secret only by its words.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Literal, get_args

from pydantic import Field

from her.llm.model import FinishReason
from her.renderers import wellformed
from her.renderers.spoken_thought import runs as runs
from her.renderers.spoken_thought import speaks_thought
from her.renderers.spoken_thought import words as words
from her.schema import Record, RLPrompt, Turn, Viewer

_SENTENCE = re.compile(r"[^.!?\n]+")

Objective = Literal["form", "speaker", "leak", "language", "length", "repetition", "facts"]
OBJECTIVES: dict[str, Objective] = {
    "bad_text": "form",
    "strict": "form",
    "truncated": "form",
    "filtered": "form",
    "no_system_thinking": "form",
    "system_thinking": "form",
    "empty": "form",
    "no_name": "form",
    "nothing_visible": "form",
    "ill_formed": "form",
    "wrong_name": "speaker",
    "foreign_speech": "speaker",
    "leak": "leak",
    "foreign_script": "language",
    "too_long": "length",
    "too_short": "length",
    "loop": "repetition",
    "knows_secret": "facts",
    "recites_profile": "facts",
}
"""The objective of each fault."""


class GateConfig(Record):
    """Which gates stand, and how high."""

    system_thinking: bool
    """Must a reply open with system thinking? As the policy was trained."""
    min_words: int = Field(default=0, ge=0)
    """Fewest words of role thinking, action and speech together; where there are spaces between words."""
    max_words: int = Field(default=160, gt=0)
    """Most words of the same. HER asks for about 200 words at inference (HER §1.7); the shipped story's turns are far
    shorter."""
    max_chars: int = Field(default=20_000, gt=0)
    """Most characters of the whole text, plan included. Looked at before anything is read."""
    loop_sentences: int = Field(default=3, gt=1)
    """The same sentence this often in one reply is a loop."""
    foreign_script: float = Field(default=0.3, gt=0, le=1)
    """Most of a reply's letters that may be of a script the scene and its history do not use; 1 takes any."""
    copied_words: int = Field(default=8, gt=0)
    """A run of this many words out of a profile is no coincidence. In speech or action out of the speaker's own: a
    profile recited. Anywhere out of what another keeps to itself: a secret nobody could know."""


class Gated(Record):
    """A reply at the gate. `fault` None: it may play, and `turn` is what it said."""

    fault: str | None
    faults: tuple[str, ...] = ()
    """Everything found, the first of them in `fault`."""
    turn: Turn | None


def objectives(faults: tuple[str, ...]) -> dict[Objective, bool]:
    """Every objective: did the reply pass it?"""
    failed = {OBJECTIVES[f] for f in faults}
    return {objective: objective not in failed for objective in get_args(Objective)}


def gate(text: str, prompt: RLPrompt, *, finish_reason: FinishReason | None, config: GateConfig) -> Gated:
    """Check one sampled reply of `prompt.character`."""
    unfit = "too_long" if len(text) > config.max_chars else None
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: no text that could be stored, hashed or sent
        unfit = "bad_text"
    if unfit is not None:
        return Gated(fault=unfit, faults=(unfit,), turn=None)
    others = tuple(n for n in prompt.scene.names() if n != prompt.character)
    form = wellformed.check(
        text,
        speaker=prompt.character,
        others=others,
        system_thinking=config.system_thinking,
        finish_reason=finish_reason,
    )
    faults = list(form.faults)
    if form.turn is not None:
        faults += turn_faults(form.turn, config=config)
        faults += place_faults(form.turn, prompt, config=config)
    if not form.ok and not faults:
        faults.append("ill_formed")
    return Gated(fault=faults[0] if faults else None, faults=tuple(faults), turn=None if faults else form.turn)


def turn_faults(turn: Turn, *, config: GateConfig) -> list[str]:
    """The faults of a turn that was read: `nothing_visible`, `too_long`, `too_short`, `leak`, `loop`."""
    faults = []
    if not turn.seen_by(Viewer.reader()).parts:
        faults.append("nothing_visible")
    body = [p.text for p in turn.parts]
    count = sum(len(words(t)) for t in body)
    if count > config.max_words:
        faults.append("too_long")
    if count < config.min_words:
        faults.append("too_short")
    if speaks_thought(turn):
        faults.append("leak")
    sentences = Counter(" ".join(words(s)) for t in body for s in _SENTENCE.findall(t) if len(words(s)) > 1)
    if sentences and max(sentences.values()) >= config.loop_sentences:
        faults.append("loop")
    return faults


def place_faults(turn: Turn, prompt: RLPrompt, *, config: GateConfig) -> list[str]:
    """The faults of a turn where it stands: `foreign_script`, `knows_secret`, `recites_profile`."""
    faults = []
    if config.foreign_script < 1:
        spoken = _scripts(" ".join(p.text for p in turn.parts))
        scene = prompt.scene
        fields = [scene.scenario, scene.topic, *(t for c in scene.characters for t in (c.name, c.profile))]
        used = _scripts(" ".join([*(f for f in fields if f), *(p.text for t in prompt.history for p in t.parts)]))
        foreign = sum(n for script, n in spoken.items() if script not in used)
        if used and foreign > config.foreign_script * spoken.total():
            faults.append("foreign_script")
    own = prompt.scene.character(prompt.character)
    mine = _runs((own.profile, own.background, own.motivation), config.copied_words)
    heard = [prompt.scene.scenario, *(p.text for t in prompt.history for p in t.parts if p.kind != "thought")]
    others = [c for c in prompt.scene.characters if c.name != prompt.character]
    secret = _runs([t for c in others for t in (c.background, c.motivation)], config.copied_words)
    known = mine | _runs([*heard, *(c.profile for c in others)], config.copied_words)
    if _runs([p.text for p in turn.parts], config.copied_words) & (secret - known):
        faults.append("knows_secret")
    if _runs([p.text for p in turn.parts if p.kind != "thought"], config.copied_words) & (
        mine - _runs(heard, config.copied_words)
    ):
        faults.append("recites_profile")
    return faults


def _runs(texts: "list[str] | list[str | None] | tuple[str | None, ...]", n: int) -> set[tuple[str, ...]]:
    return {run for text in texts if text for run in runs(text, n)}


def _scripts(text: str) -> Counter[str]:
    """Letters by script. Kana and the Han they are written among are one."""
    counts: Counter[str] = Counter()
    for character, n in Counter(text).items():
        if character.isalpha() and (script := _script(character)):
            counts[script] += n
    return counts


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    first = unicodedata.name(character, "").partition(" ")[0]
    return "CJK" if first in ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA") else first
