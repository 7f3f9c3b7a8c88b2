"""MiniMax's Role-Play Bench: long sessions with a simulated user, judged for what does not fit (MiniMaxAI/
role-play-bench).

Owns the sessions' seeds, the chunks, one question to a judge for each chunk, and the way from faults to numbers:
a dimension is the share of the character's lines without a fault of it, a session the mean of its chunks. What is not
published, and how the gaps are filled, is in `minimax_card.py`; the released dialogues in `minimax_released.py`.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from her.evals.benchmarks.asked import Asked, Lost, Response, ask_judge
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used, read_records
from her.evals.benchmarks.figure import Figure
from her.evals.benchmarks.item import Exam, Item
from her.evals.benchmarks.mark import Control, Finding, ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.minimax_card import CARD, CATEGORIES, CHUNK, DIMENSIONS, FULL, OVERALL, labelled
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
from her.evals.benchmarks.upstream.minimax import MinimaxSeed
from her.evals.benchmarks.wording import wording
from her.llm.model import ChatModel, Request
from her.schema import Message, Record

METRICS = (OVERALL, *(labelled(name) for name, _, _ in CATEGORIES), *(labelled(d) for d in DIMENSIONS))
_PUBLISHED = "published overall"


class MinimaxItem(Item):
    """Two characters and their first two lines."""

    ai_name: str
    ai_setting: str
    user_name: str
    user_setting: str
    prologue: str
    user_input: str
    published: float | None
    """A released session: what its model's released evaluations come to. None for a session that is to be played."""


class Fault(Record):
    """What a judge finds wrong with a line."""

    line: int
    """Its number in the chunk, from 1."""
    dimension: str
    fault: str


