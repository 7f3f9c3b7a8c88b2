"""`her synth check`: perspective and leak faults in dialogues, and what the checker itself is worth.

Prints counts. What it found can quote a hidden thought, so the words go to the files that `--out` and `--mark` name,
and to the terminal only with `--show`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from her.llm import ChatModel
    from her.schema import Dialogue
    from her.stats import Estimate
    from her.store import Growing
    from her.synthesis.checks.checker import Finding
    from her.synthesis.checks.labelled import KindScore
    from her.synthesis.checks.report import CheckReport


def check(
    dialogues: Annotated[Path | None, typer.Argument(help="A JSONL file with one Dialogue a line.")] = None,
    bench: Annotated[bool, typer.Option("--bench", help="Check the labelled cases, and say how well.")] = False,
    teacher: Annotated[str | None, typer.Option(help="A model that reads every turn once more.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the findings here, one a line.")] = None,
    mark: Annotated[Path | None, typer.Option(help="Write the dialogues here, with what was found attached.")] = None,
    fail_on: Annotated[str | None, typer.Option(help="KIND,KIND: exit with 1 where one of them is found.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print what was found; it may quote hidden thoughts.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find mind reading, thoughts said aloud, knowledge that nobody gave and the like. Findings are not errors."""
    from her.errors import InputError
    from her.llm import open_model
    from her.schema import Dialogue
    from her.store import Together, stream_jsonl
    from her.synthesis.checks import labelled
    from her.synthesis.checks.checker import KINDS

    if (dialogues is None) != bench:
        raise InputError("give a file of dialogues or --bench, one of the two")
    if show and as_json:
        raise InputError("--show is for reading; with --json, name a file with --out")
    kinds = [k.strip() for k in (fail_on or "").split(",") if k.strip()]
    if unknown := [k for k in kinds if k not in KINDS]:
        raise InputError(f"--fail-on: no such kind: {', '.join(unknown)}; the kinds are {', '.join(KINDS)}")
    cases = labelled.load_cases() if bench else []
    source = (c.record() for c in cases) if dialogues is None else stream_jsonl(dialogues, Dialogue)
    model = open_model(teacher) if teacher is not None else None
    with Together() as files:
        writing = _Writing(
            findings=files.open(out) if out is not None else None,
            dialogues=files.open(mark) if mark is not None else None,
            show=show,
        )
        report, found = asyncio.run(_run(model, source, writing, keep=bench))
        if not report.dialogues:
            raise InputError(f"{dialogues} holds no dialogue; give what `her synth` wrote as dialogues.jsonl")
    scores = labelled.measure(cases, found) if bench else []
    if as_json:
        typer.echo(_json(report, scores))
    else:
        _print(report, scores)
    if any(k.findings for k in report.kinds if k.kind in kinds):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """Where findings go."""

    findings: "Growing | None"
    dialogues: "Growing | None"
    show: bool

    def write(self, dialogue: "Dialogue", findings: "Sequence[Finding]") -> None:
        from her.synthesis.checks.checker import flagged

        if self.dialogues is not None:
            self.dialogues.write(flagged(dialogue, findings))
        for finding in findings:
            if self.findings is not None:
                self.findings.write(finding)
            if self.show:
                typer.echo(_line(finding))


async def _run(
    model: "ChatModel | None", source: "Iterable[Dialogue]", writing: _Writing, *, keep: bool
) -> "tuple[CheckReport, dict[str, tuple[Finding, ...]]]":
    """The counts, and with `keep` the findings by dialogue."""
    from her.synthesis.checks.checker import check as rules
    from her.synthesis.checks.report import CheckCounter
    from her.synthesis.checks.second_reader import check_with_teacher

    counter = CheckCounter()
    kept = {}
    try:
        for dialogue in source:
            findings = rules(dialogue)
            reading = await check_with_teacher(model, dialogue, findings) if model is not None else None
            findings = reading.findings if reading is not None else findings
            counter.add(dialogue, findings, reading)
            if keep:
                kept[dialogue.id] = findings
            writing.write(dialogue, findings)
    finally:
        if model is not None:
            await model.close()
    return counter.report(), kept


def _line(finding: "Finding") -> str:
    """A finding on one line; what a terminal would obey is not printed."""
    flag = finding.flag
    line = f"{finding.dialogue_id} {finding.turn_id or 'card'} {flag.kind} {flag.where}: {flag.detail}"
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


def _json(report: "CheckReport", scores: "Sequence[KindScore]") -> str:
    from her.store import canonical

    whole = report.model_dump(mode="json")
    return canonical({**whole, "scores": [s.model_dump(mode="json") for s in scores]} if scores else whole)


def _print(report: "CheckReport", scores: "Sequence[KindScore]") -> None:
    from rich.console import Console

    console = Console()
    console.print(_scores(scores) if scores else _counts(report))
    if report.asked:
        typer.echo(
            f"second reader: {report.asked} turns asked, {report.unread} answers unread, "
            f"{report.unverified} claims whose words were not there"
        )


def _counts(report: "CheckReport") -> object:
    from rich.table import Table

    table = Table(title=f"{report.dialogues} dialogues, {report.turns} turns of characters; 95% intervals")
    for column in ("kind", "findings", "turns that have one", "dialogues"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for k in report.kinds:
        table.add_row(k.kind, str(k.findings), _share(k.turns), str(k.dialogues))
    return table


def _scores(scores: "Sequence[KindScore]") -> object:
    from rich.table import Table

    table = Table(title="labelled cases, by kind and part; shares with n and 95% intervals")
    for column in ("kind", "part", "recall", "precision", "clean twins flagged", "any clean case flagged"):
        table.add_column(column, overflow="fold")
    for s in scores:
        cells = [_share(e) for e in (s.recall, s.precision, s.twins, s.clean)]
        table.add_row(s.kind if s.split == "dev" else "", s.split, *cells, end_section=s.split == "unseen")
    return table


def _share(estimate: "Estimate") -> str:
    if estimate.value is None:
        return "none (n=0)"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}] n={estimate.n}"
