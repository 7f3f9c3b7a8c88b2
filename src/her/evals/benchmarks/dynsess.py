"""DynSess-Eval: a session under way is gone on with, and rated on four qualities from 1 to 5 (Zhang et al., EMNLP
2026).

Owns the reading of its records, one question to a judge for each quality, and the mean of the four. People rate the
same sessions through `her eval rate`.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from her.evals.benchmarks.asked import Asked, Lost, Response, ask_judge
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used, read_records
from her.evals.benchmarks.dynsess_card import CARD, DIMENSIONS, FAILED, FULL, OVERALL
from her.evals.benchmarks.figure import Figure
from her.evals.benchmarks.item import Exam, Item
from her.evals.benchmarks.mark import Control, Finding, ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.session import (
    Opening,
    Rules,
    broken,
    count_of,
    play_session,
    playable,
    session_figures,
    shortened,
)
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.shown import fence, numbered, read_object
from her.evals.benchmarks.trust.controls import dialogue_controls
from her.evals.benchmarks.upstream.dynsess import DynSessLine, DynSessRecord
from her.evals.benchmarks.wording import wording
from her.llm.model import ChatModel, Request
from her.schema import Message, Record

_NAMED = re.compile(
    r"\s*(?:(?:请你扮演以下人设|Play this persona)\s*[:\uff1a]\s*)?([^\n(\uff08【:\uff1a<,\uff0c。]{1,40})"
)
_ASIDE = re.compile(r"【[^】]*】|\uff08[^\uff09]*\uff09")
"""What upstream takes out of the simulated user's lines."""
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


class DynSessItem(Item):
    """A persona and the session so far."""

    character: str
    user: str
    persona: str
    user_prompt: str
    prefix: tuple[DynSessLine, ...]


class Rating(Record):
    """A judge's rating of one quality."""

    score: int
    """From 1 to 5."""
    deductions: tuple[tuple[int | None, str], ...]
    """(number of the line, what is wrong with it); None where no such line was played."""


