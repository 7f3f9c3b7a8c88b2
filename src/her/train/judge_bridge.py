"""JudgeBridge: what a judge's written verdicts are worth while it trains, and the figures of a step.

Owns the reward. A question stands in a step in both orders, a group of verdicts each. A right verdict gets the share of
right verdicts in the other order: what pairing every verdict of one order with every one of the other would give on
average (J1 pairs them one by one). Whoever always names the first place is right in one order, wrong in the other, and
earns nothing in either. A verdict whose form does not count is a fault of the pupil, and costs. Knows no engine.
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from her.errors import TrainError
from her.renderers.tokens import prompt_ids
from her.reward.asking import contradicts, mixed, read_answer
from her.reward.brief import Brief
from her.reward.lessons import Question
from her.schema import Decided, Record, Unparsed, Verdict
from her.store import canonical
from her.train.judge_guard import JudgeHealth

Asked = tuple[Question, tuple[int, ...]]
"""A question with its token ids, exactly as in use."""
Finish = Literal["stop", "length"]


class JudgeRollout(Record):
    """One sampled verdict, raw."""

    step: int
    question: str
    text: str
    finish_reason: Finish
    fault: str | None
    right: bool
    reward: float


class JudgeStep(JudgeHealth):
    """One step, live and in the result."""

    reward: float
    right: float
    """Share of all verdicts that name the label's winner."""
    both_right: float
    """Chance that a verdict of each order of a question, picked blindly, are both right."""
    groups: int
    flat_groups: int
    """Groups whose rewards do not differ: they teach nothing."""
    findings: float | None
    """Mean number in the verdicts that count; None where none does."""
    completion_tokens: float
    token_entropy: float | None
    """Mean over completion tokens, nats."""
    loss: float
    seconds: float


def fitting(questions: Sequence[Question], tokenizer: Any, *, most: int) -> list[tuple[Asked, Asked]]:
    """Both orders of every question that has at most `most` tokens in both."""
    encoded = [(q, prompt_ids(q.messages, tokenizer)) for q in questions]
    pairs = list(zip(encoded[::2], encoded[1::2], strict=True))
    if bad := [a[0].id for a, b in pairs if a[0].pair != b[0].pair]:
        raise TrainError(f"question {bad[0]!r} is not followed by its other order; give both, next to each other")
    return [(a, b) for a, b in pairs if max(len(a[1]), len(b[1])) <= most]


def fault_of(verdict: Verdict, question: Question, *, finish: Finish) -> str | None:
    """Why a verdict does not count; None: it does."""
    if finish == "length":
        return "truncated"
    if isinstance(verdict, Unparsed):
        return verdict.reason
    if not verdict.findings:
        return "no_findings"
    if question.nameable and any(f.principle not in question.nameable for f in verdict.findings):
        return "foreign_rule"
    if len({f.principle for f in verdict.findings}) < len(verdict.findings):
        return "repeated_rule"
    return "contradictory" if contradicts(verdict) else None


def rewards(
    first: Sequence[tuple[str | None, bool]], second: Sequence[tuple[str | None, bool]], *, malformed: float
) -> tuple[list[float], list[float]]:
    """One reward a verdict, for both orders of one question. A mark is (fault, right); what is faulty is not right."""
    by_order = []
    for marks, other in ((first, second), (second, first)):
        share = sum(right for _, right in other) / len(other)
        by_order.append([malformed if fault is not None else share if right else 0.0 for fault, right in marks])
    return by_order[0], by_order[1]


