"""LifeChoice: what a character of a novel decides, given all that went before (Xu et al. 2024).

Owns the question, the order in which its options are shown, and the three graders. How much of a long story was shown
is `lifechoice_story.py`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from her.errors import ConfigError
from her.evals.benchmarks.answer import Answered, Unread, spoken
from her.evals.benchmarks.asked import Asked, Lost, Response, ask_once
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.card import PROMPTING, Card, Difference, Option, Profile, Source
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used, read_records
from her.evals.benchmarks.figure import Figure, mean_figure, mean_figures
from her.evals.benchmarks.held_answer import read_held, schema_of
from her.evals.benchmarks.item import Exam, Item, Refused
from her.evals.benchmarks.lifechoice_story import SHARES, Trimmed, counts_of, shown_in, trimmed
from her.evals.benchmarks.mark import Control, ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.controls import choice_controls
from her.evals.benchmarks.upstream.lifechoice import LifeChoiceRecord
from her.evals.benchmarks.wording import wording
from her.llm.model import Request
from her.schema import Message

ACCURACY, TRIMMED = "accuracy", "trimmed story"
LETTERS = "ABCD"
_TOO_LONG = "dead_letter:too_long"
_SOUL = tuple(
    re.compile(pattern)
    for pattern in (
        r"<ANSWER>\s*([A-D])\s*</ANSWER>",
        r"^([A-D])\s*[.):,]",
        r"CHOICE[:\s]+([A-D])",
        r"ANSWER[:\s]+([A-D])",
        r"\(([A-D])\)",
        r"([A-D])\s*$",
        r"([A-D])",
    )
)
"""Where SOUL's grader looks for a letter in the upper-cased reply; the last pattern finds one in almost any text."""


class LifeChoiceQuestion(Item):
    """One decision. Its cluster is the book."""

    character: str
    story: str
    scenario: str
    question: str
    options: tuple[str, ...]
    """As published, A to D."""
    right: int
    """Index of the right option."""


