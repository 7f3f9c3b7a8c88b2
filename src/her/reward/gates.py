"""Gates: what loses a game before it is played.

Owns the faults that need no judge: text that is not one well-formed turn of the right speaker, nothing that others
could see or hear, far too long, a thought said aloud, the same sentence over and over. A gated reply never reaches
the judge, so nothing it says can sway one, and gates are named so that a run shows what its policy gets wrong.
Grammar faults come from `renderers.wellformed`; this file adds those that need the scene or the turn as a whole.
"""

import re
from collections import Counter

from pydantic import Field

from her.llm.model import FinishReason
from her.renderers import wellformed
from her.renderers.spoken_thought import runs as runs
from her.renderers.spoken_thought import speaks_thought
from her.renderers.spoken_thought import words as words
from her.schema import Record, RLPrompt, Turn, Viewer

_SENTENCE = re.compile(r"[^.!?\n]+")


class GateConfig(Record):
    """Which gates stand, and how high."""

    system_thinking: bool
    """Must a reply open with system thinking? As the policy was trained."""
    max_words: int = Field(default=160, gt=0)
    """Most words of role thinking, action and speech together. HER asks for about 200 words at inference (HER §1.7);
    the shipped story's turns are far shorter."""
    loop_sentences: int = Field(default=3, gt=1)
    """The same sentence this often in one reply is a loop."""


class Gated(Record):
    """A reply at the gate. `fault` None: it may play, and `turn` is what it said."""

    fault: str | None
    faults: tuple[str, ...] = ()
    """Everything found, the first of them in `fault`."""
    turn: Turn | None


def gate(text: str, prompt: RLPrompt, *, finish_reason: FinishReason | None, config: GateConfig) -> Gated:
    """Check one sampled reply of `prompt.character`."""
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
    if not form.ok and not faults:
        faults.append("ill_formed")
    return Gated(fault=faults[0] if faults else None, faults=tuple(faults), turn=None if faults else form.turn)


def turn_faults(turn: Turn, *, config: GateConfig) -> list[str]:
    """The faults of a turn that was read: `nothing_visible`, `too_long`, `leak`, `loop`."""
    faults = []
    if not turn.seen_by(Viewer.reader()).parts:
        faults.append("nothing_visible")
    body = [p.text for p in turn.parts]
    if sum(len(words(t)) for t in body) > config.max_words:
        faults.append("too_long")
    if speaks_thought(turn):
        faults.append("leak")
    sentences = Counter(" ".join(words(s)) for t in body for s in _SENTENCE.findall(t) if len(words(s)) > 1)
    if sentences and max(sentences.values()) >= config.loop_sentences:
        faults.append("loop")
    return faults
