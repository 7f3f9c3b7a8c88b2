"""Page: what all report pages share: the engine that fills them, their look, how a turn and a figure are shown.

A page stands alone: no network, everything inline, and no script but the one that a page may bring along, which the
page's own policy admits by its hash: nothing else on it can run. Whatever a model, a book or a user wrote is escaped by
the template engine; the only markup let through is what `plots` drew. Hidden layers stand folded: a report is for
whoever ran it, who opens them on purpose.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files

from her.errors import InputError
from her.renderers.display import render_display
from her.schema import Turn, Viewer

Contents = tuple[tuple[str, str], ...]
"""Anchor and name of each section."""


def render_page(
    template: str,
    *,
    title: str,
    contents: Contents,
    plots: Mapping[str, str | None],
    styles: Sequence[str] = (),
    script: str | None = None,
    **values: object,
) -> str:
    """A template below this folder as a page; equal values give equal bytes.

    `plots`: SVG text that `plots` drew. `styles`, `script`: further files below this folder, set into the page.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as e:
        raise missing(e) from e
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(said=said, layers=layers, total=total, duration=duration)
    code = None if script is None else _read(script)
    return environment.get_template(template).render(
        title=title,
        contents=contents,
        style=Markup("\n".join(_read(name) for name in ("report.css", *styles))),
        script=None if code is None else Markup(code),
        script_hash=None if code is None else _hash(f"\n{code}"),
        plots={name: None if svg is None else Markup(svg) for name, svg in plots.items()},
        **values,
    )


def missing(e: ImportError) -> InputError:
    """What to say where the libraries of the report are not installed."""
    return InputError(f"the report needs {e.name}; install it with: pip install 'her[report]'")


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


def _hash(code: str) -> str:
    """How a content security policy names one inline script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}"


def _read(name: str) -> str:
    return files("her.evals").joinpath(name).read_text(encoding="utf-8")