class Minimax(Benchmark[MinimaxItem]):
    """The benchmark."""

    item = MinimaxItem
    card = CARD

    def load(self, data: Path, settings: Settings) -> Exam[MinimaxItem]:
        """`seeds.jsonl`, or our mini-set."""
        found = (
            (where, item_of(seed, item_id=plain_id(seed.id), facets=shortened(settings, FULL), published=None))
            for where, seed in read_records(data, MinimaxSeed)
        )
        items, refused = playable(found, lambda item: _opening(item, settings))
        return Exam(items=items, refused=refused, data=data_used(data, self.card))

    async def play(self, item: MinimaxItem, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """A session: the two given lines, and `turns` more."""
        rules = Rules(
            turns=count_of(settings, "turns", least=2),
            plain=settings.options["form"] == "plain",
            system_thinking=settings.system_thinking,
            seed=settings.seed_of(item.id, repeat),
            max_tokens=count_of(settings, "max_tokens", least=1),
            temperature=0.7,
            user_max_tokens=160,
            user_temperature=0.9,
        )
        return await play_session(_opening(item, settings), cast, rules, repeat=repeat)

    async def judge(self, item: MinimaxItem, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        """One question for each chunk in which the character can be judged."""
        if broken(play) is not None:
            return ()
        asked = []
        for number, chunk in enumerate(chunks(play), start=1):
            if own := spoken_lines(play, chunk):
                request = _question(item, play, chunk, own, settings)
                readable = _Readable(own)
                asked.append(await ask_judge(judge, request, key=f"chunk-{number}", readable=readable))
        return tuple(asked)

    def marks(self, item: MinimaxItem, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """Overall, categories and dimensions, all of them or none."""
        assert judged is not None  # the card says so
        values = _values(play, judged, settings)
        if isinstance(values, str):
            return tuple(Unscored(metric=m, reason=values, judge=judged.judge) for m in METRICS)
        means = {labelled(d): v for d, v in values.items()}
        for name, _, inside in CATEGORIES:
            means[labelled(name)] = sum(values[d] for d in inside) / len(inside)
        means[OVERALL] = sum(weight * means[labelled(name)] for name, weight, _ in CATEGORIES)
        return tuple(Scored(metric=m, value=means[m], judge=judged.judge) for m in METRICS)

    def findings(self, item: MinimaxItem, play: Play, judged: Judged, settings: Settings) -> tuple[Finding, ...]:
        """Every fault, beside its line."""
        found = []
        for chunk, faults in _judged_chunks(play, judged):
            for fault in () if isinstance(faults, str) else faults:
                found.append(
                    Finding(
                        metric=labelled(fault.dimension),
                        judge=judged.judge,
                        kind=fault.dimension,
                        severity=None,
                        line=chunk[fault.line - 1],
                        text=fault.fault,
                    )
                )
        return tuple(found)

    def controls(self, item: MinimaxItem, play: Play, settings: Settings) -> tuple[Control, ...]:
        """Length, silence, and how much of the protocol was played; for released sessions, what is published."""
        played = sum(line.by != "given" for line in play.lines)
        found = [
            *dialogue_controls(play),
            Control(name="silent turns", value=play.counts.get("silent_turns", 0)),
            Control(name=f"share of the protocol's {FULL} turns", value=played / FULL),
        ]
        if item.published is not None:
            found.append(Control(name=_PUBLISHED, value=item.published))
        return tuple(found)

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """Means; of released sessions, agreement with the published order too."""
        from her.evals.benchmarks.minimax_released import order_figures

        found = session_figures(scores, headline=OVERALL, seed=settings.seed, scale=self.card.scale)
        return (*found, *order_figures(scores, metric=OVERALL, published=_PUBLISHED, seed=settings.seed))

    def released(self, data: Path, settings: Settings) -> tuple[Exam[MinimaxItem], tuple[Play, ...]]:
        """The folder with `seeds.jsonl`, `dialogues.jsonl` and `evaluations.jsonl`."""
        from her.evals.benchmarks.minimax_released import read_released

        return read_released(data, settings)


def item_of(seed: MinimaxSeed, *, item_id: str, facets: dict[str, str], published: float | None) -> MinimaxItem:
    """An item of a seed, which is its cluster."""
    return MinimaxItem(
        id=item_id,
        cluster=plain_id(seed.id),
        title=None,
        facets=facets,
        ai_name=seed.ai_name.strip(),
        ai_setting=seed.ai_setting.strip(),
        user_name=seed.user_name.strip(),
        user_setting=seed.user_setting.strip(),
        prologue=seed.ai_prologue,
        user_input=seed.initial_user_input,
        published=published,
    )


def plain_id(text: str) -> str:
    """An upstream id in the characters that ids have here."""
    return re.sub(r"[^A-Za-z0-9._:-]", "-", text) or "-"


def overall(values: dict[str, float]) -> float:
    """Worlds 50, Stories 25, Preferences 25; dimensions weigh the same inside a category."""
    return sum(weight * sum(values[d] for d in inside) / len(inside) for _, weight, inside in CATEGORIES)


def chunks(play: Play) -> tuple[tuple[int, ...], ...]:
    """Places of the played lines, 20 at a time."""
    played = [n for n, line in enumerate(play.lines) if line.by != "given"]
    return tuple(tuple(played[at : at + CHUNK]) for at in range(0, len(played), CHUNK))


def spoken_lines(play: Play, chunk: Sequence[int]) -> tuple[int, ...]:
    """Numbers (from 1, in the chunk) of the character's lines, silences among them; none where all are silences."""
    own = [(n, play.lines[place]) for n, place in enumerate(chunk, start=1) if play.lines[place].by == "player"]
    return tuple(n for n, _ in own) if any(line.visible for _, line in own) else ()


def read_faults(returned: Response | Lost, own: Sequence[int]) -> tuple[Fault, ...] | str:
    """The faults in a judge's answer, or why it cannot be read. `own`: the numbers that may be named."""
    answer = read_object(returned)
    if isinstance(answer, str):
        return answer
    listed = answer.get("faults")
    if not isinstance(listed, list):
        return "no_faults_list"
    found = []
    for entry in listed:
        if not isinstance(entry, dict):
            return "bad_fault"
        lines, dimension, fault = entry.get("lines"), entry.get("dimension"), entry.get("fault", "")
        if dimension not in DIMENSIONS or not isinstance(fault, str) or not isinstance(lines, list) or not lines:
            return "bad_fault"
        if any(type(line) is not int or line not in own for line in lines):
            return "not_a_line_of_the_character"
        found += [Fault(line=line, dimension=str(dimension), fault=fault) for line in lines]
    return tuple(found)


class _Readable:
    """Can an answer be read?"""

    def __init__(self, own: Sequence[int]) -> None:
        self._own = own

    def __call__(self, response: Response) -> bool:
        return not isinstance(read_faults(response, self._own), str)


def _values(play: Play, judged: Judged, settings: Settings) -> dict[str, float] | str:
    """Every dimension of a session, or why it has none."""
    if (why := broken(play)) is not None:
        return why
    by_chunk: list[dict[str, float]] = []
    unread = []
    for chunk, faults in _judged_chunks(play, judged):
        if isinstance(faults, str):
            unread.append(faults)
            continue
        own = spoken_lines(play, chunk)
        flawed = {d: {f.line for f in faults if f.dimension == d} for d in DIMENSIONS}
        by_chunk.append({d: 100 * (1 - len(flawed[d]) / len(own)) for d in DIMENSIONS})
    if unread and (settings.profile == "fixed" or not by_chunk):
        return unread[0]
    if not by_chunk:
        return "nothing was played"
    return {d: sum(c[d] for c in by_chunk) / len(by_chunk) for d in DIMENSIONS}


def _judged_chunks(play: Play, judged: Judged) -> list[tuple[tuple[int, ...], tuple[Fault, ...] | str]]:
    """Every chunk with its faults, or with the reason why nobody knows them."""
    answers = {a.key: a.returned for a in judged.asked}
    found: list[tuple[tuple[int, ...], tuple[Fault, ...] | str]] = []
    for number, chunk in enumerate(chunks(play), start=1):
        own, returned = spoken_lines(play, chunk), answers.get(f"chunk-{number}")
        if returned is not None:
            found.append((chunk, read_faults(returned, own)))
        elif any(play.lines[place].by == "player" for place in chunk):
            found.append((chunk, "nothing of the character can be read"))
    return found


def _question(item: MinimaxItem, play: Play, chunk: Sequence[int], own: Sequence[int], settings: Settings) -> Request:
    context = count_of(settings, "context", least=0)
    before = play.lines[max(0, chunk[0] - context) : chunk[0]]
    names = {"character": item.ai_name, "user": item.user_name}
    question = wording(
        "minimax_chunk",
        **names,
        setting=fence(item.ai_setting),
        user_setting=fence(item.user_setting),
        before=fence(numbered(before, settings.thoughts, first=None) or "(nothing is shown)"),
        lines=fence(numbered([play.lines[n] for n in chunk], settings.thoughts)),
        numbers=", ".join(str(n) for n in own),
    )
    return Request(
        messages=(
            Message(role="system", content=wording("minimax_judge", **names)),
            Message(role="user", content=question),
        ),
        max_tokens=900,
        temperature=0.0,
        seed=settings.seed_of(item.id, play.repeat),
        json_schema=_schema(own),
    )


def _schema(own: Sequence[int]) -> str:
    fault = {
        "type": "object",
        "properties": {
            "dimension": {"type": "string", "enum": list(DIMENSIONS)},
            "lines": {
                "type": "array",
                "items": {"type": "integer", "enum": list(own)},
                "minItems": 1,
                "maxItems": len(own),
            },
            "fault": {"type": "string", "maxLength": 100},
        },
        "required": ["dimension", "lines", "fault"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"faults": {"type": "array", "items": fault, "maxItems": 2 * len(DIMENSIONS)}},
        "required": ["faults"],
        "additionalProperties": False,
    }
    return json.dumps(schema, separators=(",", ":"))


def _opening(item: MinimaxItem, settings: Settings) -> Opening:
    names = {"character": item.ai_name, "user": item.user_name}
    style = wording(f"user_{settings.options['user_style']}", **names)
    return Opening(
        id=item.id,
        character=item.ai_name,
        setting=item.ai_setting,
        user=item.user_name,
        known_of_user=item.user_setting or None,
        user_prompt=wording("session_user", **names, setting=item.user_setting, style=style),
        given=((item.ai_name, item.prologue), (item.user_name, item.user_input)),
    )


MINIMAX = Minimax()
