"""ShownPlay: one play as the page shows it: the item, every line with the faults that judges named, the marks.

Owns which fault stands beside which line, and how much of a long text is shown. Decides nothing about who may see what:
hidden layers are in it, and the template folds them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from her.evals.benchmarks.asked import Asked, Lost
from her.evals.benchmarks.item import Item
from her.evals.benchmarks.mark import Finding, ItemScore, Mark, Unscored
from her.evals.benchmarks.play import Judged, Line, Play
from her.evals.benchmarks.run import ExamRun

LONGEST = 6000
"""Characters of one text; a novel before a question would drown the page. The run's files have all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedLine:
    """A line and what judges found wrong with it."""

    number: int
    """From 1."""
    line: Line
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPlay:
    """One item, played once."""

    run: int
    """Which of the page's runs."""
    score: ItemScore
    item: tuple[tuple[str, str], ...]
    """What was given: name and text of the item's fields."""
    lines: tuple[NotedLine, ...]
    loose: tuple[Finding, ...]
    """Faults beside no line."""
    replies: tuple[Asked, ...]
    """What was answered, where the play has no lines that show it."""
    lost: tuple[Asked, ...]
    """Questions of a dialogue that came back with no reply."""
    judged: tuple[Judged, ...]
    counts: Mapping[str, int]
    headline: Mark | None

    def marks(self) -> tuple[Mark, ...]:
        """Those of code or of the whole panel."""
        return tuple(m for m in self.score.marks if m.judge is None)

    def judges(self) -> tuple[str, ...]:
        """Whose own marks there are beside the panel's."""
        return tuple(dict.fromkeys(m.judge for m in self.score.marks if m.judge is not None))

    def mark(self, metric: str, judge: str | None) -> Mark | None:
        """One judge's mark."""
        return next((m for m in self.score.marks if (m.metric, m.judge) == (metric, judge)), None)

    def state(self) -> str:
        """What the page filters by: unscored as soon as one mark is."""
        return "unscored" if any(isinstance(m, Unscored) for m in self.marks()) else "scored"

    def flaws(self) -> int:
        """How many faults were named."""
        return len(self.score.findings)


def shown_plays(run: ExamRun, *, number: int) -> tuple[ShownPlay, ...]:
    """Every play of a run, in the run's order. `number` is the run's place on the page."""
    items = {i.id: _fields(i) for i in run.items}
    plays = {(p.item_id, p.repeat): p for p in run.plays}
    judged: dict[tuple[str, int], list[Judged]] = {}
    for answer in run.judged:
        judged.setdefault((answer.item_id, answer.repeat), []).append(answer)
    return tuple(
        _shown(
            number,
            score,
            plays[score.item_id, score.repeat],
            items[score.item_id],
            judged.get((score.item_id, score.repeat), ()),
            run.summary.headline,
        )
        for score in run.scores
    )


def cut(text: str, most: int = LONGEST) -> str:
    """A text, its middle left out where it is too long; how much is said in its place."""
    if len(text) <= most:
        return text
    half = most // 2
    gap = f"[… {len(text) - 2 * half:,} characters are left out here; the run's files have them …]"
    return f"{text[:half]}\n{gap}\n{text[-half:]}"


def _shown(
    number: int,
    score: ItemScore,
    play: Play,
    item: tuple[tuple[str, str], ...],
    judged: Sequence[Judged],
    headline: str,
) -> ShownPlay:
    beside = [f for f in score.findings if f.line is not None and 0 <= f.line < len(play.lines)]
    lines = tuple(
        NotedLine(number=place + 1, line=line, findings=tuple(f for f in beside if f.line == place))
        for place, line in enumerate(play.lines)
    )
    return ShownPlay(
        run=number,
        score=score,
        item=item,
        lines=lines,
        loose=tuple(f for f in score.findings if f not in beside),
        replies=() if play.lines else play.asked,
        lost=tuple(a for a in play.asked if isinstance(a.returned, Lost)) if play.lines else (),
        judged=tuple(judged),
        counts=play.counts,
        headline=next((m for m in score.marks if m.metric == headline and m.judge is None), None),
    )


def _fields(item: Item) -> tuple[tuple[str, str], ...]:
    values = item.model_dump(mode="json", exclude={"id", "cluster", "title", "facets"})
    return tuple(
        (name.replace("_", " "), cut(_text(value))) for name, value in values.items() if value not in ("", None, [], {})
    )


def _text(value: object) -> str:
    """A field for people: text as it is, short structures as lines, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return "\n".join(f"{k}. {v}" if len(k) == 1 else f"{k}: {v}" for k, v in value.items())
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False, indent=1)