class JudgeBridge:
    """TRL's reward function: a flat batch in, one number each out. Counts what it sees."""

    __name__ = "judge_reward"

    def __init__(
        self, ordered: Sequence[Asked], tokenizer: Any, *, brief: Brief, size: int, malformed: float, rollouts: Path
    ) -> None:
        self.ordered, self.tokenizer, self.brief, self.size = ordered, tokenizer, brief, size
        self.malformed, self.rollouts = malformed, rollouts
        self.ends = {int(tokenizer.eos_token_id)}
        self.seen: list[tuple[JudgeRollout, Verdict, int]] = []
        """Since the last log, in order: verdicts with their lengths in tokens."""

    def __call__(
        self, *, completion_ids: list[list[int]], number: list[int], trainer_state: Any, **rest: Any
    ) -> list[float]:
        pair = 2 * self.size
        for i in range(0, len(number), pair):
            orders = [set(number[j : j + self.size]) for j in (i, i + self.size)]
            if any(len(o) != 1 for o in orders) or min(orders[0]) + 1 != min(orders[1]) or min(orders[0]) % 2:
                raise TrainError(
                    f"a reward call is not made of both orders, {self.size} verdicts each; keep whole groups together"
                )
        step = int(trainer_state.global_step) + 1
        values: list[float] = []
        for i in range(0, len(number), pair):
            read = [self._read(ids, number[i + k]) for k, ids in enumerate(completion_ids[i : i + pair])]
            marks = [(fault, right) for _, _, _, fault, right in read]
            earned = rewards(marks[: self.size], marks[self.size :], malformed=self.malformed)
            for k, (value, (text, finish, verdict, fault, right)) in enumerate(
                zip((*earned[0], *earned[1]), read, strict=True)
            ):
                rollout = JudgeRollout(
                    step=step,
                    question=self.ordered[number[i + k]][0].id,
                    text=text,
                    finish_reason=finish,
                    fault=fault,
                    right=right,
                    reward=value,
                )
                self.seen.append((rollout, verdict, len(completion_ids[i + k])))
                values.append(value)
        with self.rollouts.open("a", encoding="utf-8") as file:
            new = self.seen[-len(number) :]
            file.write("".join(f"{canonical(r.model_dump(mode='json'))}\n" for r, _, _ in new))
        return values

    def _read(self, ids: list[int], number: int) -> tuple[str, Finish, Verdict, str | None, bool]:
        question = self.ordered[number][0]
        ended = bool(ids) and ids[-1] in self.ends
        text = str(self.tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=False))
        finish: Finish = "stop" if ended else "length"
        verdict = read_answer(text, mode=self.brief.mode, most=self.brief.most_written)
        fault = fault_of(verdict, question, finish=finish)
        right = fault is None and isinstance(verdict, Decided) and verdict.winner == question.winner
        return text, finish, verdict, fault, right


def step_of(bridge: JudgeBridge, step: int, loss: float, *, entropy: float | None, seconds: float) -> JudgeStep:
    """The figures of the verdicts that the bridge has seen."""
    rollouts = [r for r, _, _ in bridge.seen]
    counted = [v for r, v, _ in bridge.seen if r.fault is None and isinstance(v, Decided)]
    decided = [v for v in counted if v.winner != "tie"]
    groups = [rollouts[i : i + bridge.size] for i in range(0, len(rollouts), bridge.size)]
    shares = [sum(r.right for r in g) / len(g) for g in groups]
    both = [a * b for a, b in zip(shares[::2], shares[1::2], strict=True)]
    found = [len(v.findings) for v in counted]
    return JudgeStep(
        step=step,
        verdicts=len(rollouts),
        faults=dict(sorted(Counter(r.fault for r in rollouts if r.fault is not None).items())),
        mixed=sum(mixed(v) for v in counted),
        first=sum(v.winner == "cand_1" for v in decided),
        decided=len(decided),
        reward=math.fsum(r.reward for r in rollouts) / len(rollouts),
        right=sum(r.right for r in rollouts) / len(rollouts),
        both_right=sum(both) / len(both),
        groups=len(groups),
        flat_groups=sum(max(r.reward for r in g) - min(r.reward for r in g) < 1e-9 for g in groups),
        findings=sum(found) / len(found) if found else None,
        completion_tokens=sum(n for _, _, n in bridge.seen) / len(rollouts),
        token_entropy=entropy,
        loss=loss,
        seconds=seconds,
    )
