"""Guard: sees a policy collapse onto one template, or learn to please its judge, while it trains.

Owns thresholds and the verdict on a curve; how a run is taken back is the trainer's. A pure function of the curve, so a
resumed run reaches the same verdict at the same step. Figures of the last steps are compared with those of the first,
when the policy still wrote as it was fine-tuned to: what is usual differs from model to model. The paper's collapse
(HER Table 6: one layout in 96% of the replies, 0.28 bits) would raise three of these alarms.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field

from her.renderers.layouts import LayoutStats
from her.renderers.variety import Variety
from her.schema import PartKind, Record
from her.stats import share
from her.train import streak


class GuardConfig(Record):
    """When a run counts as collapsed. Each threshold is met *and* the figure is worse than at the beginning."""

    on_collapse: Literal["roll_back", "watch"] = "roll_back"
    """`roll_back`: training ends and the last healthy adapter is the result. `watch`: alarms are recorded alone."""
    baseline: int = Field(default=4, gt=0)
    """First steps, taken as usual."""
    window: int = Field(default=4, gt=0)
    """Last steps, taken together: a step has few replies."""
    alarms: int = Field(default=2, gt=0)
    """Alarms at once that make a step sick: a single figure can drift for a good reason."""
    patience: int = Field(default=2, gt=0)
    """Sick steps in a row that make a collapse."""
    replies: int = Field(default=16, gt=0)
    """Fewest replies in a window from which anything is concluded."""
    top_layout: float = Field(default=0.8, gt=0, le=1)
    """Share of one layout, at an entropy below `entropy_kept` of the usual."""
    entropy_kept: float = Field(default=0.5, gt=0, le=1)
    opening: float = Field(default=0.5, gt=0, le=1)
    """Share of one opening, and twice the usual."""
    self_bleu: float = Field(default=0.3, gt=0, le=1)
    """Self-BLEU within groups, and twice the usual. The paper's collapse had 0.014 over whole batches; replies to one
    prompt are more alike."""
    length_factor: float = Field(default=2.0, gt=1)
    """Words of a layer: so many times the usual, or its inverse, and at least four words of difference."""
    rise: float = Field(default=0.25, gt=0, le=1)
    """Rise of the share of replies that a gate stopped, or that hold words that please judges."""
    witness_every: int = Field(default=4, ge=0)
    """The held-out judge compares the replies of every so-manieth step; 0: never."""


class Alarm(Record):
    """One figure that is not as it was."""

    name: Literal["layout", "opening", "self_bleu", "length", "gated", "pleasing", "held_out"]
    value: float
    usual: float | None
    """None: compared with nothing."""
    text: str


class Health(Record):
    """What the guard looks at in one step."""

    step: int
    replies: int
    gated: int
    pleasing: int
    """Replies with words of the grader or of melodrama (`reward/words`)."""
    layouts: LayoutStats
    variety: Variety
    agreed: int
    """Pairs of replies to one prompt that the held-out judge puts in the same order as the reward."""
    compared: int
    """Pairs with a known and different reward from both."""


class Collapse(Record):
    """A policy that went wrong: what was seen, when, and since when."""

    step: int
    """Where it was called."""
    since: int
    """The first of the sick steps in a row."""
    alarms: tuple[Alarm, ...]
    """Of the last step."""

    def __str__(self) -> str:
        return f"collapse at step {self.step} (sick since {self.since}): " + "; ".join(a.text for a in self.alarms)


def collapse(curve: Sequence[Health], config: GuardConfig) -> Collapse | None:
    """The first collapse in a curve, None while there is none."""
    found = streak.first(curve, length=config.patience, bad=lambda part: _sick(part, config))
    if found is None:
        return None
    return Collapse(step=found[-1].step, since=found[-config.patience].step, alarms=alarms(found, config))


def sick(curve: Sequence[Health], config: GuardConfig) -> bool:
    """Is this the last of so many sick steps in a row that the policy has collapsed?"""
    return streak.at_end(curve, length=config.patience, bad=lambda part: _sick(part, config))


def _sick(curve: Sequence[Health], config: GuardConfig) -> bool:
    return len(alarms(curve, config)) >= config.alarms


def alarms(curve: Sequence[Health], config: GuardConfig) -> tuple[Alarm, ...]:
    """What is alarming at the end of a curve. Nothing is while the last window reaches into the baseline."""
    if len(curve) < config.baseline + config.window:
        return ()
    usual, now = curve[: config.baseline], curve[-config.window :]
    if sum(h.layouts.n for h in now) + sum(h.gated for h in now) < config.replies:
        return ()
    found = (
        _layout(usual, now, config),
        _doubled("opening", _opening, usual, now, least=config.opening),
        _doubled("self_bleu", _self_bleu, usual, now, least=config.self_bleu),
        _length("thought", usual, now, config),
        _length("action", usual, now, config),
        _length("speech", usual, now, config),
        _risen("gated", lambda h: h.gated, usual, now, config),
        _risen("pleasing", lambda h: h.pleasing, usual, now, config),
        _held_out(now),
    )
    return tuple(alarm for alarm in found if alarm is not None)


def _layout(usual: Sequence[Health], now: Sequence[Health], config: GuardConfig) -> Alarm | None:
    top = _mean(now, lambda h: h.layouts.top_share)
    bits, before = (_mean(part, lambda h: h.layouts.entropy_bits) for part in (now, usual))
    if top is None or bits is None or not before or top < config.top_layout or bits > config.entropy_kept * before:
        return None
    text = f"one layout in {top:.0%} of the replies, {bits:.2f} bits where {before:.2f} were usual"
    return Alarm(name="layout", value=bits, usual=before, text=text)


def _doubled(
    name: Literal["opening", "self_bleu"],
    figure: Callable[[Health], float | None],
    usual: Sequence[Health],
    now: Sequence[Health],
    *,
    least: float,
) -> Alarm | None:
    value, before = _mean(now, figure), _mean(usual, figure)
    if value is None or before is None or value < max(least, 2 * before):
        return None
    what = "of the replies open alike" if name == "opening" else "Self-BLEU within a group"
    return Alarm(name=name, value=value, usual=before, text=f"{value:.2f} {what}, {before:.2f} were usual")


def _length(kind: PartKind, usual: Sequence[Health], now: Sequence[Health], config: GuardConfig) -> Alarm | None:
    value, before = (_mean(part, lambda h: h.variety.words.get(kind)) for part in (now, usual))
    if value is None or before is None or abs(value - before) < 4:
        return None
    if before / config.length_factor <= value <= before * config.length_factor:
        return None
    return Alarm(name="length", value=value, usual=before, text=f"{value:.0f} words of {kind}, {before:.0f} were usual")


def _risen(
    name: Literal["gated", "pleasing"],
    count: Callable[[Health], int],
    usual: Sequence[Health],
    now: Sequence[Health],
    config: GuardConfig,
) -> Alarm | None:
    value, before = (sum(map(count, part)) / max(1, sum(h.replies for h in part)) for part in (now, usual))
    if value < before + config.rise:
        return None
    what = "stopped at a gate" if name == "gated" else "with words that please judges"
    return Alarm(
        name=name, value=value, usual=before, text=f"{value:.0%} of the replies {what}, {before:.0%} were usual"
    )


def _held_out(now: Sequence[Health]) -> Alarm | None:
    found = share(sum(h.agreed for h in now), sum(h.compared for h in now))
    if found.value is None or found.high is None or found.high >= 0.5:
        return None
    text = f"the held-out judge agrees with the reward on {found.value:.0%} of {found.n} pairs, below a coin"
    return Alarm(name="held_out", value=found.value, usual=None, text=text)


def _mean(part: Sequence[Health], figure: Callable[[Health], float | None]) -> float | None:
    """Over steps, each weighed by its replies that were read."""
    known = [(value, h.layouts.n) for h in part if (value := figure(h)) is not None and h.layouts.n]
    return sum(v * n for v, n in known) / sum(n for _, n in known) if known else None


def _opening(health: Health) -> float | None:
    return health.variety.opening_share


def _self_bleu(health: Health) -> float | None:
    return health.variety.self_bleu
