"""What a judge is asked in each mode, and what of its answer counts: one place for training and use.

Owns which prompt, which schema and which reader belong to a mode. Prompt text and JSON are `renderers`'; limits are
`brief`'s; whoever asks is `generative` or a trainer. All three modes end in the same record, a `Verdict`.
"""

import json
from collections.abc import Sequence

from her.renderers.judging import Rule, judge_messages, read_verdict, verdict_schema
from her.renderers.rules import coupled_messages, coupled_schema, read_coupled_rules
from her.reward.brief import Brief, Mode
from her.schema import Comparison, Decided, Message, Unparsed, Verdict
from her.store import canonical


def question(comparison: Comparison, rules: Sequence[Rule], brief: Brief) -> tuple[Message, ...]:
    """The prompt for a verdict on a comparison that is within its brief. `rules` is what is listed: a pack's
    principles, or those written for the place; a coupled judge is told none."""
    if brief.mode == "coupled":
        return coupled_messages(comparison, most=brief.most_written, role_thinking=brief.role_thinking)
    return judge_messages(comparison, rules, role_thinking=brief.role_thinking)


def answer_schema(nameable: Sequence[Rule], brief: Brief) -> str:
    """The JSON Schema of a verdict whose findings may name `nameable`."""
    if brief.mode == "coupled":
        return coupled_schema(most=brief.most_written)
    schema = json.loads(verdict_schema(nameable))
    if brief.max_findings is not None:
        schema["properties"]["findings"]["maxItems"] = brief.max_findings
    return canonical(schema)


def read_answer(text: str, *, mode: Mode, most: int) -> Verdict:
    """The verdict in an answer. A coupled one counts only with its rules: each a sound sentence, at most `most`."""
    verdict = read_verdict(text)
    if mode != "coupled" or isinstance(verdict, Unparsed):
        return verdict
    rules = read_coupled_rules(text, most=most)
    return rules if isinstance(rules, Unparsed) else verdict


def contradicts(verdict: Decided) -> bool:
    """Does the winner go against every finding that names one?"""
    named = {f.winner for f in verdict.findings if f.winner != "tie"}
    return len(named) == 1 and verdict.winner not in named


def mixed(verdict: Decided) -> bool:
    """Do the findings favour both candidates? A healthy judge's do in about 70 of 100 verdicts, a collapsed one's in
    about 6 (the paper's Mixed Selection %)."""
    return {"cand_1", "cand_2"} <= {f.winner for f in verdict.findings}
