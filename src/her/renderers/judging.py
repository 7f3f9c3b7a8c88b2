"""What a judge is asked and how its answer is read.

Owns the judge's prompt and the JSON of a verdict (HER §4.5 without the echo of the candidates, which costs tokens and
invites copying). Candidates and history pass through `Turn.seen_by(Viewer.judge(...))`: a judge never sees system
thinking, and sees only the acting character's thoughts, where the setting shows them. A verdict that cannot be read is
`Unparsed` with a named reason, never a guess.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

from her.renderers.tags import render_turn
from her.renderers.template import fill, read_template
from her.schema import (
    Comparison,
    Decided,
    Message,
    PrincipleFinding,
    Turn,
    Unparsed,
    Verdict,
    Viewer,
    Winner,
)

_FENCE = re.compile(r"\A\s*```(?:json)?[ \t]*\n(?P<body>.*?)\n?```\s*\Z", re.DOTALL | re.IGNORECASE)
_WINNERS: tuple[Winner, ...] = get_args(Winner)


class Rule(Protocol):
    """What a judge is told of a principle: one of a pack, or one that was written for the occasion."""

    @property
    def name(self) -> str: ...

    @property
    def polarity(self) -> Literal["negative", "positive"]: ...

    @property
    def definition(self) -> str: ...


def judge_messages(comparison: Comparison, principles: Sequence[Rule], *, role_thinking: bool) -> tuple[Message, ...]:
    """The question to a judge, in the order the comparison has. Candidates come last, so that a prompt cache holds."""
    listed = "\n".join(_line(p) for p in principles)
    system = fill(read_template("judge.txt"), name=comparison.character, principles=listed)
    return (Message(role="system", content=system), judge_question(comparison, role_thinking=role_thinking))


def judge_question(comparison: Comparison, *, role_thinking: bool) -> Message:
    """Place and candidates, without a word about how to judge."""
    judge = Viewer.judge(role_thinking=role_thinking)
    values = {
        "name": comparison.character,
        "place": judge_place(comparison, role_thinking=role_thinking),
        "cand_1": _fence(_shown(comparison.cand_1, judge, name_prefix=True) or "(nothing)"),
        "cand_2": _fence(_shown(comparison.cand_2, judge, name_prefix=True) or "(nothing)"),
    }
    return Message(role="user", content=fill(read_template("judge_question.txt"), **values))


def judge_place(comparison: Comparison, *, role_thinking: bool) -> str:
    """Character, scene and conversation: all that is known before any reply."""
    name = comparison.character
    judge = Viewer.judge(role_thinking=role_thinking)
    others = Viewer.judge(role_thinking=False)
    history = [_shown(t, judge if t.speaker == name else others, name_prefix=True) for t in comparison.history]
    me = comparison.scene.character(name)
    lines = [me.profile, me.background, me.motivation and f"Wants: {me.motivation}"]
    values = {
        "character": _fence("\n".join([name, *(line for line in lines if line)])),
        "scenario": _fence(comparison.scene.scenario),
        "history": _fence("\n\n".join(h for h in history if h) or "(the scene begins here)"),
    }
    return fill(read_template("judge_place.txt"), **values)


def verdict_schema(principles: Sequence[Rule]) -> str:
    """The JSON Schema of an answer, as JSON text: principles by their names, no echo of the candidates."""
    winner = {"type": "string", "enum": list(_WINNERS)}
    name = {"type": "string", "enum": [p.name for p in principles]} if principles else {"type": "string"}
    finding = {
        "type": "object",
        "properties": {"principle": name, "winner": winner},
        "required": ["principle", "winner"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {
            "findings": {"type": "array", "items": finding, "maxItems": max(1, len(principles))},
            "better_response": winner,
        },
        "required": ["findings", "better_response"],
        "additionalProperties": False,
    }
    return json.dumps(schema, separators=(",", ":"))


def render_verdict(decided: Decided) -> str:
    """The answer that `read_verdict` reads as `decided` (its margin, which no answer carries, apart)."""
    findings = [{"principle": f.principle, "winner": f.winner} for f in decided.findings]
    answer = {"findings": findings, "better_response": decided.winner}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def read_verdict(text: str) -> Verdict:
    """The verdict in a judge's answer: exactly one JSON object, bare or in a ```json fence.

    Reasons of `Unparsed`: those of `read_object`, and no_winner, bad_winner, bad_findings.
    """
    answer = read_object(text)
    return answer if isinstance(answer, Unparsed) else _verdict(answer)


def read_object(text: str) -> dict[str, Any] | Unparsed:
    """The one JSON object that a judge's answer is to be.

    Reasons of `Unparsed`: empty, no_json, bad_json, several (objects), extra_text, not_an_object, repeated_key.
    """
    if not text.strip():
        return Unparsed(reason="empty")
    fence = _FENCE.match(text)
    body = (fence.group("body") if fence else text).strip()
    start = body.find("{")
    if start < 0:
        return Unparsed(reason="not_an_object" if body[:1] in '["' else "no_json")
    if body[:1] == "[":
        return Unparsed(reason="not_an_object")
    doubled: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        doubled.extend(key for key in set(keys) if keys.count(key) > 1)
        return dict(pairs)

    try:
        answer, end = json.JSONDecoder(object_pairs_hook=unique).raw_decode(body, start)
    except (json.JSONDecodeError, RecursionError):
        return Unparsed(reason="bad_json")
    if "{" in body[end:]:
        return Unparsed(reason="several")
    if body[:start].strip() or body[end:].strip():
        return Unparsed(reason="extra_text")
    if doubled:
        return Unparsed(reason="repeated_key")
    return dict(answer)


def _verdict(answer: dict[str, Any]) -> Verdict:
    if answer.get("better_response") is None:
        return Unparsed(reason="no_winner")
    winner = _winner(answer["better_response"])
    if winner is None:
        return Unparsed(reason="bad_winner")
    found = answer.get("findings", [])
    if not isinstance(found, list):
        return Unparsed(reason="bad_findings")
    findings = []
    for item in found:
        if not isinstance(item, dict) or not isinstance(item.get("principle"), str):
            return Unparsed(reason="bad_findings")
        favoured = _winner(item.get("winner"))
        if favoured is None:
            return Unparsed(reason="bad_findings")
        findings.append(PrincipleFinding(principle=item["principle"], winner=favoured))
    return Decided(winner=winner, findings=tuple(findings))


def _winner(value: object) -> Winner | None:
    return next((winner for winner in _WINNERS if winner == value), None)


def _line(principle: Rule) -> str:
    return f"- {'Veto' if principle.polarity == 'negative' else 'Quality'}: {principle.name}: {principle.definition}"


def _shown(turn: Turn, viewer: Viewer, *, name_prefix: bool) -> str:
    seen = turn.seen_by(viewer)
    return render_turn(seen, name_prefix=name_prefix) if seen.parts else ""


def _fence(text: str) -> str:
    """Material between fences that it cannot close: a run of three brackets inside it is thinned to two."""
    text = re.sub(r"<{3,}", "<<", text)
    return f"<<<\n{re.sub(r'>{3,}', '>>', text)}\n>>>"
