"""Hi-ToM: who thinks that whom thinks that a thing is where, up to the fourth order (He et al., Findings of EMNLP
2023).

Owns the reading of its rows, one question, one mark, and joint accuracy: an order counts only where every lower order
of the same story is right. An order that could not be read leaves the joint open, unless a lower one was wrong already.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from her.evals.benchmarks.answer import Answered, Unread, spoken
from her.evals.benchmarks.asked import Lost, Response, ask_once
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.card import PROMPTING, Card, Difference, Option, Profile, Source
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used, keys_of_first, read_records
from her.evals.benchmarks.figure import Figure, mean_figure, mean_figures
from her.evals.benchmarks.held_answer import read_held, schema_of
from her.evals.benchmarks.item import Exam, Item, Refused
from her.evals.benchmarks.mark import Control, ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.controls import choice_controls
from her.evals.benchmarks.upstream.hitom import HiToMDerivedRow, HiToMRow
from her.evals.benchmarks.wording import wording
from her.llm.model import Request
from her.schema import Message

ACCURACY, JOINT = "accuracy", "joint accuracy"
_STORIES = 20
"""Upstream numbers the rows of a block (style, deception, length) through: 20 stories of order 0, then of 1, .."""
_CHOICE = re.compile(r"(?:^|,\s*)([A-Z])\.\s*(.*?)(?=,\s*[A-Z]\.\s|$)", re.DOTALL)
_TAGGED = re.compile(r"<answer>\s*([A-Za-z])\b[^<]*</answer>", re.IGNORECASE)
_VP = "the VP rows contradict the CoTP rows on 138 of the 600 questions they share, all of order 2 and above"


class HiToMQuestion(Item):
    """One question about one story."""

    order: int
    story: str
    question: str
    options: dict[str, str]
    """Letter to text, in order."""
    gold: str
    """The right letter."""


class HiToM(Benchmark[HiToMQuestion]):
    """The benchmark."""

    item = HiToMQuestion
    card = Card(
        name="hitom",
        title="Hi-ToM",
        family="theory of mind",
        measures="Beliefs about beliefs, orders 0 to 4, in stories told with and without lies.",
        paper="He et al., Findings of EMNLP 2023",
        language="English",
        sources=(
            Source(
                where="github.com/ying-hui-he/Hi-ToM_dataset, Hi-ToM_data.json",
                licence="Apache-2.0",
                url="https://raw.githubusercontent.com/ying-hui-he/Hi-ToM_dataset/main/Hi-ToM_data.json",
                sha256=None,
            ),
        ),
        mini="theory_of_mind/hitom.jsonl",
        headline=ACCURACY,
        scale=(0.0, 1.0),
        higher_is_better=True,
        parts=(),
        judged=False,
        uses=(),
        whole_clusters=True,
        profiles=(
            Profile(name="fixed", meaning="ours: what cannot be read is unscored", options={}),
            Profile(
                name="upstream",
                meaning="as SOUL asks it: step by step, and no <answer> tag is a wrong answer",
                options={"prompting": "cot"},
            ),
        ),
        one_profile=None,
        differences=(
            Difference(
                what="a reply without a readable answer",
                upstream="wrong: only <answer>LETTER</answer> is looked for",
                fixed="unscored and counted; a letter, its text, or a stated answer are read as well",
                why="a format is not a theory of mind: CoSER-8B scores .02 where chance is .07",
            ),
            Difference(
                what="several answers in one reply",
                upstream="the first tag counts",
                fixed="unscored, unless all of them name the same choice",
                why="a model that names every letter knows nothing",
            ),
            Difference(
                what="prompting",
                upstream="step by step",
                fixed="the answer alone; `--set prompting=cot` for step by step",
                why="it is cheaper, and the original reports both",
            ),
            Difference(
                what="VP rows of the data",
                upstream="the original scores them against their own answers",
                fixed="refused, in both profiles",
                why=_VP,
            ),
            Difference(
                what="wording of instructions and assumptions",
                upstream="the original's",
                fixed="our own words, in both profiles",
                why="prompts of others are not copied here; a number of another wording is another number",
            ),
        ),
        options=(
            PROMPTING,
            Option(
                name="form",
                choices=("tagged", "json"),
                default="tagged",
                meaning="ask for an <answer> tag, or hold the reply to JSON where the engine can: for models too small "
                "to keep a format",
            ),
            Option(
                name="max_tokens",
                choices=(),
                default="auto",
                meaning="longest reply; auto: 128 standard, 1024 step by step",
            ),
        ),
        published=(
            "SOUL (100 sampled items, step by step): Ditto-8B .78, GPT-5.4 .70, base .58, HER-32B .56, CoSER-8B .02; "
            "each is off by up to 10 points by its n alone",
        ),
    )

    def load(self, data: Path, settings: Settings) -> Exam[HiToMQuestion]:
        """The upstream JSON, our mini-set, or a derived copy of the CoTP half (`story_id`)."""
        items: list[HiToMQuestion] = []
        refused: list[Refused] = []
        if "story_id" in keys_of_first(data):
            for where, copy in read_records(data, HiToMDerivedRow):
                _take(items, refused, where, _derived(copy))
        else:
            for where, row in read_records(data, HiToMRow, under="data"):
                if row.prompting_type == "VP":
                    refused.append(Refused(where=where, reason=_VP))
                else:
                    _take(items, refused, where, _question(row))
        return Exam(items=tuple(items), refused=tuple(refused), data=data_used(data, self.card))

    async def play(self, item: HiToMQuestion, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """One call."""
        cot = settings.options["prompting"] == "cot"
        longest = settings.options["max_tokens"]
        prompt = wording(
            "hitom",
            how=wording("hitom_cot" if cot else "hitom_standard"),
            story=item.story,
            question=item.question,
            choices="\n".join(f"{letter}. {text}" for letter, text in item.options.items()),
            form=wording(f"hitom_{settings.options['form']}"),
        )
        request = Request(
            messages=(Message(role="user", content=prompt),),
            max_tokens=(1024 if cot else 128) if longest == "auto" else int(longest),
            temperature=0.0,
            seed=settings.seed_of(item.id, repeat),
            json_schema=schema_of(_letters(item)) if settings.options["form"] == "json" else None,
        )
        asked = await ask_once(cast.player, request, key="answer", role="player")
        return Play(item_id=item.id, repeat=repeat, asked=(asked,), lines=(), counts={})

    def marks(self, item: HiToMQuestion, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """1 for the right choice, 0 for a wrong one."""
        returned = play.reply("answer").returned
        if settings.profile == "upstream":
            return (Scored(metric=ACCURACY, value=float(_first_tag(returned) == item.gold), judge=None),)
        read = _read(item, returned)
        if not isinstance(read, Answered):
            return (Unscored(metric=ACCURACY, reason=read.reason, judge=None),)
        return (Scored(metric=ACCURACY, value=float(read.option == item.gold), judge=None),)

    def controls(self, item: HiToMQuestion, play: Play, settings: Settings) -> tuple[Control, ...]:
        """What blind guessers would earn."""
        return choice_controls(item.options, item.gold)

    def answers(self, item: HiToMQuestion, play: Play, settings: Settings) -> tuple[str | None, str | None]:
        """The letter read, and the right one."""
        read = _read(item, play.reply("answer").returned)
        return (read.option if isinstance(read, Answered) else None), item.gold

    def derived(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[ItemScore, ...]:
        """Joint accuracy of each story and repeat, up to the highest order that was asked."""
        highest = max(scores, key=lambda s: int(s.facets["order"])).facets["order"]
        return tuple(s for s in joints(scores) if s.facets["order"] == highest)

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """Accuracy whole and by facet; joint accuracy by order, and by order apart for lies and none."""
        joint = joints(scores)
        found = list(mean_figures(scores, seed=settings.seed, scale=self.card.scale))
        for lies in (None, "no", "yes"):
            for order in sorted({s.facets["order"] for s in joint}):
                inside = [s for s in joint if s.facets["order"] == order and lies in (None, s.facets["deception"])]
                group = f"order: {order}" if lies is None else f"order: {order}, deception: {lies}"
                if inside:
                    found.append(mean_figure(inside, JOINT, seed=settings.seed, scale=self.card.scale, group=group))
        return tuple(found)


def joints(scores: Sequence[ItemScore]) -> tuple[ItemScore, ...]:
    """One score for each story, repeat and order: were this order and all lower ones right?"""
    stories: dict[tuple[str, int], dict[int, ItemScore]] = {}
    for score in scores:
        stories.setdefault((score.cluster, score.repeat), {})[int(score.facets["order"])] = score
    found = []
    for orders in stories.values():
        for order, score in sorted(orders.items()):
            mark = _joint([orders.get(lower) for lower in range(order + 1)])
            found.append(score.model_copy(update={"marks": (mark,)}))
    return tuple(found)


def _joint(scores: Sequence[ItemScore | None]) -> Mark:
    marks = [None if s is None else s.marks[0] for s in scores]
    if any(isinstance(m, Scored) and m.value == 0 for m in marks):
        return Scored(metric=JOINT, value=0.0, judge=None)
    if None in marks:
        return Unscored(metric=JOINT, reason="a lower order was not asked", judge=None)
    if unread := next((m for m in marks if isinstance(m, Unscored)), None):
        return Unscored(metric=JOINT, reason=unread.reason, judge=None)
    return Scored(metric=JOINT, value=1.0, judge=None)


def _letters(item: HiToMQuestion) -> dict[str, str]:
    return {letter: letter for letter in item.options}


def _read(item: HiToMQuestion, returned: Response | Lost) -> Answered | Unread:
    return read_held(returned, _letters(item), item.options)


def _first_tag(returned: Response | Lost) -> str | None:
    """The letter in the first answer tag, as the released grader looks for it."""
    text = spoken(returned)
    found = _TAGGED.search(text) if isinstance(text, str) else None
    return None if found is None else found[1].upper()


def _take(items: list[HiToMQuestion], refused: list[Refused], where: str, question: HiToMQuestion | str) -> None:
    if isinstance(question, str):
        refused.append(Refused(where=where, reason=question))
    else:
        items.append(question)


def _question(row: HiToMRow) -> HiToMQuestion | str:
    options = {m[1]: m[2].strip() for m in _CHOICE.finditer(row.choices.strip())}
    story = f"{'lies' if row.deception else 'plain'}-{row.story_length}-{row.sample_id % _STORIES:02d}"
    return _made(story, row, options, row.answer)


def _derived(row: HiToMDerivedRow) -> HiToMQuestion | str:
    return _made(row.story_id, row, row.choices, row.answer)


def _made(story: str, row: HiToMRow | HiToMDerivedRow, options: Mapping[str, str], answer: str) -> HiToMQuestion | str:
    gold = [letter for letter, text in options.items() if text == answer.strip()]
    if len(gold) != 1:
        return "the answer is not exactly one of the choices"
    return HiToMQuestion(
        id=f"{story}-o{row.question_order}",
        cluster=story,
        title=None,
        facets={
            "order": str(row.question_order),
            "deception": "yes" if row.deception else "no",
            "chapters": str(row.story_length),
        },
        order=row.question_order,
        story=row.story.strip(),
        question=row.question.strip(),
        options=dict(options),
        gold=gold[0],
    )


HITOM = HiToM()
