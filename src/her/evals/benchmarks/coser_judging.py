"""What CoSER's judge is asked about a scene, how its answer is read, and what the flaws it names cost.

Owns the four dimensions, the texts that a judge compares, and the score. A judge that cannot be read gives no score
under `fixed` and `coser`; HER's evaluator gives 50 for it and 0 for a call that failed, and profile `her` repeats that.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from her.evals.benchmarks.answer import Unread, spoken
from her.evals.benchmarks.asked import Asked, Lost, Response, ask_judge
from her.evals.benchmarks.coser_play import acted
from her.evals.benchmarks.coser_scene import CoserItem, number, without_thoughts
from her.evals.benchmarks.mark import Mark, Scored, Unscored
from her.evals.benchmarks.play import Line, Play, Thoughts
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.upstream.coser import CoserCritique, CoserFlaw
from her.evals.benchmarks.wording import wording
from her.llm.model import ChatModel, Request
from her.schema import ENVIRONMENT, Message, Turn, Viewer

DIMENSIONS: Mapping[str, str] = {
    "Storyline Consistency": "coser_storyline_consistency",
    "Anthropomorphism": "coser_anthropomorphism",
    "Character Fidelity": "coser_character_fidelity",
    "Storyline Quality": "coser_storyline_quality",
}
"""Dimension to the prompt that says what counts, in CoSER's order."""
AVERAGE = "average"
HALF, NOTHING = 50.0, 0.0
"""What HER's evaluator gives for an unread judgement and for none."""
_FENCED = re.compile(r"```[a-zA-Z]*\s*(.*?)```", re.DOTALL)
_EXAMPLE = "the words"
"""The instance that the prompt shows as an example. Small judges hand it back, which is no judgement."""
_LONGEST = 200_000
"""Characters of a judgement that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How a profile asks its judge."""

    tries: int
    again_at: float
    names: bool
    """Is every line of the acted scene headed by its speaker?"""
    strict: bool
    """Is a judgement that breaks its schema unread, or are its flaws counted as far as they go?"""


JUDGINGS: Mapping[str, Judging] = {
    "fixed": Judging(tries=3, again_at=0.7, names=True, strict=True),
    "coser": Judging(tries=6, again_at=1.0, names=False, strict=False),
    "her": Judging(tries=1, again_at=0.0, names=False, strict=False),
}


def thoughts(settings: Settings) -> Thoughts:
    """Is role thinking shown to the judge? Each released evaluator has its own answer."""
    chosen = settings.options["thoughts"]
    return settings.thoughts if chosen == "asked" else "shown" if chosen == "shown" else "hidden"


def turns(play: Play, settings: Settings) -> int:
    """N of the score: what is forgiven grows with it. Upstream counts every character's message, empty ones too."""
    return sum(line.by == "player" and bool(line.visible or settings.profile != "fixed") for line in play.lines)


def score(severities: Sequence[float], n: int) -> float:
    """0 to 100: five points a severity, of which 0.3 a turn are forgiven."""
    return float(max(0, min(100 - (sum(severities) - 0.3 * n) * 5, 100)))


