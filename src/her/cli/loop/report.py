"""The report: what every stage wrote, put into one record, one page and one JSON."""

import platform
from collections.abc import Sequence
from pathlib import Path

from her.cli.loop import data, exam, judges
from her.cli.loop.about import model_lines, versions
from her.cli.loop.loop import Loop
from her.evals.exam import ExamResult
from her.evals.run_report import (
    About,
    JudgeRow,
    JudgeSection,
    LossPoint,
    PolicySection,
    PolicyStep,
    RunReport,
    SampleDialogue,
    SFTSection,
    StageRow,
)
from her.schema import Dialogue
from her.stage import Finished
from her.store import read_json, read_jsonl
from her.train.guard import alarms
from her.train.policy import PolicyResult
from her.train.sft import SFTResult

VERSIONED = ("her", "torch", "transformers", "trl", "peft", "xllamacpp", "pydantic")


def write(loop: Loop, done: Sequence[Finished], *, seconds: float) -> Path:
    """Write `report.html` and `report.json` and say where the page is."""
    from her.evals.report import write_report

    root = loop.run.root
    found = exam.read_exam(root)
    page = root / "report.html"
    whole = RunReport(
        about=_about(loop, seconds=seconds),
        stages=tuple(_row(loop, d) for d in done),
        sft=_sft(loop, found),
        judge=_judge(loop),
        policy=_policy(loop),
        eval=found,
        samples=_samples(root, found),
    )
    write_report(whole, page, root / "report.json")
    return page


def _row(loop: Loop, done: Finished) -> StageRow:
    name = done.manifest.key.stage
    tally = loop.ledger.tally(name)
    return StageRow(
        name=name,
        kept=done.manifest.kept,
        rejected=done.manifest.rejected,
        calls=tally.calls,
        tokens=tally.prompt_tokens + tally.completion_tokens,
        seconds=done.clock.seconds,
        resumed=done.skipped or done.clock.attempts > 1,
    )


def _about(loop: Loop, *, seconds: float) -> About:
    return About(
        run=loop.run.root.name,
        models=model_lines(loop.recipe.models.roles()),
        seed=loop.recipe.run.seed,
        recipe=loop.recipe.run.name,
        versions=versions(VERSIONED),
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        seconds=round(seconds, 1),
        chat_command=loop.chat_command(),
    )


def _sft(loop: Loop, found: ExamResult) -> SFTSection:
    result = SFTResult.model_validate(read_json(loop.run.root / "sft" / "model" / "training.json"))
    base, tuned = found.metrics("base"), found.metrics("sft")
    made: dict[str, int] = {}
    for sample in data.read_samples(loop):
        if sample.split == "train":
            made[sample.provenance] = made.get(sample.provenance, 0) + 1
    return SFTSection(
        base=loop.recipe.models.policy,
        samples_train=result.train_samples,
        samples_valid=result.valid_samples,
        tokens=result.label_tokens_seen,
        loss=tuple(LossPoint(step=i + 1, loss=loss) for i, loss in enumerate(result.losses)),
        heldout_before=result.held_out[0].estimate(seed=loop.recipe.run.seed) if result.held_out else None,
        heldout_after=result.held_out[-1].estimate(seed=loop.recipe.run.seed) if result.held_out else None,
        well_formed_before=base.well_formed if base else None,
        well_formed_after=tuned.well_formed if tuned else None,
        note="Training samples: " + ", ".join(f"{n} {kind}" for kind, n in sorted(made.items())) + ".",
    )


def _judge(loop: Loop) -> JudgeSection:
    chosen = judges.read_chosen(loop)
    rows = tuple(
        JudgeRow(
            name=m.kind,
            choose=m.choose.accuracy,
            test=m.test.accuracy,
            swap_consistency=m.test.swap_consistency if m.test.positional else None,
            ties=round((m.test.ties.value or 0) * m.test.ties.n),
            unread=m.test.pairs - m.test.accuracy.n,
            rewards=m.kind == chosen.rewards,
            examines=m.kind == chosen.examines,
            note=m.test.judge,
        )
        for m in chosen.measured
    )
    note = f"The generative judge was fine-tuned on {chosen.tuned_on} of these pairs, each in both orders."
    return JudgeSection(rows=rows, trained_on=chosen.trained_on, note=note if chosen.tuned_on else None)


def _policy(loop: Loop) -> PolicySection:
    result = PolicyResult.model_validate(read_json(loop.run.root / "policy" / "model" / "training.json"))
    chosen, guard = judges.read_chosen(loop), loop.recipe.policy.guard
    steps = tuple(
        PolicyStep(
            step=s.step,
            reward=s.reward,
            rewarded=s.replies - s.unknown,
            unread=s.unknown,
            entropy_bits=s.layouts.entropy_bits if s.layouts.n else None,
            top_layout_share=s.layouts.top_share if s.layouts.n else None,
            gated=s.gated,
            tokens=s.completion_tokens,
            opening_share=s.variety.opening_share,
            self_bleu=s.variety.self_bleu,
            agreed=s.agreed,
            compared=s.compared,
            alarms=tuple(a.text for a in alarms(result.curve[: i + 1], guard)),
        )
        for i, s in enumerate(result.curve)
    )
    back = result.rollback
    return PolicySection(
        start="sft",
        judge=chosen.rewards,
        prompts=result.prompts,
        group=loop.recipe.policy.group_size,
        steps=steps,
        witness=chosen.examines,
        rollback=f"{back.collapse}; taken back to step {back.to}" if back else None,
    )


def _samples(root: Path, found: ExamResult) -> tuple[SampleDialogue, ...]:
    """Two dialogues the teacher made, then the first scene as each policy played it."""
    made = [
        SampleDialogue(title=f"Made by the teacher: {d.scene.topic or d.scene.id}", dialogue=d)
        for d in read_jsonl(root / "synth" / "dialogues.jsonl", Dialogue)[:2]
    ]
    first = found.plays[0].played.dialogue.scene.id if found.plays else None
    played = [
        SampleDialogue(title=f"Played by {p.policy}", dialogue=p.played.dialogue, opening=p.played.opening)
        for p in found.plays
        if p.played.dialogue.scene.id == first
    ]
    return (*made, *played)
