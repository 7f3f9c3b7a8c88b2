"""UserLLM: can a model be the user? Six metrics of simulated turns (Naous et al. 2025, arXiv 2510.06552; as SOUL asks).

Owns the reading of its rows, the turn that is asked for, two questions to a judge, and which metric a row has. The six
stay apart: they point in different directions, so a mean over them says nothing. What code measures is `user_turn`'s.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from her.evals.benchmarks.answer import Answered, Unread
from her.evals.benchmarks.asked import Asked, Response, ask_judge, ask_once
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used, read_records
from her.evals.benchmarks.figure import Figure, mean_figures, statistic_figure
from her.evals.benchmarks.held_answer import read_held, schema_of
from her.evals.benchmarks.item import Exam, Item, Refused
from her.evals.benchmarks.mark import Control, ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.play import Judged, Line, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.upstream.userllm import UserLLMRow
from her.evals.benchmarks.user_turn import END, FirstTurns, UserTurn, f1, intent_share, keeps_role, mentioned, read_turn
from her.evals.benchmarks.userllm_card import (
    CARD,
    COMPOSITE,
    DIVERSITY,
    ENDING,
    ENDING_F1,
    HUMAN,
    INTENT,
    OVERLAP,
    OWN_METRICS,
    ROLE,
)
from her.evals.benchmarks.wording import wording
from her.llm.model import ChatModel, Request
from her.renderers.overlap import words
from her.schema import Message

_ID = re.compile(r"[A-Za-z0-9._:-]+")
_ADHERENCE = {"R": "REFUSED", "A": "ACCEPTED"}
_WRITER = {"H": "HUMAN", "A": "AI"}
_LAST, _GOES_ON = "ends", "goes on"


class UserLLMTurn(Item):
    """One turn to write as the user."""

    intent: str
    history: str
    """The conversation so far, as published; empty before the first turn."""
    last: bool
    """Did the real user say nothing more?"""
    metrics: tuple[str, ...]
    choices: tuple[str, ...]
    """Of the question that the user wants answered; empty outside CommonsenseQA."""
    question: str
    suggestion: str
    """What the assistant offers instead of an answer; both empty outside Natural Questions."""


class UserLLM(Benchmark[UserLLMTurn]):
    """The benchmark."""

    item = UserLLMTurn
    card = CARD

    def load(self, data: Path, settings: Settings) -> Exam[UserLLMTurn]:
        """JSON Lines of one or several sources."""
        items: list[UserLLMTurn] = []
        refused: list[Refused] = []
        for where, row in read_records(data, UserLLMRow):
            made = _turn(row)
            if isinstance(made, str):
                refused.append(Refused(where=where, reason=made))
            else:
                items.append(made)
        return Exam(items=tuple(items), refused=tuple(refused), data=data_used(data, self.card))

    async def play(self, item: UserLLMTurn, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """One call."""
        prompt = (
            wording("userllm_next", intent=item.intent, conversation=item.history)
            if item.history
            else wording("userllm_first", intent=item.intent)
        )
        request = Request(
            messages=(Message(role="user", content=prompt),),
            max_tokens=int(settings.options["max_tokens"]),
            temperature=float(settings.options["temperature"]),
            seed=settings.seed_of(item.id, repeat),
            sample_index=repeat,
        )
        asked = await ask_once(cast.player, request, key="turn", role="player")
        turn = read_turn(asked.returned)
        line = Line(speaker="user", by="player", visible=turn.text if isinstance(turn, UserTurn) else "", turn=None)
        return Play(item_id=item.id, repeat=repeat, asked=(asked,), lines=(line,), counts={})

    async def judge(self, item: UserLLMTurn, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        """One question where the row has a judged metric and the turn says something; else none."""
        turn = read_turn(play.reply("turn").returned)
        if not isinstance(turn, UserTurn) or not turn.text:
            return ()
        marked = _marked(item, upstream=settings.profile == "upstream")
        if INTENT in marked:
            prompt = wording("userllm_intent", question=item.question, suggestion=item.suggestion, reply=turn.text)
            return (await _ask(judge, prompt, INTENT, _ADHERENCE),)
        if HUMAN in marked:
            return (await _ask(judge, wording("userllm_human", text=turn.text), HUMAN, _WRITER),)
        return ()

    def marks(self, item: UserLLMTurn, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """A mark for each metric of the row that one turn has; the upstream profile adds SOUL's reward of the row."""
        upstream = settings.profile == "upstream"
        returned = play.reply("turn").returned
        turn = read_turn(returned)
        if upstream and isinstance(turn, Unread) and isinstance(returned, Response):
            turn = UserTurn(text="", ended=False)  # the released code scores an empty string like any other
        asked = None if judged is None else judged.judge
        found: list[Mark] = []
        for metric in _marked(item, upstream=upstream):
            judge = asked if metric in (INTENT, HUMAN) else None
            value = turn.reason if isinstance(turn, Unread) else _value(metric, item, turn, judged, upstream=upstream)
            found.append(
                Unscored(metric=metric, reason=value, judge=judge)
                if isinstance(value, str)
                else Scored(metric=metric, value=value, judge=judge)
            )
        return (*found, _composite(found, asked)) if upstream else tuple(found)

    def controls(self, item: UserLLMTurn, play: Play, settings: Settings) -> tuple[Control, ...]:
        """Words of the turn, whether it ends the conversation, and how many option texts it has."""
        turn = read_turn(play.reply("turn").returned)
        if isinstance(turn, Unread):
            return ()
        found = [Control(name="ends the conversation", value=float(turn.ended))]
        if turn.text:
            found.append(Control(name="words", value=len(words(turn.text))))
        if item.choices:
            found.append(Control(name="option texts", value=mentioned(turn.text, item.choices)))
        return tuple(found)

    def answers(self, item: UserLLMTurn, play: Play, settings: Settings) -> tuple[str | None, str | None]:
        """The turn as the assistant would see it; whether the real user's turn was the last, where that is asked."""
        turn = read_turn(play.reply("turn").returned)
        answer = None if isinstance(turn, Unread) else f"{turn.text}{END if turn.ended else ''}"
        return answer, (_LAST if item.last else _GOES_ON) if ENDING_F1 in item.metrics else None

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """The six; the two of a whole batch are resampled by conversation. Upstream has the composite too."""
        upstream = settings.profile == "upstream"
        seed, scale = settings.seed, self.card.scale

        def mean(*metrics: str) -> tuple[Figure, ...]:
            return mean_figures(scores, seed=seed, scale=scale, metrics=metrics, by_facet=False)

        found = [*mean(ROLE, INTENT), *_diversity(scores, marks=upstream, seed=seed), *mean(OVERLAP)]
        found += [*_ending(scores, seed=seed, undefined=0.0 if upstream else None), *mean(HUMAN)]
        return (*found, *mean(ENDING, COMPOSITE)) if upstream else tuple(found)


