"""What came of an exam, on a terminal: figures with n, interval and unscored; cards; differences."""

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console
from rich.table import Table
from rich.text import Text

from her.evals.benchmarks import Figure, Summary
from her.evals.benchmarks.card import Card
from her.evals.benchmarks.compare import Compared, Gated
from her.evals.benchmarks.trust.order import ENOUGH
from her.evals.benchmarks.trust.ranks import Ranks
from her.stats import Estimate


def show_summary(summary: Summary, console: Console) -> None:
    """Figures, controls and everything that should make one doubt them."""
    title = f"{summary.benchmark} · {summary.model} · profile {summary.settings.profile} · {summary.data.name}"
    table = Table(title=title)
    for column in ("metric", "group", "value", "95% interval", "n", "unscored"):
        table.add_column(column)
    for f in summary.figures:
        why = ", ".join(f"{reason} {n}" for reason, n in f.reasons.items())
        table.add_row(f.metric, f.group, *_cells(f.estimate), f"{f.unscored} ({why})" if why else "0")
    if summary.controls:
        table.add_section()
    for c in summary.controls:
        table.add_row(c.name, "control", *_cells(c.estimate), "")
    console.print(table)
    for a in summary.agreement:
        mild = ", ".join(f"{m.judge} {_short(m.deviation, sign=True)}" for m in a.leniency)
        console.print(f"judges on {a.metric}: alpha {_short(a.alpha)}; leniency {mild}", highlight=False)
    console.print(
        f"{summary.marks} marks of {summary.items} items in {summary.clusters} clusters, {summary.unscored} unscored",
        highlight=False,
    )
    if summary.marked:
        console.print("more than 5% are unscored: what is missing may not be like what is there", style="yellow")
    for warning in summary.warnings:
        console.print(warning, style="yellow", highlight=False)


def show_card(card: Card, console: Console) -> None:
    """A benchmark's card."""
    console.print(f"[bold]{card.title}[/bold] ({card.name}): {card.family}", highlight=False)
    lines = [
        card.measures,
        f"paper: {card.paper}; language: {card.language}; headline: {card.headline}, from {card.scale[0]:g} to "
        f"{card.scale[1]:g}",
        *(f"data: {s.where}; licence {s.licence}" for s in card.sources),
        f"scored by {'judges' if card.judged else 'code'}; plays along: {', '.join(card.parts) or 'nobody'}",
        *(f"profile {p.name}: {p.meaning}" for p in card.profiles),
    ]
    if card.one_profile is not None:
        lines.append(f"one profile alone: {card.one_profile}")
    lines += [
        f"option {o.name}={o.default}{' (' + ' | '.join(o.choices) + ')' if o.choices else ''}: {o.meaning}"
        for o in card.options
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False)
    if card.differences:
        table = Table(title="what differs between profiles", show_lines=True)
        for column in ("what", "upstream", "fixed", "why"):
            table.add_column(column, overflow="fold")
        for d in card.differences:
            table.add_row(d.what, d.upstream, d.fixed, d.why)
        console.print(table)
    for line in card.published:
        console.print(f"published: {line}", markup=False, highlight=False)


def show_compared(rows: Sequence[Compared], console: Console) -> None:
    """Paired differences."""
    table = Table(title=f"{rows[0].benchmark}: {rows[0].second} minus {rows[0].first}, on the same items")
    for column in ("metric", "difference", "95% interval", "pairs", "clusters", "p", "visible from", "left out"):
        table.add_column(column)
    for row in rows:
        r = row.result
        table.add_row(
            f"[bold]{row.metric}[/bold]" if row.headline else row.metric,
            *_cells(r.difference, sign=True),
            str(r.clusters),
            "-" if r.p is None else f"{r.p:.4f}" if r.exact else f"≈{r.p:.4f}",
            "-" if r.detectable is None else f"{r.detectable:.3f}",
            str(r.only_first + r.only_second),
        )
    console.print(table)
    console.print(
        "visible from: the smallest true difference that so many clusters show four times in five; "
        "left out: items with a number in one run only",
        highlight=False,
    )


def show_gated(rows: Sequence[Gated], console: Console) -> None:
    """The gate's verdict on each skill."""
    for row in rows:
        word, style = ("dropped", "red") if row.failed else ("held", "green")
        seen = "" if row.result.detectable is None else f"; a true drop below {row.result.detectable:.3f} may pass"
        difference = _short(row.result.difference, sign=True)
        line = (
            f"{row.benchmark} {row.metric}: {word}; new minus base {difference}, {row.result.clusters} clusters{seen}"
        )
        console.print(line, style=style, highlight=False)


def show_ranks(found: Ranks, console: Console) -> None:
    """Orders of models under each condition, and how alike they are."""
    table = Table(title=f"models by {found.metric}, best first; in brackets: how often two neighbours keep their order")
    for column in ("condition", "order", "items", "clusters"):
        table.add_column(column, overflow="fold")
    for order in found.orders:
        words = [f"{m} {v:.3g}" for m, v in zip(order.models, order.values, strict=True)]
        for place, (first, second) in enumerate(pairwise(order.models)):
            pair = order.pair(first, second)
            words[place] += " [equal]" if pair.gap == 0 else f" [{100 * pair.kept:.0f}%]"
        table.add_row(order.condition, Text(" > ".join(words)), str(order.items), str(order.clusters))
    console.print(table)
    if found.agreed:
        pairs = Table(title="how alike two orders are")
        for column in ("orders", "Kendall's tau", "95% interval", "models", "Spearman's rho", "by chance"):
            pairs.add_column(column, overflow="fold")
        for a in found.agreed:
            rho = "not defined" if a.rho is None else f"{a.rho:.2f}"
            chance = "-" if a.chance is None else f"{100 * a.chance:.0f}%"
            pairs.add_row(f"{a.first} | {a.second}", *_cells(a.tau), rho, chance)
        console.print(pairs)
        few = min(a.models for a in found.agreed)
        if few < ENOUGH:
            line = f"{few} models are too few to say whether orders agree: it takes {ENOUGH} before chance is below 5%"
            console.print(line, style="yellow", highlight=False)
    for line in found.left_out:
        console.print(f"no order: {line}", style="yellow", highlight=False, markup=False)


def headline(summary: Summary) -> Figure | None:
    """The figure that a run is known by."""
    return summary.figure(summary.headline)


def _cells(e: Estimate, *, sign: bool = False) -> tuple[str, str, str]:
    if e.value is None:
        return "no data", "", str(e.n)
    form = "+.3f" if sign else ".3f"
    return f"{e.value:{form}}", f"{e.low:{form}} to {e.high:{form}}", str(e.n)


def _short(e: Estimate, *, sign: bool = False) -> str:
    value, interval, n = _cells(e, sign=sign)
    return f"{value} [{interval}] (n={n})" if interval else f"{value} (n={n})"
