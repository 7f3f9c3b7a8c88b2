"""write_report: a run as one page for people and one file for programs.

Owns the writing of both, and which replies stand side by side. What pages have in common is in `page`.
"""

from pathlib import Path

from her.evals.headline import UNSCORED_MARK, caveats, headline
from her.evals.metrics import Reply
from her.evals.page import Contents, missing, render_page
from her.evals.run_report import RunReport
from her.store import write_json, write_text

PROMPTS_SHOWN = 4
"""Prompts whose replies stand side by side on the page; `report.json` has them all."""
CONTENTS: Contents = (
    ("happened", "What happened"),
    ("stages", "Stages"),
    ("sft", "Fine-tuning"),
    ("judge", "Judges"),
    ("policy", "Reinforcement"),
    ("eval", "Exam"),
    ("samples", "Dialogues"),
    ("about", "About"),
)


def write_report(report: RunReport, path_html: Path, path_json: Path) -> None:
    """Write the page and the JSON, each whole or not at all."""
    page = render_report(report)
    write_json(path_json, report.model_dump(mode="json"))
    write_text(path_html, page)


def render_report(report: RunReport) -> str:
    """The page as text; equal reports give equal bytes."""
    try:
        from her.evals import plots
    except ImportError as e:
        raise missing(e) from e
    return render_page(
        "report.html.j2",
        title=report.about.run,
        contents=CONTENTS,
        plots={
            "loss": plots.loss_plot(report),
            "policy": plots.policy_plot(report),
            "well_formed": plots.well_formed_plot(report),
            "win_rate": plots.win_rate_plot(report),
        },
        r=report,
        headline=headline(report),
        caveats=caveats(report),
        side_by_side=side_by_side(report),
        unscored_mark=UNSCORED_MARK,
    )


def side_by_side(report: RunReport) -> tuple[tuple[Reply, ...], ...]:
    """The first prompts of the exam, each with the first reply of every policy, in the policies' order."""
    firsts: dict[str, list[Reply]] = {}
    for reply in () if report.eval is None else report.eval.replies:
        if reply.sample_index == 0:
            firsts.setdefault(reply.prompt_id, []).append(reply)
    return tuple(tuple(replies) for replies in list(firsts.values())[:PROMPTS_SHOWN])
