"""Volumes: the reports of many books as one.

Sums alone. What cannot be summed is said to be unknown rather than averaged away: distinct layouts in a dialogue are
weighed by the dialogues of each book.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from her.renderers.layouts import Layouts, LayoutStats
from her.synthesis.result import SynthReport


def volumes(reports: Sequence[SynthReport], *, source: str, title: str, rejected: Iterable[str]) -> SynthReport:
    """One report of all, under a title of its own. `rejected`: `stage.reason` of every book that came to nothing."""
    first = reports[0]
    lost = Counter(rejected)
    sums = {name: _summed(getattr(r, name) for r in reports) for name in _SUMS}
    counts = {name: _counted(getattr(r, name) for r in reports) for name in _COUNTS}
    counts["rejected"] = _counted([counts["rejected"], lost])
    return first.model_copy(
        update={
            **sums,
            **counts,
            "source": source,
            "title": title,
            "layouts_before": _layouts([(r.layouts_before, r.scenes) for r in reports]),
            "layouts_after": _layouts([(r.layouts_after, r.scenes) for r in reports]),
        }
    )


_SUMS = tuple(name for name, f in SynthReport.model_fields.items() if f.annotation is int)
_COUNTS = tuple(name for name, f in SynthReport.model_fields.items() if f.annotation == dict[str, int])


def _summed(values: Iterable[int]) -> int:
    return sum(values)


def _counted(counts: Iterable[dict[str, int] | Counter[str]]) -> dict[str, int]:
    whole: Counter[str] = Counter()
    for one in counts:
        whole.update(one)
    return dict(sorted(whole.items()))


def _layouts(parts: Sequence[tuple[Layouts, int]]) -> Layouts:
    counts = _counted(one.counts for one, _ in parts)
    n = sum(counts.values())
    top = min(counts, key=lambda layout: (-counts[layout], layout)) if counts else None
    known = [(one.per_dialogue, scenes) for one, scenes in parts if one.per_dialogue is not None and scenes]
    return Layouts(
        turns=LayoutStats(
            n=n,
            distinct=len(counts),
            entropy_bits=sum(c / n * math.log2(n / c) for c in counts.values()) if n else None,
            top_layout=top,
            top_share=counts[top] / n if top is not None else None,
        ),
        counts=counts,
        per_dialogue=sum(mean * k for mean, k in known) / sum(k for _, k in known) if known else None,
        longest_run=max((one.longest_run for one, _ in parts), default=0),
    )
