"""A proposal: what a teacher is asked about one labelled pair, and what of its answer can be a principle.

The question is the judge's own question with the label as its answer, so a teacher sees what a judge sees: no system
thinking, no secrets of others. Whoever wrote the replies may have written orders into them, and the rule that comes out
stands in every later judge's prompt; so a rule that names the scene's people, quotes the pair or speaks of candidates
is refused here, in code.
"""

import json
import re
from functools import cache
from importlib import resources

from pydantic import ValidationError

from her.errors import TeacherError
from her.llm.model import Reply
from her.renderers import render_turn
from her.renderers.judging import judge_messages, render_verdict
from her.renderers.overlap import words
from her.renderers.template import fill
from her.reward.pack import Pack
from her.schema import DIMENSIONS, Decided, Message, Preference, Principle
from her.store import canonical

ASKED = ("polarity", "level", "dimension", "name", "definition", "good", "bad")
"""The fields of an answer, in the order in which a teacher should think."""
_LONGEST = {"name": 40, "definition": 200, "good": 160, "bad": 160}
"""Characters. What is longer by half is refused."""
_FORMS = {
    "name": r"^[A-Z][a-z]{2,11}( [A-Z]?[a-z]{1,11}){1,3}$",
    "definition": r"^The reply [^\"\n\\.!?<>{}\[\]]{24,160}\.$",
    "good": r"^[A-Z][^\"\n\\<>{}\[\]]{10,120}[.!?]$",
    "bad": r"^[A-Z][^\"\n\\<>{}\[\]]{10,120}[.!?]$",
}
"""What an engine that can be held to a form is held to: a small model ends no sentence by itself."""
_FEWEST_WORDS = 5
"""A rule in fewer words says nothing that can be checked."""
_QUOTED_WORDS = 6
"""A run of so many words that also stands in a reply of the pair is a quotation."""
_CANDIDATE = re.compile(
    r"\bcand(?:idate)?s?(?:_\w*)?\b|\bbetter_response\b|\b(?:first|second|chosen|winning|losing|other|1st|2nd)\s+(?:reply|one|response)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[<>{}\[\]`]")


def proposal_messages(
    pair: Preference, *, role_thinking: bool, failed: str = "", fault: str = ""
) -> tuple[Message, ...]:
    """The question about a pair that is within its brief. `failed` is an earlier answer and `fault` what is wrong with
    it."""
    question = judge_messages(pair.comparison, (), role_thinking=role_thinking)[-1]
    asked = fill(_prompt("question"), dimensions=", ".join(f'"{d}"' for d in DIMENSIONS))
    messages = [
        Message(role="system", content=_prompt("rule")),
        question,
        Message(role="assistant", content=render_verdict(Decided(winner=pair.winner))),
        Message(role="user", content=asked),
    ]
    if failed:
        messages.append(Message(role="assistant", content=failed))
        messages.append(Message(role="user", content=fill(_prompt("again"), fault=fault)))
    return tuple(messages)


def proposal_schema(*, guided: bool) -> str:
    """The JSON Schema of an answer. `guided`: with the form of its texts, which many endpoints refuse."""
    fields: dict[str, dict[str, object]] = {
        "polarity": {"type": "string", "enum": ["negative", "positive"]},
        "level": {"type": "string", "enum": ["sentence", "session"]},
        "dimension": {"type": "string", "enum": list(DIMENSIONS)},
        **{n: {"type": "string", **({"pattern": form} if guided else {})} for n, form in _FORMS.items()},
    }
    properties = {name: fields[name] for name in ASKED}
    return json.dumps(
        {"type": "object", "properties": properties, "required": list(ASKED), "additionalProperties": False}
    )


def read_proposal(reply: Reply, pair: Preference, *, author: str) -> Pack:
    """A pack of the one principle in an answer, so that a judge can be asked with it.

    Raises TeacherError; its reason is one of truncated, filtered, not_json, bad_shape, too_short, too_long, markup,
    same_examples, names_a_candidate, names_the_scene, quotes_the_pair, echoes_the_prompt.
    """
    if reply.finish_reason != "stop":
        reason = "truncated" if reply.finish_reason == "length" else "filtered"
        raise TeacherError("the answer was cut off", reason)
    fields = _fields(reply.text)
    try:
        principle = Principle.model_validate({**fields, "author": author, "pairs": (pair.comparison.id,)})
        pack = Pack(name="proposed", version="1", principles=(principle,))
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise TeacherError(f"{where}: {first['msg'].removeprefix('Value error, ')}", "bad_shape") from e
    _must_be_general(principle, pair)
    return pack


def _fields(text: str) -> dict[str, object]:
    body = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise TeacherError("it is not one JSON object", "not_json") from e
    if not isinstance(answer, dict):
        raise TeacherError("it is not one JSON object", "not_json")
    return {k: " ".join(v.split()) if isinstance(v, str) else v for k, v in answer.items()}


def _must_be_general(principle: Principle, pair: Preference) -> None:
    rule = f"{principle.name}. {principle.definition}"
    for field, most in _LONGEST.items():
        if len(getattr(principle, field)) > most * 3 // 2:
            raise TeacherError(f"{field} is longer than {most} characters", "too_long")
    if len(words(principle.definition)) < _FEWEST_WORDS or not words(principle.name):
        raise TeacherError(f"a definition has at least {_FEWEST_WORDS} words", "too_short")
    if _MARKUP.search(rule):
        raise TeacherError("the rule holds brackets or markup", "markup")
    if words(principle.good) == words(principle.bad):
        raise TeacherError("the good and the bad example are the same", "same_examples")
    if _CANDIDATE.search(rule):
        raise TeacherError("the rule speaks of these candidates and not of replies at large", "names_a_candidate")
    people = {w for c in pair.comparison.scene.characters for w in words(c.name) if len(w) > 2}
    if named := sorted(people & set(words(rule))):
        raise TeacherError(f"the rule names {named[0]!r}, who is of this scene only", "names_the_scene")
    replies = [words(render_turn(t, name_prefix=False)) for t in (pair.comparison.cand_1, pair.comparison.cand_2)]
    runs = {run for reply in replies for run in _runs(reply)}
    asked = set(_runs(words(_prompt("question"))))
    for field in ("definition", "good", "bad"):
        if runs & set(_runs(words(getattr(principle, field)))):
            raise TeacherError(f"{field} quotes the replies that were shown", "quotes_the_pair")
        if asked & set(_runs(words(getattr(principle, field)))):
            raise TeacherError(f"{field} repeats the question", "echoes_the_prompt")


def _runs(said: list[str]) -> list[tuple[str, ...]]:
    return [tuple(said[i : i + _QUOTED_WORDS]) for i in range(len(said) - _QUOTED_WORDS + 1)]


@cache
def _prompt(name: str) -> str:
    return (resources.files("her.reward.induction") / "prompts" / f"{name}.txt").read_text("utf-8").removesuffix("\n")


def prompts_hash() -> str:
    """What the prompts say, for the record of a run."""
    return canonical([_prompt(name) for name in ("rule", "question", "again")])
