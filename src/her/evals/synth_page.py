"""write_synth_page: a synthesis as one page for people and one file for programs."""

from pathlib import Path

from her.evals.page import Contents, missing, render_page
from her.evals.synth_headline import caveats, headline
from her.evals.synth_sections import SynthPage
from her.store import write_json, write_text

CONTENTS: Contents = (
    ("happened", "What happened"),
    ("counts", "Counts"),
    ("lost", "Given up"),
    ("layouts", "Layouts"),
    ("gains", "Gains"),
    ("flags", "Doubts"),
    ("cost", "Cost"),
    ("samples", "Dialogues"),
    ("about", "About"),
)

CHARACTERS_SHOWN = 20
"""Characters in a table of gains, those with the most turns; `report.json` has them all."""


def write_synth_page(page: SynthPage, path_html: Path, path_json: Path) -> None:
    """Write the page and the JSON, each whole or not at all."""
    html = render_synth_page(page)
    write_json(path_json, page.model_dump(mode="json"))
    write_text(path_html, html)


def render_synth_page(page: SynthPage) -> str:
    """The page as text; equal records give equal bytes."""
    try:
        from her.evals import plots
    except ImportError as e:
        raise missing(e) from e
    return render_page(
        "synth_page.html.j2",
        title=page.title,
        contents=CONTENTS,
        plots={
            "layouts": plots.layouts_plot(page.layouts_before, page.layouts_after),
            "gains": plots.gains_plot([(s.name(), s.values) for s in page.gains or ()]),
        },
        p=page,
        characters_shown=CHARACTERS_SHOWN,
        headline=headline(page),
        caveats=caveats(page),
    )
