"""Summary: a synthesis report as Markdown that a person reads. Counts as they are, no score."""

from collections.abc import Mapping

from her.renderers.layouts import LayoutStats
from her.synthesis.result import SynthReport, SynthResult


def summary(result: SynthResult) -> str:
    """The report of one synthesis. Holds no thought and no speech."""
    r = result.report
    lines = [
        f"# {result.title}",
        "",
        f"Teacher: `{r.teacher}`",
        "",
        "| what | count |",
        "|---|---|",
        f"| chapters | {r.chapters} |",
        f"| scenes | {r.scenes} |",
        f"| utterances in them | {r.utterances} |",
        f"| turns | {r.turns} |",
        f"| turns whose speech was found in the text, word for word | {r.spans_verified} |",
        f"| turns whose speech was not | {r.spans_unverified} |",
        f"| actions the text tells | {r.book_actions} |",
        f"| turns with role thinking | {r.thoughts_kept} of {r.turns} |",
        f"| turns with system thinking | {r.system_thinking_kept} of {r.turns} |",
        f"| additions to settings, each with a verified quote | {r.additions_kept} |",
        f"| calls (of these, retries) | {sum(r.calls.values())} ({r.retries}) |",
        f"| tokens read, written | {r.prompt_tokens}, {r.completion_tokens} |",
        f"| layouts before | {_layouts(r.layouts_before)} |",
        f"| layouts after | {_layouts(r.layouts_after)} |",
    ]
    lines += _table("Speakers found by", r.attributed)
    lines += _table("Given up, by reason", r.rejected)
    lines += _table("Answers refused, retried ones included", r.refused_answers)
    lines += _table("Calls by stage", r.calls)
    return "\n".join(lines) + "\n"


def _table(title: str, counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return ["", f"## {title}", "", "None."]
    return ["", f"## {title}", "", "| | count |", "|---|---|", *(f"| {k} | {v} |" for k, v in counts.items())]


def _layouts(stats: LayoutStats) -> str:
    if stats.entropy_bits is None or stats.top_share is None:
        return "no turns"
    return f"{stats.distinct} distinct, {stats.entropy_bits:.2f} bits, top {stats.top_layout} {stats.top_share:.0%}"


def counts(report: SynthReport) -> dict[str, int]:
    """Rejects by reason, for a stage's manifest."""
    return dict(report.rejected)
