"""The page of `her synth`: what the stages wrote, put into one record, one page and one JSON."""

import itertools
from pathlib import Path

from her.cli.loop import gain
from her.cli.loop.about import model_lines, versions
from her.cli.loop.loop import Loop
from her.evals.run_report import ModelLine, SampleDialogue
from her.evals.synth_sections import CallRow, CharacterRow, Count, GainSection, LostRow, SynthPage
from her.llm import Usage
from her.llm.prices import cost_usd, price
from her.schema import Dialogue
from her.store import read_json, stream_jsonl
from her.synthesis import SynthReport
from her.synthesis.gain.report import GainReport

VERSIONED = ("her", "pydantic", "torch", "transformers", "xllamacpp")
SHOWN = 2
"""Dialogues on the page."""


def write(loop: Loop) -> Path:
    """Write `report.html` and `report.json` and say where the page is."""
    from her.evals.synth_page import write_synth_page

    root = loop.run.root
    report = SynthReport.model_validate(read_json(root / "synth" / "report.json"))
    page = root / "report.html"
    write_synth_page(_page(loop, report), page, root / "report.json")
    return page


def _page(loop: Loop, report: SynthReport) -> SynthPage:
    shown = itertools.islice(stream_jsonl(gain.made(loop), Dialogue), SHOWN)
    searched = report.spans_verified + report.spans_unverified
    found = Count(what="turns whose speech stands in the text, word for word", n=report.spans_verified, of=searched)
    return SynthPage(
        run=loop.run.root.name,
        title=report.title,
        models=_models(loop),
        seed=loop.recipe.run.seed,
        versions=versions(VERSIONED),
        counts=_counts(report, found),
        speech_found=found if searched else None,
        lost=_lost(report),
        layouts_before=report.layouts_before,
        layouts_after=report.layouts_after,
        gains=_gains(loop),
        flags=dict(sorted(report.flags.items())),
        calls=_calls(loop, report),
        samples=tuple(SampleDialogue(title=d.scene.topic or d.scene.id, dialogue=d) for d in shown),
    )


def _counts(report: SynthReport, found: Count) -> tuple[Count, ...]:
    turns = report.turns
    unattributed = report.attributed.get("unattributed", 0)
    return (
        Count(what="chapters", n=report.chapters),
        Count(what="scenes", n=report.scenes),
        Count(what="utterances read", n=report.utterances),
        Count(what="utterances whose speaker was found", n=report.utterances - unattributed, of=report.utterances),
        Count(what="turns", n=turns),
        *((found,) if found.of else ()),
        Count(what="stretches of invented speech", n=report.invented),
        Count(what="actions that the source tells", n=report.book_actions),
        Count(what="turns with role thinking", n=report.thoughts_kept, of=turns),
        Count(what="turns with system thinking", n=report.system_thinking_kept, of=turns),
        Count(what="additions to settings, each with a quote from the source", n=report.additions_kept),
    )


def _lost(report: SynthReport) -> tuple[LostRow, ...]:
    """`stage.reason` counts as a row for each stage."""
    rejected, refused = _by_stage(report.rejected), _by_stage(report.refused_answers)
    return tuple(
        LostRow(stage=stage, rejected=rejected.get(stage, {}), refused=refused.get(stage, {}))
        for stage in dict.fromkeys((*rejected, *refused))
    )


def _by_stage(counts: dict[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, n in sorted(counts.items()):
        stage, _, reason = name.partition(".")
        found.setdefault(stage, {})[reason] = n
    return found


def _gains(loop: Loop) -> tuple[GainSection, ...] | None:
    if not loop.recipe.gain.measure:
        return None
    report = GainReport.model_validate(read_json(loop.run.root / "gain" / "gains.json"))
    values: dict[str, list[float]] = {layer.layer: [] for layer in report.layers}
    for dialogue in stream_jsonl(gain.made(loop), Dialogue):
        for turn in dialogue.turns:
            for found in turn.gains:
                values[found.layer].append(found.value)
    return tuple(
        GainSection(
            layer=layer.layer,
            values=tuple(values[layer.layer]),
            value=layer.value,
            positive=layer.positive,
            over_without=layer.over_without,
            over_shuffled=layer.over_shuffled,
            copied=layer.copied,
            characters=tuple(
                CharacterRow(name=c.name, value=c.value, positive=c.positive)
                for c in sorted(layer.characters, key=lambda c: (-c.value.n, c.name))
            ),
            unmeasured=layer.unmeasured,
        )
        for layer in report.layers
    )


def _calls(loop: Loop, report: SynthReport) -> tuple[CallRow, ...]:
    """The teacher's calls by what was asked, and the scorer's."""
    known = price(report.fingerprint)
    rows = []
    for what, calls in report.calls.items():
        usage = Usage(
            prompt_tokens=report.prompt_tokens.get(what, 0), completion_tokens=report.completion_tokens.get(what, 0)
        )
        cost = None if known is None or report.unmetered.get(what, 0) else cost_usd(known, usage)
        rows.append(_row(what.replace("_", " "), report.teacher, calls=calls, usage=usage, cost=cost))
    if loop.recipe.gain.measure:
        tally = loop.ledger.tally("gain")
        usage = Usage(prompt_tokens=tally.prompt_tokens, completion_tokens=tally.completion_tokens)
        rows.append(_row("gains", loop.recipe.gain.scorer, calls=tally.calls, usage=usage, cost=tally.cost_usd))
    return tuple(rows)


def _row(what: str, model: str, *, calls: int, usage: Usage, cost: float | None) -> CallRow:
    return CallRow(
        what=what,
        model=model,
        calls=calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_usd=cost,
    )


def _models(loop: Loop) -> tuple[ModelLine, ...]:
    recipe = loop.recipe
    roles = [("teacher", recipe.models.teacher)]
    if recipe.gain.measure:
        roles.append(("scorer", recipe.gain.scorer))
    return model_lines(roles)
