"""Rules that a judge writes itself: how they are asked for, written down and read.

Two ways. Coupled (HER §4.4): the judge writes them after seeing both candidates, inside its verdict, each with its
winner. Independent (IP-GRM, arXiv 2602.10019): from the place alone, before any candidate; they then stand in the
prompt of an ordinary verdict, where a pack's principles would. Whoever wrote the conversation may have written orders
into it, and a rule stands in a later prompt: one that is not a short, plain sentence is refused, and all with it.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from her.renderers.judging import judge_place, judge_question, read_object
from her.renderers.template import fill, read_template
from her.schema import Comparison, Decided, Message, Principle, Record, Unparsed

NAME_CHARACTERS = 60
RULE_CHARACTERS = 240
_KINDS: dict[Literal["negative", "positive"], str] = {"negative": "veto", "positive": "quality"}
_MARKUP = re.compile(r"[<>{}\[\]`]")
_CANDIDATE = re.compile(r"\bcand(?:idate)?s?(?:_\w+)?\b|\bbetter_response\b", re.IGNORECASE)


class WrittenRule(Record):
    """A rule that a judge wrote for one place. Fits wherever a judge is told of a pack's principle."""

    name: str
    polarity: Literal["negative", "positive"]
    """negative: a veto. positive: a quality."""
    definition: str


def rule_of(principle: Principle) -> WrittenRule:
    """A pack's principle as a judge would have written it."""
    return WrittenRule(name=principle.name, polarity=principle.polarity, definition=principle.definition)


def rules_messages(comparison: Comparison, *, most: int, role_thinking: bool) -> tuple[Message, ...]:
    """The question for rules. Of the comparison, the place alone is looked at."""
    name = comparison.character
    place = judge_place(comparison, role_thinking=role_thinking)
    return (
        Message(role="system", content=fill(read_template("rules.txt"), name=name, most=str(most))),
        Message(role="user", content=fill(read_template("rules_question.txt"), name=name, place=place)),
    )


def rules_schema(*, most: int) -> str:
    """The JSON Schema of rules, as JSON text."""
    rule = _object({**_rule_fields()})
    return _text(_object({"rules": {"type": "array", "items": rule, "minItems": 1, "maxItems": most}}))


def render_rules(rules: Sequence[WrittenRule]) -> str:
    """The answer that `read_rules` reads as `rules`."""
    return _text({"rules": [_plain(r) for r in rules]})


def read_rules(text: str, *, most: int) -> tuple[WrittenRule, ...] | Unparsed:
    """The rules in an answer.

    Reasons of `Unparsed`: those of `read_object`, and no_rules, too_many_rules, bad_rule, repeated_rule.
    """
    answer = read_object(text)
    return answer if isinstance(answer, Unparsed) else _rules(answer.get("rules"), most=most)


def coupled_messages(comparison: Comparison, *, most: int, role_thinking: bool) -> tuple[Message, ...]:
    """The question to a judge that is shown no rule and writes its own. The second message is every judge's."""
    system = fill(read_template("judge_coupled.txt"), name=comparison.character, most=str(most))
    return (Message(role="system", content=system), judge_question(comparison, role_thinking=role_thinking))


def coupled_schema(*, most: int) -> str:
    """The JSON Schema of a coupled verdict: what `read_verdict` reads, with the rule beside each finding."""
    winner = {"type": "string", "enum": ["cand_1", "cand_2", "tie"]}
    finding = _object({**_rule_fields(), "winner": winner})
    findings = {"type": "array", "items": finding, "minItems": 1, "maxItems": most}
    return _text(_object({"findings": findings, "better_response": winner}))


def render_coupled(decided: Decided, rules: Sequence[WrittenRule]) -> str:
    """A coupled verdict; `rules` in the order of its findings."""
    findings = [{**_plain(r), "winner": f.winner} for r, f in zip(rules, decided.findings, strict=True)]
    return _text({"findings": findings, "better_response": decided.winner})


def read_coupled_rules(text: str, *, most: int) -> tuple[WrittenRule, ...] | Unparsed:
    """The rules inside a coupled verdict; the verdict itself is `read_verdict`'s. Reasons as of `read_rules`."""
    answer = read_object(text)
    return answer if isinstance(answer, Unparsed) else _rules(answer.get("findings"), most=most)


def _rules(found: object, *, most: int) -> tuple[WrittenRule, ...] | Unparsed:
    if not isinstance(found, list) or not found:
        return Unparsed(reason="no_rules")
    if len(found) > most:
        return Unparsed(reason="too_many_rules")
    rules = [_rule(item) for item in found]
    sound = tuple(r for r in rules if r is not None)
    if len(sound) < len(rules):
        return Unparsed(reason="bad_rule")
    if len({r.name.casefold() for r in sound}) < len(sound):
        return Unparsed(reason="repeated_rule")
    return sound


def _rule(item: object) -> WrittenRule | None:
    if not isinstance(item, dict):
        return None
    name, kind, rule = (item.get(key) for key in ("principle", "kind", "rule"))
    polarity = next((p for p, word in _KINDS.items() if word == kind), None)
    if polarity is None or not isinstance(name, str) or not isinstance(rule, str):
        return None
    for text, most in ((name, NAME_CHARACTERS), (rule, RULE_CHARACTERS)):
        if not text.strip() or len(text) > most or not text.isprintable():
            return None
        if _MARKUP.search(text) or _CANDIDATE.search(text):
            return None
    return WrittenRule(name=name.strip(), polarity=polarity, definition=rule.strip())


def _plain(rule: WrittenRule) -> dict[str, str]:
    return {"principle": rule.name, "kind": _KINDS[rule.polarity], "rule": rule.definition}


def _rule_fields() -> dict[str, Any]:
    # The bounds are for engines that are held to a schema: a small model ends no sentence by itself.
    return {
        "principle": {"type": "string", "minLength": 3, "maxLength": 40},
        "kind": {"type": "string", "enum": list(_KINDS.values())},
        "rule": {"type": "string", "minLength": 12, "maxLength": 160},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
