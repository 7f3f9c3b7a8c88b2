"""Summary: a synthesis report as Markdown that a person reads. Counts as they are, no score."""

from collections.abc import Mapping

from her.renderers.layouts import Layouts
from her.synthesis.cost import stage_costs
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
        f"| stretches of speech that the text does not say, and are marked so | {r.invented} |",
        f"| actions the text tells | {r.book_actions} |",
        f"| turns with role thinking | {r.thoughts_kept} of {r.turns} |",
        f"| turns with system thinking | {r.system_thinking_kept} of {r.turns} |",
        f"| additions to settings, each with a verified quote | {r.additions_kept} |",
        f"| requests given up for good | {r.dead_letters} |",
        f"| calls (of these, retries) | {sum(r.calls.values())} ({r.retries}) |",
    ]
    lines += _table("Speakers found by", r.attributed)
    lines += _table("Given up, by reason", r.rejected)
    lines += _table("Answers refused, retried ones included", r.refused_answers)
    lines += _table("Doubts about what was kept", r.flags)
    lines += _stages(r)
    lines += _layouts(r.layouts_before, r.layouts_after)
    return "\n".join(lines) + "\n"


def _table(title: str, counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return ["", f"## {title}", "", "None."]
    return ["", f"## {title}", "", "| | count |", "|---|---|", *(f"| {k} | {v} |" for k, v in counts.items())]


def _stages(r: SynthReport) -> list[str]:
    costs = stage_costs(r)
    rows = [
        f"| {stage} | {n} | {r.prompt_tokens.get(stage, 0)} | {r.completion_tokens.get(stage, 0)} | "
        f"{r.unmetered.get(stage, 0)} | {_usd(costs[stage])} |"
        for stage, n in r.calls.items()
    ]
    head = ["| | calls | tokens read | tokens written | calls of unknown size | USD |", "|---|---|---|---|---|---|"]
    return ["", "## Calls and tokens by stage", "", *(head + rows if rows else ["None."])]


def _usd(cost: float | None) -> str:
    return "not known" if cost is None else f"{cost:.4f}"


def _layouts(before: Layouts, after: Layouts) -> list[str]:
    """Entropy and top share as HER compares them, before and after its first stage."""
    rows = (
        ("turns", before.turns.n, after.turns.n),
        ("distinct layouts", before.turns.distinct, after.turns.distinct),
        ("distinct in one dialogue, on average", _number(before.per_dialogue), _number(after.per_dialogue)),
        ("entropy, bits", _number(before.turns.entropy_bits), _number(after.turns.entropy_bits)),
        ("most frequent", _top(before), _top(after)),
        ("longest run of one layout", before.longest_run, after.longest_run),
    )
    head = ["", "## Layouts", "", "| | before | after |", "|---|---|---|"]
    return [*head, *(f"| {name} | {a} | {b} |" for name, a, b in rows)]


def _number(value: float | None) -> str:
    return "no turns" if value is None else f"{value:.2f}"


def _top(layouts: Layouts) -> str:
    share = layouts.turns.top_share
    return "no turns" if share is None else f"{layouts.turns.top_layout} {share:.0%}"


def counts(report: SynthReport) -> dict[str, int]:
    """Rejects by reason, for a stage's manifest."""
    return dict(report.rejected)
