"""Gain: what a hidden layer is worth, measured on the words that follow it."""

from typing import Literal

from her.schema.record import Record


class Gain(Record):
    """How much a thought or plan helps to expect the source's own reply. Log-likelihoods are nats a token of that
    reply, as `scorer` sees them."""

    layer: Literal["thought", "system_thinking"]
    scorer: str
    """Fingerprint of the model that scored."""
    tokens: int
    """Tokens of the reply, its end included."""
    given: float
    """With the layer."""
    without: float
    """Without it."""
    shuffled: float
    """With another turn's layer in its place."""
    copied: float
    """Share of the reply's words that the layer already says, in [0, 1]."""
    value: float
    """What the layer earns: gain over the better of `without` and `shuffled`, less the penalty for copying."""