async def _ask(judge: ChatModel, prompt: str, key: str, options: dict[str, str]) -> Asked:
    request = Request(
        messages=(Message(role="user", content=prompt),),
        max_tokens=256,
        temperature=0.0,
        json_schema=schema_of(options),
    )

    def readable(response: Response) -> bool:
        return isinstance(read_held(response, options, options), Answered)

    return await ask_judge(judge, request, key=key, readable=readable)


def _marked(item: UserLLMTurn, *, upstream: bool) -> tuple[str, ...]:
    """What one turn of the row is marked on. Where the real user had finished, there is nothing to say: only the ending
    counts there, but for the released code."""
    found = [m for m in (ROLE, INTENT) if m in item.metrics]
    if upstream or not item.last:
        found += [m for m in (OVERLAP, HUMAN) if m in item.metrics]
    return (*found, ENDING) if ENDING_F1 in item.metrics else tuple(found)


def _value(metric: str, item: UserLLMTurn, turn: UserTurn, judged: Judged | None, *, upstream: bool) -> float | str:
    """A mark's value, or why it has none."""
    if metric == ENDING:
        return float(turn.ended == item.last)
    if metric == ROLE and upstream:
        # A question that is repeated whole earns nothing in the released reward; silence earns everything.
        return float(mentioned(turn.text, item.choices) not in (1, 2, len(item.choices)))
    if metric == OVERLAP and upstream:
        return intent_share(item.intent, turn.text) or 0.0
    if not turn.text:
        return "ended" if turn.ended else "empty"
    if metric == ROLE:
        return float(keeps_role(turn.text, item.choices))
    if metric == OVERLAP:
        share = intent_share(item.intent, turn.text)
        return "no_content_words" if share is None else share
    options, good = (_ADHERENCE, "R") if metric == INTENT else (_WRITER, "H")
    if judged is None or not judged.asked:
        return "not_judged"
    read = read_held(judged.reply(metric).returned, options, options)
    return float(read.option == good) if isinstance(read, Answered) else f"judge:{read.reason}"