class LifeChoice(Benchmark[LifeChoiceQuestion]):
    """The benchmark."""

    item = LifeChoiceQuestion
    card = Card(
        name="lifechoice",
        title="LifeChoice",
        family="choices",
        measures="Which of four ways a character of a novel takes, given what went before.",
        paper="Xu et al. 2024, arXiv 2404.12138",
        language="English",
        sources=(
            Source(
                where="github.com/airaer1998/LifeChoice, data/data.json",
                licence="Apache-2.0",
                url="https://raw.githubusercontent.com/airaer1998/LifeChoice/main/data/data.json",
                sha256=None,
            ),
        ),
        mini="choices/lifechoice.json",
        headline=ACCURACY,
        scale=(0.0, 1.0),
        higher_is_better=True,
        parts=(),
        judged=False,
        uses=(),
        whole_clusters=False,
        profiles=(
            Profile(name="fixed", meaning="ours: what cannot be read is unscored", options={}),
            Profile(
                name="upstream",
                meaning="as the original grades: the reply has to be the letter and nothing else",
                options={"order": "given", "form": "plain"},
            ),
            Profile(
                name="soul",
                meaning="as SOUL asks and grades: step by step, and a letter is found in almost any reply",
                options={"order": "given", "prompting": "cot"},
            ),
        ),
        one_profile=None,
        differences=(
            Difference(
                what="reading the answer",
                upstream="the reply in capitals equals the letter: `B.` is wrong (SOUL: at last the first letter A-D "
                "anywhere, `BECAUSE` is B)",
                fixed="a letter, its text or a stated answer is read; what names none or several is unscored",
                why="one grader punishes a full stop, the other pays chance for replies that nobody can read",
            ),
            Difference(
                what="a failed call",
                upstream="left out of the denominator without a word (SOUL: wrong)",
                fixed="unscored and counted, as in our upstream",
                why="who fails on the hard items must not look better for it",
            ),
            Difference(
                what="order of the options",
                upstream="as published",
                fixed="turned by item and repeat: with --repeats 4 every option stands once in every place",
                why="a liking for a letter is not a choice; accuracy by place of the right option is shown",
            ),
            Difference(
                what="description of the character",
                upstream="the prompt has a place for it and puts the name there",
                fixed="in all profiles: the name and the story, no empty place",
                why="the public data have no description",
            ),
            Difference(
                what="a story that the model has no room for",
                upstream="the call fails and is left out (SOUL drops what is over 8,000 tokens)",
                fixed="in all profiles: its middle is cut until it fits, which is counted and scored apart; `--set "
                "too_long=unscored` for none of it",
                why="dropping long items makes another exam for every model",
            ),
            Difference(
                what="wording of instructions",
                upstream="the original's",
                fixed="our own words, in all profiles",
                why="prompts of others are not copied here; a number of another wording is another number",
            ),
        ),
        options=(
            Option(
                name="order",
                choices=("turned", "given"),
                default="turned",
                meaning="options turned by item and repeat, or as published",
            ),
            PROMPTING,
            Option(
                name="form",
                choices=("tagged", "plain", "json"),
                default="tagged",
                meaning="ask for an <answer> tag, for nothing but the letter, or for JSON that the engine holds to",
            ),
            Option(
                name="too_long",
                choices=("trim", "unscored"),
                default="trim",
                meaning="what becomes of a story that a model refuses as too long",
            ),
            Option(
                name="max_story",
                choices=(),
                default="whole",
                meaning="most characters of a story to show; give it where most stories are too long for a model",
            ),
            Option(
                name="max_tokens",
                choices=(),
                default="auto",
                meaning="longest reply; auto: 64 standard, 1024 step by step",
            ),
        ),
        published=(
            "first paper (1,401 decisions): human .92, GPT-4 .63; CoSER-70B .935 in its own paper",
            "SOUL (100 sampled items, step by step): GPT-5.4 .87, Ditto-8B .80, HER-32B .75, base .67; each is off by "
            "up to 10 points by its n alone",
            "39 of the books are also in CoSER's training data: run with --trained-on",
        ),
    )

    def load(self, data: Path, settings: Settings) -> Exam[LifeChoiceQuestion]:
        """The published JSON: a list of books, each a list of decisions."""
        items, refused = [], []
        for number, (where, row) in enumerate(read_records(data, LifeChoiceRecord)):
            options = tuple(o.strip() for o in row.question.options)
            if len({o.casefold() for o in options}) < len(options) or "" in options:
                refused.append(Refused(where=where, reason="two options are the same, or one is empty"))
            elif not row.input_text.strip():
                refused.append(Refused(where=where, reason="there is no story to decide by"))
            else:
                items.append(_question(row, options, number))
        return Exam(items=tuple(items), refused=tuple(refused), data=data_used(data, self.card))

    async def play(self, item: LifeChoiceQuestion, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """One call; more where the model says that the story is too long for it, each with half of it."""
        longest = _most(settings)
        asked: list[Asked] = []
        most = len(item.story)
        for share in SHARES if settings.options["too_long"] == "trim" else SHARES[:1]:
            most = int(min(longest or len(item.story), len(item.story)) * share)
            key = "answer" if share == 1 else f"answer-{share:g}"
            request = _request(item, trimmed(item.story, most), settings, repeat=repeat)
            asked.append(await ask_once(cast.player, request, key=key, role="player"))
            returned = asked[-1].returned
            if not isinstance(returned, Lost) or returned.reason != _TOO_LONG:
                break
        counts = counts_of(item.story, most)
        return Play(item_id=item.id, repeat=repeat, asked=tuple(asked), lines=(), counts=counts)

    def marks(
        self, item: LifeChoiceQuestion, play: Play, judged: Judged | None, settings: Settings
    ) -> tuple[Mark, ...]:
        """1 for the right option, 0 for another."""
        options, gold = shown(item, settings, repeat=play.repeat)
        read = _graded(play.asked[-1].returned, options, settings.profile)
        if isinstance(read, Unread):
            return (Unscored(metric=ACCURACY, reason=read.reason, judge=None),)
        return (Scored(metric=ACCURACY, value=float(read == gold), judge=None),)

    def controls(self, item: LifeChoiceQuestion, play: Play, settings: Settings) -> tuple[Control, ...]:
        """What blind guessers would earn, and whether the story was trimmed."""
        options, gold = shown(item, settings, repeat=play.repeat)
        cut = isinstance(shown_in(play), Trimmed)
        return (*choice_controls(options, gold), Control(name=TRIMMED, value=float(cut)))

    def answers(self, item: LifeChoiceQuestion, play: Play, settings: Settings) -> tuple[str | None, str | None]:
        """The letter read and the right one, as they were shown."""
        options, gold = shown(item, settings, repeat=play.repeat)
        read = _graded(play.asked[-1].returned, options, settings.profile)
        return (read if isinstance(read, str) and read in options else None), gold

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """Accuracy; by length and by place of the right option; apart for trimmed stories, where there are any."""
        seed, scale = settings.seed, self.card.scale
        found = list(mean_figures(scores, seed=seed, scale=scale))
        for letter in LETTERS:
            inside = [s for s in scores if s.gold == letter]
            found.append(mean_figure(inside, ACCURACY, seed=seed, scale=scale, group=f"right option: {letter}"))
        cut = [s for s in scores if any(c.name == TRIMMED and c.value for c in s.controls)]
        if cut:
            rest = [s for s in scores if s not in cut]
            for group, inside in (("story: trimmed", cut), ("story: whole", rest)):
                found.append(mean_figure(inside, ACCURACY, seed=seed, scale=scale, group=group))
        return tuple(f for f in found if f.estimate.n or f.unscored)


def shown(item: LifeChoiceQuestion, settings: Settings, *, repeat: int) -> tuple[dict[str, str], str]:
    """The options under the letters that they are shown with, and the letter of the right one. Pure."""
    number = len(item.options)
    start = (settings.seed_of(item.id, 0) + repeat) % number if settings.options["order"] == "turned" else 0
    places = [(place + start) % number for place in range(number)]
    options = {letter: item.options[place] for letter, place in zip(LETTERS, places, strict=True)}
    return options, LETTERS[places.index(item.right)]


def _request(item: LifeChoiceQuestion, story: str, settings: Settings, *, repeat: int) -> Request:
    cot = settings.options["prompting"] == "cot"
    longest = settings.options["max_tokens"]
    options, _ = shown(item, settings, repeat=repeat)
    prompt = wording(
        "lifechoice",
        character=item.character,
        story=story,
        scenario=item.scenario,
        question=item.question,
        options="\n".join(f"{letter}. {text}" for letter, text in options.items()),
        how=wording("lifechoice_cot" if cot else "lifechoice_standard", character=item.character),
        form=wording(f"lifechoice_{settings.options['form']}"),
    )
    return Request(
        messages=(Message(role="user", content=prompt),),
        max_tokens=(1024 if cot else 64) if longest == "auto" else int(longest),
        temperature=0.0,
        seed=settings.seed_of(item.id, repeat),
        json_schema=schema_of(_letters(options)) if settings.options["form"] == "json" else None,
    )


def _letters(options: dict[str, str]) -> dict[str, str]:
    return {letter: letter for letter in options}


def _graded(returned: Response | Lost, options: dict[str, str], profile: str) -> str | Unread:
    """What a grader takes for the answer: a letter, anything else that is wrong, or nothing that counts."""
    if profile == "fixed":
        read = read_held(returned, _letters(options), options)
        return read.option if isinstance(read, Answered) else read
    if profile == "upstream":
        if isinstance(returned, Lost):
            return Unread(reason=f"lost:{returned.reason}")
        return returned.text.strip().upper() or Unread(reason="empty")
    text = spoken(returned)
    said = "" if isinstance(text, Unread) else text.strip().upper()
    return next((found[1] for pattern in _SOUL if (found := pattern.search(said))), "")


def _most(settings: Settings) -> int | None:
    """The most characters of a story to show; None for all of them."""
    most = settings.options["max_story"]
    if most == "whole":
        return None
    if not most.isdecimal() or int(most) < 1:
        raise ConfigError(f"lifechoice: max_story is `whole` or a number of characters, not {most!r}")
    return int(most)


def _question(row: LifeChoiceRecord, options: tuple[str, ...], number: int) -> LifeChoiceQuestion:
    right = LETTERS.index(row.question.answer)
    lengths = [len(o) for o in options]
    extremes = {max(lengths): "longest", min(lengths): "shortest"}
    alone = lengths.count(lengths[right]) == 1
    return LifeChoiceQuestion(
        id=f"{number:04d}",
        cluster=row.book,
        title=row.book,
        facets={"right option is": extremes.get(lengths[right], "between") if alone else "between"},
        character=row.character_name.strip(),
        story=row.input_text.strip(),
        scenario=row.question.scenario.strip(),
        question=row.question.question.strip(),
        options=options,
        right=right,
    )


LIFECHOICE = LifeChoice()
