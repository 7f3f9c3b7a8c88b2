"""SFTSample and RLPrompt: one target turn each, with the history exactly as at inference."""

from typing import Literal

from her.schema.message import Message
from her.schema.record import Record
from her.schema.scene import Scene
from her.schema.turn import HistoryPolicy, Provenance, Turn

Split = Literal["train", "valid", "test"]


class SFTSample(Record):
    """One target turn. Loss falls on `target` alone (HER §2.5: last round only)."""

    id: str
    dialogue_id: str
    turn_id: str
    character: str
    messages: tuple[Message, ...]
    """System prompt and history, as the character sees them."""
    target: str
    """The assistant's text: `[system thinking]Name: body` in HER tags."""
    split: Split
    provenance: Provenance
    history_policy: HistoryPolicy
    system_thinking: bool
    """Does the target open with system thinking?"""
    flags: tuple[str, ...] = ()
    """Kinds of doubt about anything the sample shows, sorted."""


class RLPrompt(Record):
    """A place in a scene where a policy speaks next. Carries the records, so that a judge can build its own view."""

    id: str
    dialogue_id: str
    turn_id: str
    character: str
    scene: Scene
    history: tuple[Turn, ...]
    messages: tuple[Message, ...]
    reference: Turn
    """What the source says here: the anchor of the paper's reward, never shown to the policy."""
    split: Split
    provenance: Provenance
    history_policy: HistoryPolicy
    system_thinking: bool
    """Was the prompt built asking for system thinking?"""
