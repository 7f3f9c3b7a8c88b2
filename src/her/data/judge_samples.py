"""Preference to judge samples: the question a judge will be asked, and the answer it should give.

Each preference becomes two samples, one per order, so that no place is a better place (HER §4.8: the authors' data has
no swap). The answer names the deciding principle's winner and the better reply, and nothing that a label does not know.
"""

from collections.abc import Sequence

from her.data.splits import Splitter
from her.renderers import judge_messages, render_verdict
from her.schema import Decided, Message, Preference, Principle, PrincipleFinding, Provenance, Record, Split


class JudgeSample(Record):
    """One question to a judge with its answer. Loss falls on `target` alone, as in an SFTSample."""

    id: str
    """The comparison's id and the order: `ID:12` or `ID:21`."""
    comparison_id: str
    messages: tuple[Message, ...]
    target: str
    """The verdict's JSON, as `read_verdict` reads it."""
    split: Split
    provenance: Provenance


def judge_samples(
    preferences: Sequence[Preference],
    principles: Sequence[Principle],
    *,
    role_thinking: bool,
    findings: bool,
    splits: Splitter,
) -> list[JudgeSample]:
    """Both orders of every preference, next to each other and in their scene's split (by its id, without a chapter).

    `findings`: does the answer name the deciding principle before the better reply, or the better reply alone?
    """
    samples = []
    for preference in preferences:
        split = splits.split(preference.comparison.scene, preference.comparison.scene.id)
        for order, asked in (("12", preference), ("21", preference.swap())):
            finding = (PrincipleFinding(principle=asked.principle, winner=asked.winner),) if findings else ()
            samples.append(
                JudgeSample(
                    id=f"{asked.comparison.id}:{order}",
                    comparison_id=asked.comparison.id,
                    messages=judge_messages(asked.comparison, principles, role_thinking=role_thinking),
                    target=render_verdict(Decided(winner=asked.winner, findings=finding)),
                    split=split,
                    provenance=asked.labeller,
                )
            )
    return samples
