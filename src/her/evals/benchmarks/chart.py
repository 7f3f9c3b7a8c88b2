"""Chart: where things stand on a drawn scale: bars with intervals, and radars. Positions alone; templates draw them.

Owns the arithmetic of drawing. Labels are never markup here, so that whatever a model or a file is called stays text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from her.evals.benchmarks.figure import WHOLE, Figure
from her.stats import Estimate

SIZE, RADIUS = (680, 380), 150
"""Of a radar, in its own units."""
LINE = 18
"""Height of a line of a label."""
FEWEST, MOST = 3, 10
"""Axes of a radar: two are a line, and more than ten are a thicket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A figure on its scale, in per cent of the scale's length."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One direction of a radar and its label."""

    name: str
    x: float
    y: float
    """Where the axis ends."""
    label_x: float
    label_y: float
    anchor: str

    def lines(self) -> tuple[tuple[str, float], ...]:
        """The label, a word a line, and where each line stands."""
        words = self.name.split()
        top = self.label_y - LINE * (len(words) - 1) / 2
        return tuple((word, top + LINE * place) for place, word in enumerate(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One run on a radar."""

    points: tuple[tuple[float, float], ...]
    spans: tuple[tuple[float, float, float, float], ...]
    """Intervals along the axes: x and y of the lower and the upper end."""

    def outline(self) -> str:
        """As SVG writes points."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Radar:
    """Several dimensions of several runs."""

    axes: tuple[Axis, ...]
    rings: tuple[str, ...]
    shapes: tuple[Shape | None, ...]
    """In the order of the runs; None where a run lacks a dimension."""
    scale: tuple[float, float]


def bar(estimate: Estimate, scale: tuple[float, float] | None) -> Bar | None:
    """None where there is no value, or no scale that holds it."""
    if scale is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    if not scale[0] <= estimate.value <= scale[1]:
        return None
    return Bar(value=_place(estimate.value, scale), low=_place(estimate.low, scale), high=_place(estimate.high, scale))


def radar(figures: Sequence[Sequence[Figure]], *, headline: str, scale: tuple[float, float]) -> Radar | None:
    """The dimensions that runs of one benchmark have on its own scale, without the headline; None where they are few.

    `figures`: those of each run.
    """
    whole = [{f.metric: f for f in run if f.group == WHOLE and f.scale == scale} for run in figures]
    names = list(dict.fromkeys(m for run in whole for m in run if m != headline))
    if not FEWEST <= len(names) <= MOST:
        return None
    shapes = tuple(_shape([run.get(name) for name in names], scale) for run in whole)
    if not any(shapes):
        return None
    rings = tuple(
        " ".join(f"{x:.1f},{y:.1f}" for x, y in (_point(i, len(names), part) for i in range(len(names))))
        for part in (0.25, 0.5, 0.75, 1.0)
    )
    return Radar(
        axes=tuple(_axis(n, i, len(names)) for i, n in enumerate(names)), rings=rings, shapes=shapes, scale=scale
    )


def _shape(figures: Sequence[Figure | None], scale: tuple[float, float]) -> Shape | None:
    bars = [None if f is None else bar(f.estimate, scale) for f in figures]
    known = [b for b in bars if b is not None]
    if len(known) < len(bars):
        return None
    number = len(known)
    return Shape(
        points=tuple(_point(i, number, b.value / 100) for i, b in enumerate(known)),
        spans=tuple((*_point(i, number, b.low / 100), *_point(i, number, b.high / 100)) for i, b in enumerate(known)),
    )


def _axis(name: str, place: int, number: int) -> Axis:
    x, y = _point(place, number, 1.0)
    label_x, label_y = _point(place, number, 1.1)
    middle = SIZE[0] / 2
    anchor = "middle" if abs(label_x - middle) < 1 else "start" if label_x > middle else "end"
    return Axis(name=name, x=x, y=y, label_x=label_x, label_y=label_y + 5, anchor=anchor)


def _point(place: int, number: int, part: float) -> tuple[float, float]:
    angle = 2 * math.pi * place / number
    return SIZE[0] / 2 + RADIUS * part * math.sin(angle), SIZE[1] / 2 - RADIUS * part * math.cos(angle)


def _place(value: float, scale: tuple[float, float]) -> float:
    least, greatest = scale
    return 100 * min(1.0, max(0.0, (value - least) / (greatest - least)))
