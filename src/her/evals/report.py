"""write_report: a run as one page for people and one file for programs.

Owns the writing of both. The page stands alone: no script, no network, everything inline. Whatever a model or a user
wrote is escaped by the template engine; the only markup let through is what `plots` drew. Hidden layers stand folded: a
report is for whoever ran it, who opens them on purpose.
"""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from her.errors import InputError
from her.evals.headline import UNSCORED_MARK, caveats, headline
from her.evals.metrics import Reply
from her.evals.run_report import RunReport
from her.renderers.display import render_display
from her.schema import Turn, Viewer
from her.store import write_json, write_text

PROMPTS_SHOWN = 4
"""Prompts whose replies stand side by side on the page; `report.json` has them all."""


def write_report(report: RunReport, path_html: Path, path_json: Path) -> None:
    """Write the page and the JSON, each whole or not at all."""
    page = render_report(report)
    write_json(path_json, report.model_dump(mode="json"))
    write_text(path_html, page)


def render_report(report: RunReport) -> str:
    """The page as text; equal reports give equal bytes."""
    try:
        import jinja2
        from markupsafe import Markup

        from her.evals import plots
    except ImportError as e:
        raise InputError(f"the report needs {e.name}; install it with: pip install 'her[report]'") from e
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(said=said, layers=layers, total=total, duration=duration)
    drawn: Mapping[str, str | None] = {
        "loss": plots.loss_plot(report),
        "policy": plots.policy_plot(report),
        "well_formed": plots.well_formed_plot(report),
        "win_rate": plots.win_rate_plot(report),
    }
    here = files("her.evals")
    template = environment.from_string(here.joinpath("report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        r=report,
        headline=headline(report),
        caveats=caveats(report),
        plots={name: None if svg is None else Markup(svg) for name, svg in drawn.items()},
        style=Markup(here.joinpath("report.css").read_text(encoding="utf-8")),
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


def said(turn: Turn) -> str:
    """A turn as everyone in the scene perceived it; empty where it was a thought alone."""
    seen = turn.seen_by(Viewer.reader())
    return render_display(seen, name=False) if seen.parts else ""


def layers(turn: Turn) -> Turn:
    """A turn as the reader of this report may see it, once unfolded."""
    return turn.seen_by(Viewer.reader(role_thinking=True, system_thinking=True))


def total(counts: Mapping[str, int]) -> int:
    """The sum of counts by reason."""
    return sum(counts.values())


def duration(seconds: float) -> str:
    """A time span for people."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
