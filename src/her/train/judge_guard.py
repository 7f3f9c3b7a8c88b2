"""Judge guard: sees a judge that learns to guess, while it trains.

Owns the thresholds and the verdict on a curve. Rewarded for the label alone, a judge may learn to let one side win
every principle (HER's unbalanced data: Mixed Selection 6% where 70% were usual), to name whoever stands first, or to
break the form. Figures of the last steps are compared with those of the first, so a judge that never mixed raises no
alarm: its figure is shown. A pure function of the curve, so a resumed run comes to the same verdict at the same step.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field

from her.schema import Record
from her.train import streak


class JudgeGuardConfig(Record):
    """When a judge counts as collapsed."""

    on_collapse: Literal["roll_back", "watch"] = "roll_back"
    baseline: int = Field(default=4, gt=0)
    """First steps, taken as usual."""
    window: int = Field(default=4, gt=0)
    """Last steps, taken together."""
    patience: int = Field(default=2, gt=0)
    """Steps in a row with an alarm that make a collapse."""
    verdicts: int = Field(default=16, gt=0)
    """Fewest verdicts that were read in a window from which anything is concluded."""
    mixed: float = Field(default=0.3, ge=0, le=1)
    """Share of mixed verdicts below which, and below half of the usual, one side wins everything."""
    rise: float = Field(default=0.25, gt=0, le=1)
    """Rise of the share of verdicts with a fault of form, or of those won by one and the same place."""


class JudgeHealth(Record):
    """What the guard looks at in one step."""

    step: int
    verdicts: int
    faults: dict[str, int]
    """Verdicts that do not count, by reason."""
    mixed: int
    """Of the others, those whose findings favour both candidates."""
    first: int
    """Of those that name a winner, whoever stood first."""
    decided: int
    """Verdicts that name a winner."""

    @property
    def read(self) -> int:
        return self.verdicts - sum(self.faults.values())


class JudgeAlarm(Record):
    """One figure that is not as it was."""

    name: Literal["one_sided", "form", "place"]
    value: float
    usual: float
    text: str


class JudgeCollapse(Record):
    """A judge that went wrong: where it was called, since when, and what was seen."""

    step: int
    since: int
    alarms: tuple[JudgeAlarm, ...]


def judge_alarms(curve: Sequence[JudgeHealth], config: JudgeGuardConfig) -> tuple[JudgeAlarm, ...]:
    """What is alarming at the end of a curve. Nothing is while the last window reaches into the baseline."""
    if len(curve) < config.baseline + config.window:
        return ()
    usual, now = curve[: config.baseline], curve[-config.window :]
    found = []
    part, before = (_share(x, lambda h: h.mixed, lambda h: h.read) for x in (now, usual))
    enough = sum(h.read for h in now) >= config.verdicts
    if enough and part is not None and before is not None and part < config.mixed and 2 * part < before:
        text = f"findings favour both candidates in {part:.0%} of the verdicts, {before:.0%} were usual"
        found.append(JudgeAlarm(name="one_sided", value=part, usual=before, text=text))
    part, before = (_share(x, lambda h: sum(h.faults.values()), lambda h: h.verdicts) for x in (now, usual))
    if part is not None and before is not None and part > before + config.rise:
        text = f"{part:.0%} of the verdicts do not count, {before:.0%} were usual"
        found.append(JudgeAlarm(name="form", value=part, usual=before, text=text))
    part, before = (_share(x, lambda h: h.first, lambda h: h.decided) for x in (now, usual))
    if enough and part is not None and before is not None and abs(part - 0.5) > abs(before - 0.5) + config.rise:
        text = f"whoever stands first wins {part:.0%} of the verdicts, {before:.0%} were usual"
        found.append(JudgeAlarm(name="place", value=part, usual=before, text=text))
    return tuple(found)


def judge_sick(curve: Sequence[JudgeHealth], config: JudgeGuardConfig) -> bool:
    """Is this the last of so many alarming steps in a row that the judge has collapsed?"""
    return streak.at_end(curve, length=config.patience, bad=lambda part: bool(judge_alarms(part, config)))


def judge_collapse(curve: Sequence[JudgeHealth], config: JudgeGuardConfig) -> JudgeCollapse | None:
    """The first collapse in a curve, None while there is none."""
    found = streak.first(curve, length=config.patience, bad=lambda part: bool(judge_alarms(part, config)))
    if found is None:
        return None
    since = found[-config.patience].step
    return JudgeCollapse(step=found[-1].step, since=since, alarms=judge_alarms(found, config))


def _share(
    part: Sequence[JudgeHealth], count: Callable[[JudgeHealth], int], of: Callable[[JudgeHealth], int]
) -> float | None:
    total = sum(map(of, part))
    return sum(map(count, part)) / total if total else None
