"""How reports on judges are printed: a column for each judge."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from her.reward.attacks import AttackReport
    from her.reward.measure import JudgeReport
    from her.stats import Estimate


def show_reports(reports: "Sequence[JudgeReport]") -> None:
    """What each judge is worth on the same labelled pairs."""
    first = reports[0]
    table = Table(title=f"{first.pairs} labelled pairs, each asked in both orders; 95% intervals")
    table.add_column("")
    rows: list[tuple[str, list[str]]] = [
        ("accuracy", [_text(r.accuracy) for r in reports]),
        ("asked once", [_text(r.one_order) for r in reports]),
        ("same winner in both orders", [_consistency(r) for r in reports]),
        ("won by whoever stood first", [_text(r.first_place) for r in reports]),
        ("ties", [_text(r.ties) for r in reports]),
        ("unread", [_text(r.unread) + _reasons(r.unread_reasons) for r in reports]),
        ("mixed selection", [_text(r.mixed_selection) for r in reports]),
        ("tokens a verdict", [_tokens(r) for r in reports]),
        (
            f"length correlation (labels: {_short(first.length_correlation.labelled)})",
            [_text(r.length_correlation.judged) for r in reports],
        ),
        *(
            (
                f"longer {bias.layer} wins (labels: {_short(bias.labelled)})",
                [_text(r.lengths[i].judged) for r in reports],
            )
            for i, bias in enumerate(first.lengths)
        ),
    ]
    for report in reports:
        table.add_column(escape(report.judge), overflow="fold")
    for name, cells in rows:
        table.add_row(name, *cells)
    names = sorted({p.principle for r in reports for p in r.principles})
    table.add_section()
    for name in names:
        found = [next((p.accuracy for p in r.principles if p.principle == name), None) for r in reports]
        cells = ["-" if e is None or e.value is None else f"{e.value:.2f} (n={e.n})" for e in found]
        table.add_row(f"  {escape(name)}", *cells)
    Console().print(table)


def show_attacks(reports: "Sequence[AttackReport]") -> None:
    """How each judge stood up to the same planted hacks."""
    total = sum(f.pairs for f in reports[0].families)
    table = Table(title=f"{total} planted hacks, each asked in both orders: share resisted, 95% intervals")
    table.add_column("family")
    table.add_column("n", justify="right")
    for report in reports:
        table.add_column(escape(report.judge), overflow="fold")
    for i, family in enumerate(reports[0].families):
        cells = []
        for report in reports:
            found = report.families[i]
            cells.append(f"{_bare(found.rate)}{_apart(found.ties, found.unread)}")
        table.add_row(family.family, str(family.pairs), *cells)
    table.add_section()
    cells = [f"{_bare(r.rate)}{_apart(r.ties, r.unread)}{_reasons(r.unread_reasons)}" for r in reports]
    table.add_row("all", str(total), *cells)
    console = Console()
    console.print(table)
    console.print("A tie and an unread verdict are no resistance. A control resists by length or luck, not by reading.")


def _bare(estimate: "Estimate") -> str:
    return "no data" if estimate.value is None else f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _text(estimate: "Estimate") -> str:
    return _bare(estimate) if estimate.value is None else f"{_bare(estimate)} n={estimate.n}"


def _short(estimate: "Estimate") -> str:
    return "no data" if estimate.value is None else f"{estimate.value:.2f}"


def _apart(ties: int, unread: int) -> str:
    found = [f"{n} {what}" for n, what in ((ties, "tied"), (unread, "unread")) if n]
    return f" ({', '.join(found)})" if found else ""


def _reasons(reasons: dict[str, int]) -> str:
    return f" ({', '.join(f'{n} {reason}' for reason, n in reasons.items())})" if reasons else ""


def _consistency(report: "JudgeReport") -> str:
    return _text(report.swap_consistency) if report.positional else "1 by construction"


def _tokens(report: "JudgeReport") -> str:
    if report.tokens is None:
        return "not told"
    return f"{report.tokens.read:.0f} read, {report.tokens.written:.1f} written"
