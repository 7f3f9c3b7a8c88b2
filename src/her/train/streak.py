"""Streaks: a bad step may be chance, so many in a row are not. What both guards of training mean by a collapse."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Step = TypeVar("Step")


def at_end(curve: Sequence[Step], *, length: int, bad: Callable[[Sequence[Step]], bool]) -> bool:
    """Is the curve bad at each of its last `length` ends? `bad` is told of the curve up to a step."""
    return len(curve) >= length and all(bad(curve[:end]) for end in range(len(curve), len(curve) - length, -1))


def first(curve: Sequence[Step], *, length: int, bad: Callable[[Sequence[Step]], bool]) -> Sequence[Step] | None:
    """The curve up to the end of its first streak; None where it has none."""
    ends = range(length, len(curve) + 1)
    return next((curve[:end] for end in ends if at_end(curve[:end], length=length, bad=bad)), None)
