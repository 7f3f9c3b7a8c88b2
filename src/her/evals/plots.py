"""Plots: figures of a run as SVG text to be set into the page.

Owns how a figure looks. Colours are the page's own variables, so that a plot follows the reader's light or dark
setting; text stays text; equal data give equal bytes (fixed salt, no date). Imported lazily: it loads matplotlib.
"""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from her.evals.run_report import PolicyStep, RunReport
from her.renderers.layouts import Layouts
from her.stats import Estimate

# Stand-ins that matplotlib can draw with; each becomes a variable of the page.
_INK, _LINE = "#010203", "#010204"
_SERIES = ("#010205", "#010206", "#010207", "#010208")
_VARIABLES = {_INK: "currentColor", _LINE: "var(--line)"} | {c: f"var(--s{i + 1})" for i, c in enumerate(_SERIES)}
_THEN = " \u203a "
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a policy may be called $x$
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _LINE,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _LINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
}


def loss_plot(report: RunReport) -> str | None:
    """Training loss by step, with the held-out loss before and after; None where nothing was measured."""
    if report.sft is None or not report.sft.loss:
        return None
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 3.0))
        axes = figure.subplots()
        steps = [p.step for p in report.sft.loss]
        axes.plot(steps, [p.loss for p in report.sft.loss], color=_SERIES[0], lw=1.8, label="training")
        ends = ((steps[0], report.sft.heldout_before), (steps[-1], report.sft.heldout_after))
        points = [(x, e) for x, e in ends if e is not None and e.value is not None]
        if points:
            _bars(axes, [float(x) for x, _ in points], [e for _, e in points], _SERIES[1], label="held out")
        axes.set_xlabel("step")
        axes.set_ylabel("loss (nats per token)")
        axes.legend(frameon=False)
        return _svg(figure, "loss")


def policy_plot(report: RunReport) -> str | None:
    """Reward, unread replies, layout entropy, top layout and length by step."""
    if report.policy is None or not report.policy.steps:
        return None
    steps = report.policy.steps
    panels: list[tuple[str, list[float | None]]] = [
        ("mean reward", [s.reward for s in steps]),
        ("replies without a reward", [float(s.unread) for s in steps]),
        ("layout entropy (bits)", [s.entropy_bits for s in steps]),
        ("share of the top layout", [s.top_layout_share for s in steps]),
        ("tokens per reply", [s.tokens for s in steps]),
        ("share that passed the gates", [passed(s) for s in steps]),
        ("share of the top opening", [s.opening_share for s in steps]),
        ("Self-BLEU within a group", [s.self_bleu for s in steps]),
        ("agreement with the other judge", [s.agreed / s.compared if s.compared else None for s in steps]),
    ]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 6.7))
        grid = figure.subplots(3, 3, squeeze=False)
        for number, (axes, (title, values)) in enumerate(zip(grid.flat, panels, strict=True)):
            _line(axes, steps, values, title)
            if number >= 6:
                axes.set_xlabel("step")
        return _svg(figure, "policy")


def passed(step: PolicyStep) -> float | None:
    """Share of a step's replies that no gate stopped."""
    replies = step.rewarded + step.unread
    return 1 - step.gated / replies if replies else None


def well_formed_plot(report: RunReport) -> str | None:
    """Share of well-formed replies by policy, single and in scenes."""
    if report.eval is None or not report.eval.single:
        return None
    groups = [("held-out prompts", report.eval.single), ("played scenes", report.eval.scenes)]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 0.9 + 0.55 * len(report.eval.policies)))
        axes = figure.subplots()
        for number, (label, metrics) in enumerate(g for g in groups if g[1]):
            known = [m for m in metrics if m.well_formed.value is not None]
            rows = [report.eval.policies.index(m.policy) + (number - 0.5) * 0.22 for m in known]
            _points(axes, rows, [m.well_formed for m in known], _SERIES[number], label)
        _rows(axes, [_short(p) for p in report.eval.policies], "share of well-formed replies")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        return _svg(figure, "wellformed")


def win_rate_plot(report: RunReport) -> str | None:
    """Win rates with intervals, one half marked."""
    if report.eval is None:
        return None
    known = [w for w in report.eval.win_rates if w.rate.value is not None]
    if not known:
        return None
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 0.9 + 0.4 * len(known)))
        axes = figure.subplots()
        axes.axvline(0.5, color=_INK, lw=1, ls=(0, (4, 3)))
        _points(axes, [float(i) for i in range(len(known))], [w.rate for w in known], _SERIES[0], None)
        _rows(
            axes, [f"{_short(w.policy)} against {_short(w.against)}" for w in known], "win rate (ties count one half)"
        )
        return _svg(figure, "winrate")