async def judge_scene(item: CoserItem, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
    """One question a dimension. A scene in which nothing was said is shown to no judge under `fixed`."""
    judging = JUDGINGS[settings.profile]
    if silent(play, settings) is not None:
        return ()
    simulated = simulated_text(play.lines, settings, names=judging.names)

    async def ask(dimension: str) -> Asked:
        request = Request(
            messages=(
                Message(role="system", content=_question(item, dimension, settings)),
                Message(role="user", content=simulated),
            ),
            max_tokens=number(settings, "judge_tokens"),
            temperature=0.0,
            json_schema=_schema(dimension) if judging.strict else None,
        )
        return await ask_judge(
            judge,
            request,
            key=dimension,
            readable=lambda returned: not isinstance(read(returned, dimension, settings.profile), Unread),
            tries=judging.tries,
            again_at=judging.again_at,
        )

    return tuple(await asyncio.gather(*(ask(dimension) for dimension in DIMENSIONS)))


def silent(play: Play, settings: Settings) -> str | None:
    """Why there is nothing to judge, or None. The released evaluators judge an empty text, and find no flaw in it."""
    if settings.profile != "fixed" or any(line.by == "player" and line.visible for line in play.lines):
        return None
    gone = [a.returned.reason for a in play.asked if a.role == "player" and isinstance(a.returned, Lost)]
    return f"lost:{gone[0]}" if gone else "nothing was said"


def simulated_text(lines: Sequence[Line], settings: Settings, *, names: bool) -> str:
    """The acted scene as its judge reads it."""
    shown = [(line.speaker, _shown(line, thoughts(settings)).strip("\n")) for line in lines]
    if names:
        return "\n\n".join(f"{speaker}: {text}" for speaker, text in shown if text)
    return "\n\n".join(text for _, text in shown)


def reference_text(item: CoserItem, settings: Settings) -> str:
    """The book's conversation as the judge reads it, named in every profile; the Environment's lines as they are."""
    return "\n\n".join(
        f"{said.speaker}: {_reference(said.speaker, said.message, thoughts(settings))}".strip("\n")
        for said in item.reference
    )


def read(returned: Response | Lost, dimension: str, profile: str) -> CoserCritique | Unread:
    """The flaws of one dimension."""
    strict = JUDGINGS[profile].strict
    if isinstance(returned, Lost) or strict:
        text = spoken(returned)
        if isinstance(text, Unread):
            return text
    else:
        text = returned.text
    answer = _whole(text[:_LONGEST]) if strict else _longest(text[:_LONGEST])
    if not isinstance(answer, dict) or dimension not in answer or (profile != "her" and set(answer) - set(DIMENSIONS)):
        return Unread(
            reason="cut" if isinstance(returned, Response) and returned.finish_reason == "length" else "no_json"
        )
    try:
        critique = CoserCritique.model_validate(answer[dimension])
    except ValidationError:
        return Unread(reason="no_flaws")
    if strict and any(flaw.instance.strip() == _EXAMPLE for flaw in critique.flaws):
        return Unread(reason="copied_example")
    if strict and not all(sound(flaw) for flaw in critique.flaws):
        return Unread(reason="no_severity")
    return critique


def severities(flaws: Sequence[CoserFlaw], profile: str) -> list[float]:
    """What is summed. CoSER counts whole numbers and takes 1 where there is none; HER counts whatever is a number."""
    if profile == "her":
        return [f.severity for f in flaws if isinstance(f.severity, int | float)]
    return [1 if f.severity is None else f.severity for f in flaws if f.severity is None or isinstance(f.severity, int)]


def sound(flaw: CoserFlaw) -> bool:
    """Has a flaw the severity that the judge is asked for?"""
    return isinstance(flaw.severity, int) and 1 <= flaw.severity <= 5


def dimension_marks(
    asked: Mapping[str, Response | Lost], n: int, *, judge: str | None, profile: str
) -> tuple[Mark, ...]:
    """The four marks of one judge and their mean. What a released evaluator makes of an unread judgement is its own."""
    marks: list[Mark] = []
    for dimension in DIMENSIONS:
        returned = asked[dimension]
        found = read(returned, dimension, profile)
        if isinstance(found, CoserCritique):
            value = score(severities(found.flaws, profile), n)
            marks.append(Scored(metric=dimension, value=value, judge=judge))
        elif profile == "her":
            value = NOTHING if isinstance(returned, Lost) else HALF
            marks.append(Scored(metric=dimension, value=value, judge=judge))
        else:
            marks.append(Unscored(metric=dimension, reason=found.reason, judge=judge))
    return with_average(marks, judge=judge)


def with_average(marks: Sequence[Mark], *, judge: str | None) -> tuple[Mark, ...]:
    """The marks and their mean, which needs all of them."""
    missing = next((m for m in marks if isinstance(m, Unscored)), None)
    if missing is not None:
        return (*marks, Unscored(metric=AVERAGE, reason=missing.reason, judge=judge))
    values = [m.value for m in marks if isinstance(m, Scored)]
    return (*marks, Scored(metric=AVERAGE, value=sum(values) / len(values), judge=judge))


def line_of(instance: str, lines: Sequence[Line]) -> int | None:
    """The line that a flaw quotes: whole, or by the longest of its quotations."""
    quoted = sorted(re.findall(r"[\"“']([^\"”]{8,})[\"”']", instance), key=len, reverse=True)
    for words in (instance, *quoted):
        wanted = _bare(words)
        if len(wanted) < 4:
            continue
        for place, line in enumerate(lines):
            if wanted in _bare(_shown(line, "shown")):
                return place
    return None


def _question(item: CoserItem, dimension: str, settings: Settings) -> str:
    """Upstream fills placeholders before the criteria are put in, so theirs of the main characters stays."""
    majors = ", ".join(item.majors) if settings.profile == "fixed" else "{major_characters}"
    criteria = DIMENSIONS[dimension]
    return wording(
        "coser_judge",
        book=item.book,
        dimension=dimension,
        plot_summary=item.plot_summary,
        scenario=item.scenario,
        profiles="\n\n".join(f"### {r.name}\n\n{r.known()}" for r in item.roles if r.known()),
        reference=reference_text(item, settings),
        criteria=wording(criteria, majors=majors) if criteria == "coser_character_fidelity" else wording(criteria),
    )


def _schema(dimension: str) -> str:
    flaw = {
        "type": "object",
        "properties": {
            "instance": {"type": "string"},
            "type": {"type": "string"},
            "severity": {"type": "integer", "minimum": 1, "maximum": 5},
        },
        "required": ["instance", "type", "severity"],
        "additionalProperties": False,
    }
    flaws = {
        "type": "object",
        "properties": {"flaws": {"type": "array", "items": flaw}},
        "required": ["flaws"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {dimension: flaws},
        "required": [dimension],
        "additionalProperties": False,
    }
    return json.dumps(schema)


def _shown(line: Line, how: Thoughts) -> str:
    """A line in brackets, with the character's own thoughts or without."""
    if how == "hidden" or line.turn is None:
        return line.visible
    seen: Turn = line.turn.seen_by(Viewer.judge(role_thinking=True))
    return acted(seen)


def _reference(speaker: str, message: str, how: Thoughts) -> str:
    return message if speaker == ENVIRONMENT or how == "shown" else without_thoughts(message)


def _whole(text: str) -> object:
    """The answer as JSON: the whole reply, or the one fenced block of it."""
    fenced = _FENCED.findall(text)
    try:
        return json.loads(fenced[0] if len(fenced) == 1 else text)
    except (ValueError, RecursionError):
        return None


def _longest(text: str) -> object:
    """The longest JSON object that stands anywhere in the text."""
    decoder = json.JSONDecoder(strict=False)
    best: tuple[int, object] = (0, None)
    at = text.find("{")
    failures = 0
    while at >= 0 and failures < 64:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            failures += 1
            at = text.find("{", at + 1)
            continue
        best = max(best, (end - at, value), key=lambda found: found[0])
        at = text.find("{", end)
    return best[1]


def _bare(text: str) -> str:
    return " ".join(re.sub(r"[\[\]()\"“”*]", " ", text).casefold().split())