class DynSess(Benchmark[DynSessItem]):
    """The benchmark."""

    item = DynSessItem
    card = CARD

    def load(self, data: Path, settings: Settings) -> Exam[DynSessItem]:
        """The upstream JSON Lines, or our mini-set."""
        rows = enumerate(read_records(data, DynSessRecord), start=1)
        found = ((where, _item(record, number, settings)) for number, (where, record) in rows)
        items, refused = playable(found, lambda item: _opening(item, settings))
        return Exam(items=items, refused=refused, data=data_used(data, self.card))

    async def play(self, item: DynSessItem, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """The continuation."""
        rules = Rules(
            turns=count_of(settings, "turns", least=2),
            plain=settings.options["form"] == "plain",
            system_thinking=settings.system_thinking,
            seed=settings.seed_of(item.id, repeat),
            max_tokens=count_of(settings, "max_tokens", least=1),
            temperature=0.7,
            user_max_tokens=200,
            user_temperature=1.0,
            mend_user=lambda text: _ASIDE.sub("", text).strip(),
            ends=_runaway if settings.profile == "upstream" else lambda _: False,
        )
        return await play_session(_opening(item, settings), cast, rules, repeat=repeat)

    async def judge(self, item: DynSessItem, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        """One question for each quality."""
        if _unfit(play) is not None:
            return ()
        tries = 5 if settings.profile == "upstream" else 3
        return tuple(
            [
                await ask_judge(judge, _question(item, play, name, settings), key=name, readable=_readable, tries=tries)
                for name in DIMENSIONS
            ]
        )

    def marks(self, item: DynSessItem, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """Overall, then the four; overall needs all of them."""
        assert judged is not None  # the card says so
        why = _unfit(play)
        own: list[Mark] = []
        for name in DIMENSIONS:
            read = why if why is not None else read_rating(judged.reply(name).returned)
            if isinstance(read, Rating):
                own.append(Scored(metric=name, value=float(read.score), judge=judged.judge))
            elif why is None and settings.profile == "upstream":
                own.append(Scored(metric=name, value=FAILED, judge=judged.judge))
            else:
                own.append(Unscored(metric=name, reason=read, judge=judged.judge))
        missing = next((m for m in own if isinstance(m, Unscored)), None)
        if missing is not None:
            return (Unscored(metric=OVERALL, reason=missing.reason, judge=judged.judge), *own)
        mean = sum(m.value for m in own if isinstance(m, Scored)) / len(own)
        return (Scored(metric=OVERALL, value=mean, judge=judged.judge), *own)

    def findings(self, item: DynSessItem, play: Play, judged: Judged, settings: Settings) -> tuple[Finding, ...]:
        """What cost points, beside its line where the judge named one that was played."""
        played = [n for n, line in enumerate(play.lines) if line.by != "given"]
        found = []
        for name in DIMENSIONS if _unfit(play) is None else ():
            read = read_rating(judged.reply(name).returned)
            for number, text in read.deductions if isinstance(read, Rating) else ():
                known = number is not None and 1 <= number <= len(played)
                found.append(
                    Finding(
                        metric=name,
                        judge=judged.judge,
                        kind=name,
                        severity=None,
                        line=played[number - 1] if known and number is not None else None,
                        text=text,
                    )
                )
        return tuple(found)

    def controls(self, item: DynSessItem, play: Play, settings: Settings) -> tuple[Control, ...]:
        """Length and silence."""
        silent = Control(name="silent turns", value=play.counts.get("silent_turns", 0))
        return (*dialogue_controls(play), silent)

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """Means of the four and of all."""
        return session_figures(scores, headline=OVERALL, seed=settings.seed, scale=self.card.scale)


def read_rating(returned: Response | Lost) -> Rating | str:
    """A judge's rating, or why it cannot be read. A score is a whole number from 1 to 5: 3.5 and "4" are none."""
    answer = read_object(returned)
    if isinstance(answer, str):
        return answer
    score, listed = answer.get("score"), answer.get("deductions", [])
    if type(score) is not int or not 1 <= score <= 5:
        return "no_score_from_1_to_5"
    if not isinstance(listed, list) or not all(isinstance(d, dict) for d in listed):
        return "bad_deductions"
    deductions = [
        (line if type(line := d.get("line")) is int else None, why)
        for d in listed
        if isinstance(why := d.get("why"), str) and why.strip()
    ]
    return Rating(score=score, deductions=tuple(deductions))


def name_of(persona: str) -> str:
    """The name that a persona's first line begins with; a plain word for a character where it begins with none."""
    found = _NAMED.match(persona)
    name = found[1].strip() if found else ""
    neutral = "角色" if _CHINESE.search(persona) else "Character"
    return name or neutral


def _readable(response: Response) -> bool:
    return isinstance(read_rating(response), Rating)


def _runaway(visible: str) -> bool:
    return len(visible) > 500 or 0 < len(set(visible)) < 5


def _unfit(play: Play) -> str | None:
    """Why there is nothing to rate."""
    if (why := broken(play)) is not None:
        return why
    said = any(line.by == "player" and line.visible for line in play.lines)
    return None if said else "nothing of the character can be read"


def _item(record: DynSessRecord, number: int, settings: Settings) -> DynSessItem:
    persona = record.persona_info.strip()
    name = f"s{number:03d}"
    return DynSessItem(
        id=name,
        cluster=name,
        title=None,
        facets=shortened(settings, FULL),
        character=name_of(persona),
        user="用户" if _CHINESE.search(persona) else "User",
        persona=persona,
        user_prompt=record.user_system_prompt.strip(),
        prefix=record.dialogue,
    )


def _opening(item: DynSessItem, settings: Settings) -> Opening:
    names = {"character": item.character, "user": item.user}
    style = wording(f"user_{settings.options['user_style']}", **names)
    speakers = {"assistant": item.character, "user": item.user}
    return Opening(
        id=item.id,
        character=item.character,
        setting=item.persona,
        user=item.user,
        known_of_user=None,
        user_prompt=wording("session_user", **names, setting=item.user_prompt, style=style),
        given=tuple((speakers[line.role], line.content) for line in item.prefix),
    )


def _question(item: DynSessItem, play: Play, dimension: str, settings: Settings) -> Request:
    given = [line for line in play.lines if line.by == "given"]
    played = [line for line in play.lines if line.by != "given"]
    meaning = wording(DIMENSIONS[dimension], character=item.character)
    question = wording(
        "dynsess_session",
        character=item.character,
        dimension=dimension,
        persona=fence(item.persona),
        before=fence(numbered(given, settings.thoughts, first=None) or "(the session begins here)"),
        lines=fence(numbered(played, settings.thoughts)),
    )
    return Request(
        messages=(
            Message(
                role="system",
                content=wording("dynsess_judge", character=item.character, dimension=dimension, meaning=meaning),
            ),
            Message(role="user", content=question),
        ),
        max_tokens=800,
        temperature=0.0,
        seed=settings.seed_of(item.id, play.repeat),
        json_schema=_SCHEMA,
    )


_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "deductions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"line": {"type": "integer"}, "why": {"type": "string", "maxLength": 160}},
                    "required": ["line", "why"],
                    "additionalProperties": False,
                },
                "maxItems": 12,
            },
            "score": {"type": "integer", "enum": [1, 2, 3, 4, 5]},
        },
        "required": ["deductions", "score"],
        "additionalProperties": False,
    },
    separators=(",", ":"),
)

DYNSESS = DynSess()