def layouts_plot(before: Layouts, after: Layouts, *, most: int = 12) -> str | None:
    """Shares of turns by layout, before and after; the rarer ones in one row. None where there are no turns."""
    both = [(label, layouts.counts, layouts.turns.n) for label, layouts in (("source", before), ("now", after))]
    both = [row for row in both if row[2]]
    if not both:
        return None
    weight = {name: sum(c.get(name, 0) / n for _, c, n in both) for _, c, _ in both for name in c}
    ranked = sorted(weight, key=lambda name: (-weight[name], name))
    shown, rest = (ranked, []) if len(ranked) <= most + 1 else (ranked[:most], ranked[most:])
    names = [name.replace(">", _THEN) for name in shown] + ([f"{len(rest)} others"] if rest else [])
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 1.2 + 0.32 * len(names)))
        axes = figure.subplots()
        height = 0.8 / len(both)
        for number, (label, c, n) in enumerate(both):
            shares = [c.get(name, 0) / n for name in shown] + ([sum(c.get(r, 0) for r in rest) / n] if rest else [])
            rows = [i + (number - (len(both) - 1) / 2) * height for i in range(len(names))]
            axes.barh(rows, shares, height=height, color=_SERIES[1 - number], label=f"{label}, n={n}")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("share of turns")
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        return _svg(figure, "layouts")


def gains_plot(layers: Sequence[tuple[str, Sequence[float]]]) -> str | None:
    """A histogram of gains for each layer, zero marked; None where nothing was measured."""
    known = [(name, list(values)) for name, values in layers if values]
    if not known:
        return None
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.6, 2.9))
        for number, (axes, (name, values)) in enumerate(
            zip(figure.subplots(1, len(known), squeeze=False).flat, known, strict=True)
        ):
            low, high = min(0.0, *values), max(0.0, *values)
            axes.hist(values, bins=24, range=(low, high if high > low else low + 1), color=_SERIES[number])
            axes.axvline(0, color=_INK, lw=1, ls=(0, (4, 3)))
            axes.set_title(f"{name}, n={len(values)}")
            axes.set_xlabel("gain (nats per token)")
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            axes.grid(visible=False, axis="x")
            if number == 0:
                axes.set_ylabel("turns")
        return _svg(figure, "gains")


def _line(axes: Axes, steps: Sequence[PolicyStep], values: list[float | None], title: str) -> None:
    axes.set_title(title)
    known = [(s.step, v) for s, v in zip(steps, values, strict=True) if v is not None]
    if not known:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center")
        return
    marker = "o" if len(known) < 25 else ""
    axes.plot([x for x, _ in known], [v for _, v in known], color=_SERIES[0], lw=1.6, marker=marker, ms=3)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _bars(axes: Axes, x: list[float], estimates: list[Estimate], color: str, *, label: str) -> None:
    axes.errorbar(x, _values(estimates), yerr=_errors(estimates), fmt="o", ms=5, capsize=3, color=color, label=label)


def _points(axes: Axes, rows: list[float], estimates: list[Estimate], color: str, label: str | None) -> None:
    values, errors = _values(estimates), _errors(estimates)
    axes.errorbar(values, rows, xerr=errors, fmt="o", ms=5, capsize=3, color=color, label=label)


def _rows(axes: Axes, names: list[str], label: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(label)


def _short(name: str, limit: int = 24) -> str:
    """A label that leaves room for the plot; the tables have the whole name."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def _values(estimates: list[Estimate]) -> list[float]:
    return [e.value for e in estimates if e.value is not None]


def _errors(estimates: list[Estimate]) -> list[list[float]]:
    known = [(e.value, e.low, e.high) for e in estimates if e.value is not None]
    below = [v - (v if low is None else low) for v, low, _ in known]
    above = [(v if high is None else high) - v for v, _, high in known]
    return [[max(0.0, b) for b in below], [max(0.0, a) for a in above]]


def _svg(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element: no prolog, no metadata, ids of its own, colours and font of the page."""
    out = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with mpl.rc_context({"svg.hashsalt": f"her-{name}"}):
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1; font-family: inherit", text)
    text = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg role="img" \1>', text, count=1)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, variable)
    return text.strip()
