"""Plots: stretches of a chapter in which one thing happens, and how much of the book hangs on each.

By rules a plot is a chunk: a stretch of a chapter cut at scene borders; nobody sums it up. A teacher names its own.
Prominence that no teacher gave is counted:

    prominence = round(100 * (turns / most turns + mentions / most mentions) / 2)

where `turns` are those of the plot's scenes, `mentions` how often its text names anybody of the book, and the most are
those of the busiest plot here. It compares plots of one extraction with one another and means nothing else.
"""

from collections import Counter
from collections.abc import Sequence

from her.schema import Plot
from her.synthesis.extraction.chunks import Chunk
from her.synthesis.people.names import Roster
from her.synthesis.staged import Staged
from her.synthesis.text.prose import Prose


def plots_of(chunks: Sequence[Chunk], scenes: Sequence[Staged], *, prose: Prose, roster: Roster) -> tuple[Plot, ...]:
    """The chunks as plots, those without a scene too."""
    bare = [Plot(id=c.id, chapter=c.chapter.number, span=c.span, characters=carriers(c.id, scenes)) for c in chunks]
    return judged(bare, scenes, prose=prose, roster=roster)


def carriers(plot_id: str, scenes: Sequence[Staged]) -> tuple[str, ...]:
    """Who speaks in a plot, those with most turns first."""
    counts = Counter(t.speaker for s in scenes if s.plot_id == plot_id for t in s.turns)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def judged(plots: Sequence[Plot], scenes: Sequence[Staged], *, prose: Prose, roster: Roster) -> tuple[Plot, ...]:
    """The plots with a prominence each: the teacher's where it gave one, else the counted one."""
    turns = Counter({p.id: 0 for p in plots})
    for scene in scenes:
        turns[scene.plot_id] += len(scene.turns)
    mentions = {p.id: len(roster.mentioned(prose.text[p.span.start : p.span.end])) if p.span else 0 for p in plots}
    most_turns, most_mentions = max([1, *turns.values()]), max([1, *mentions.values()])
    return tuple(
        p
        if p.prominence is not None
        else p.model_copy(
            update={"prominence": round(50 * (turns[p.id] / most_turns + mentions[p.id] / most_mentions))}
        )
        for p in plots
    )