def _composite(marks: Sequence[Mark], judge: str | None) -> Mark:
    """SOUL's reward of a row: the mean of its marks, the overlap added although less of it is better.

    Where there was nothing to judge the reward has 0; where the judge could not be read it is left open.
    """
    silent = ("ended", "empty")
    if unread := next((m for m in marks if isinstance(m, Unscored) and m.reason not in silent), None):
        return Unscored(metric=COMPOSITE, reason=unread.reason, judge=judge)
    values = [m.value if isinstance(m, Scored) else 0.0 for m in marks]
    return Scored(metric=COMPOSITE, value=sum(values) / len(values), judge=judge)


def _diversity(scores: Sequence[ItemScore], *, marks: bool, seed: int) -> tuple[Figure, ...]:
    firsts = [s for s in scores if s.facets["turn"] == "first"]
    read = [s for s in firsts if _text(s)]
    if not firsts:
        return ()
    turns = FirstTurns.of([_text(s) for s in read], [s.cluster for s in read], marks=marks)
    place = {(s.item_id, s.repeat): n for n, s in enumerate(read)}
    return (
        statistic_figure(
            read,
            DIVERSITY,
            lambda drawn: turns.diversity([place[s.item_id, s.repeat] for s in drawn]),
            seed=seed,
            unscored=Counter({"unread": len(firsts) - len(read)}) if len(read) < len(firsts) else None,
        ),
    )


def _text(score: ItemScore) -> str:
    return (score.answer or "").removesuffix(END)


def _ending(scores: Sequence[ItemScore], *, seed: int, undefined: float | None) -> tuple[Figure, ...]:
    asked = [(s, m) for s in scores for m in s.marks if m.metric == ENDING and m.judge is None]
    read = [s for s, m in asked if isinstance(m, Scored)]
    right = {(s.item_id, s.repeat) for s, m in asked if isinstance(m, Scored) and m.value == 1}

    def statistic(drawn: Sequence[ItemScore]) -> float | None:
        cells = Counter((s.gold == _LAST, (s.item_id, s.repeat) in right) for s in drawn)
        found = f1(cells[True, True], cells[False, False], cells[True, False])
        return undefined if found is None else found

    reasons = Counter(m.reason for _, m in asked if isinstance(m, Unscored))
    return (statistic_figure(read, ENDING_F1, statistic, seed=seed, unscored=reasons),) if asked else ()


def _turn(row: UserLLMRow) -> UserLLMTurn | str:
    """The item of a row, or why it cannot be asked."""
    known = OWN_METRICS[row.source]
    if not _ID.fullmatch(row.id):
        return "the id has more than letters, digits and . _ : -"
    if strange := [m for m in row.related_metrics if m not in known]:
        return f"related_metrics names {strange[0]!r}, which is no metric of {row.source}"
    if not row.intent.strip():
        return "the intent is empty"
    if (row.turn == 0) != (not row.conversation_history.strip()):
        return "the number of the turn contradicts the conversation before it"
    if row.source == "commonsense_qa" and len([c for c in row.choices or () if c.strip()]) < 3:
        return "fewer than three choices: naming one or two of them would be naming all"
    metrics = [known[m] for m in known if m in row.related_metrics or not row.related_metrics]
    return UserLLMTurn(
        id=row.id,
        cluster=f"prism: {row.intent.strip()}" if row.source == "prism" else row.id,
        title=None,
        facets={"source": row.source, "turn": "first" if DIVERSITY in metrics and row.turn == 0 else "later"},
        intent=row.intent.strip(),
        history=row.conversation_history.strip(),
        last=row.is_last_turn,
        metrics=tuple(metrics),
        choices=tuple(row.choices or ()),
        question=(row.question or "").strip(),
        suggestion=(row.assistant_suggestion_turn or "").strip(),
    )


USERLLM = UserLLM()
