"""TwinVoice, generative: a model answers as a person, and a judge says whose reply it could be (Du et al. 2025).

Owns the written reply, two questions to a judge and their marks. Data, leaks and the order of options are those of
`twinvoice`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from her.evals.benchmarks.answer import Answered, Unread, read_option, spoken
from her.evals.benchmarks.asked import Asked, Lost, Response, ask_judge, ask_once
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used
from her.evals.benchmarks.figure import Figure, mean_figures
from her.evals.benchmarks.held_answer import object_in
from her.evals.benchmarks.item import Exam
from her.evals.benchmarks.mark import Control, ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.play import Judged, Line, Play
from her.evals.benchmarks.said import said
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.controls import dialogue_controls
from her.evals.benchmarks.twin_data import TwinQuestion, read_twins
from her.evals.benchmarks.twinvoice import controls_by, person, posed
from her.evals.benchmarks.twinvoice_card import ASPECTS, SPEAKING, WRITTEN, showing
from her.evals.benchmarks.wording import wording
from her.llm.model import ChatModel, Request
from her.renderers.overlap import rouge_l, words
from her.schema import Message

_LEAST, _MOST = 1, 5
_RATING = {
    "type": "object",
    "properties": {a: {"type": "integer", "minimum": _LEAST, "maximum": _MOST} for a in ASPECTS},
    "required": list(ASPECTS),
    "additionalProperties": False,
}


class TwinVoiceGen(Benchmark[TwinQuestion]):
    """The benchmark."""

    item = TwinQuestion
    card = SPEAKING

    def load(self, data: Path, settings: Settings) -> Exam[TwinQuestion]:
        """The same files as `twinvoice`."""
        items, refused = read_twins(data, showing(settings))
        return Exam(items=tuple(items), refused=tuple(refused), data=data_used(data, self.card))

    async def play(self, item: TwinQuestion, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """One call; the options are not shown."""
        request = Request(
            messages=(Message(role="user", content=wording("twinvoice_write", person=person(item))),),
            max_tokens=int(settings.options["max_tokens"]),
            temperature=float(settings.options["temperature"]),
            seed=settings.seed_of(item.id, repeat),
            sample_index=repeat,
        )
        asked = await ask_once(cast.player, request, key="reply", role="player")
        reply = said(asked.returned, speaker=item.speaker)
        visible = "" if isinstance(reply, Unread) else reply
        line = Line(speaker=item.speaker, by="player", visible=visible, turn=None)
        return Play(item_id=item.id, repeat=repeat, asked=(asked,), lines=(line,), counts={})

    async def judge(self, item: TwinQuestion, play: Play, judge: ChatModel, settings: Settings) -> tuple[Asked, ...]:
        """Whose reply could it be, and how near is it to the real one? A reply that says nothing is not judged."""
        reply = play.lines[0].visible
        if not reply:
            return ()
        options, gold = posed(item, play.repeat, settings)
        choices = "\n".join(f"{letter}. {text}" for letter, text in options.items())
        whose = await ask_judge(
            judge,
            Request(
                messages=(Message(role="user", content=wording("twinvoice_map", choices=choices, reply=reply)),),
                max_tokens=256,
                temperature=0.0,
            ),
            key="whose",
            readable=lambda r: isinstance(read_option(r, options), Answered),
        )
        prompt = wording("twinvoice_rate", stimulus=item.stimulus, real=options[gold], reply=reply)
        near = await ask_judge(
            judge,
            Request(
                messages=(Message(role="user", content=prompt),),
                max_tokens=256,
                temperature=0.0,
                json_schema=json.dumps(_RATING),
            ),
            key="near",
            readable=lambda r: isinstance(_ratings(r), dict),
        )
        return whose, near

    def marks(self, item: TwinQuestion, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """Was the reply taken for this person's; ratings from 0 to 1, of which the upstream profile has the last."""
        judge = None if judged is None else judged.judge
        aspects = ASPECTS[-1:] if settings.profile == "upstream" else ASPECTS
        if judged is None or not judged.asked:
            reply = said(play.reply("reply").returned, speaker=item.speaker)
            reason = reply.reason if isinstance(reply, Unread) else "not_judged"
            return tuple(Unscored(metric=m, reason=reason, judge=judge) for m in (WRITTEN, *aspects))
        options, gold = posed(item, play.repeat, settings)
        whose = read_option(judged.reply("whose").returned, options)
        ratings = _ratings(judged.reply("near").returned)
        first: Mark = (
            Scored(metric=WRITTEN, value=float(whose.option == gold), judge=judge)
            if isinstance(whose, Answered)
            else Unscored(metric=WRITTEN, reason=f"judge:{whose.reason}", judge=judge)
        )
        if isinstance(ratings, Unread):
            return (first, *(Unscored(metric=a, reason=f"judge:{ratings.reason}", judge=judge) for a in aspects))
        scored = [Scored(metric=a, value=(ratings[a] - _LEAST) / (_MOST - _LEAST), judge=judge) for a in aspects]
        return (first, *scored)

    def controls(self, item: TwinQuestion, play: Play, settings: Settings) -> tuple[Control, ...]:
        """Words, overlap with the real reply, and whether the option nearest by words alone is the right one."""
        options, gold = posed(item, play.repeat, settings)
        reply = play.lines[0].visible
        if not reply:
            return ()
        found = dialogue_controls(play, reference=options[gold])
        near = {letter: rouge_l(words(text), words(reply)) or 0.0 for letter, text in options.items()}
        nearest = [letter for letter, value in near.items() if value == max(near.values())]
        return (*found, Control(name="nearest by words", value=(gold in nearest) / len(nearest)))

    def answers(self, item: TwinQuestion, play: Play, settings: Settings) -> tuple[str | None, str | None]:
        """What was written, and what the person really said."""
        return play.lines[0].visible or None, item.options[item.gold]

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """Every metric whole and by dimension; controls by dimension."""
        found = [
            f
            for f in mean_figures(scores, seed=settings.seed, scale=self.card.scale)
            if not f.group.startswith("shortest option")
        ]
        return (*found, *controls_by(scores, "dimension", seed=settings.seed))


def _ratings(returned: Response | Lost) -> dict[str, int] | Unread:
    """Whole numbers from 1 to 5 for each aspect, from one JSON object."""
    text = spoken(returned)
    if isinstance(text, Unread):
        return text
    found = object_in(text)
    if found is None:
        return Unread(reason="no_answer")
    ratings = {a: found.get(a) for a in ASPECTS}
    if not all(type(v) is int and _LEAST <= v <= _MOST for v in ratings.values()):
        return Unread(reason="not_an_option")
    return {a: v for a, v in ratings.items() if isinstance(v, int)}


TWINVOICE_GEN = TwinVoiceGen()
