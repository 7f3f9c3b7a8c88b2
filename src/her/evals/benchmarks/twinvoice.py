"""TwinVoice, discriminative: which of four lines would this person say (Du et al. 2025, arXiv 2510.25536)?

Owns the question, its mark, and the controls that stand beside every score: a model that only likes short lines, or one
place, is told from one that knows the person. What an item shows is `twin_data`'s.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from her.evals.benchmarks.answer import Answered, spoken
from her.evals.benchmarks.asked import Lost, Response, ask_once
from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.data import data_used
from her.evals.benchmarks.figure import Figure, mean_figure, mean_figures
from her.evals.benchmarks.held_answer import read_held, schema_of
from her.evals.benchmarks.item import Exam
from her.evals.benchmarks.mark import Control, ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.play import Judged, Play
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.trust.controls import choice_controls
from her.evals.benchmarks.twin_data import LETTERS, TwinQuestion, read_twins
from her.evals.benchmarks.twinvoice_card import ACCURACY, CHOOSING, showing
from her.evals.benchmarks.wording import wording
from her.llm.model import Request
from her.schema import Message
from her.stats import clustered_mean

_TAGGED = re.compile(r"<answer>\s*([ABCD])\s*</answer>", re.IGNORECASE)
_LETTERS = {letter: letter for letter in LETTERS}
_PICKED = ("picks the shortest", "picks the longest", "picks the first")


class TwinVoice(Benchmark[TwinQuestion]):
    """The benchmark."""

    item = TwinQuestion
    card = CHOOSING

    def load(self, data: Path, settings: Settings) -> Exam[TwinQuestion]:
        """A file of posts, or a folder: TwinBench's `dataset`, the three dimensions' files, or our own set."""
        items, refused = read_twins(data, showing(settings))
        return Exam(items=tuple(items), refused=tuple(refused), data=data_used(data, self.card))

    async def play(self, item: TwinQuestion, cast: Cast, settings: Settings, *, repeat: int) -> Play:
        """One call."""
        options, _ = posed(item, repeat, settings)
        cot = settings.options["prompting"] == "cot"
        longest = settings.options["max_tokens"]
        prompt = wording(
            "twinvoice_choose",
            person=person(item),
            choices="\n".join(f"{letter}. {text}" for letter, text in options.items()),
            how=wording("twinvoice_cot" if cot else "twinvoice_standard"),
            form=wording(f"twinvoice_{settings.options['form']}"),
        )
        request = Request(
            messages=(Message(role="user", content=prompt),),
            max_tokens=(1024 if cot else 64) if longest == "auto" else int(longest),
            temperature=0.0,
            seed=settings.seed_of(item.id, repeat),
            json_schema=schema_of(_LETTERS) if settings.options["form"] == "json" else None,
        )
        asked = await ask_once(cast.player, request, key="answer", role="player")
        return Play(item_id=item.id, repeat=repeat, asked=(asked,), lines=(), counts={})

    def marks(self, item: TwinQuestion, play: Play, judged: Judged | None, settings: Settings) -> tuple[Mark, ...]:
        """1 for the line that the person said, 0 for another's."""
        options, gold = posed(item, play.repeat, settings)
        returned = play.reply("answer").returned
        if settings.profile == "upstream":
            return (Scored(metric=ACCURACY, value=float(_first_tag(returned) == gold), judge=None),)
        read = read_held(returned, _LETTERS, options)
        if not isinstance(read, Answered):
            return (Unscored(metric=ACCURACY, reason=read.reason, judge=None),)
        return (Scored(metric=ACCURACY, value=float(read.option == gold), judge=None),)

    def controls(self, item: TwinQuestion, play: Play, settings: Settings) -> tuple[Control, ...]:
        """What blind guessers would earn, and what the model itself picked, by length and place."""
        options, gold = posed(item, play.repeat, settings)
        found = choice_controls(options, gold)
        read = read_held(play.reply("answer").returned, _LETTERS, options)
        if not isinstance(read, Answered):
            return found
        lengths = [len(t) for t in options.values()]
        picked = len(options[read.option])
        values = (picked == min(lengths), picked == max(lengths), read.option == LETTERS[0])
        return (*found, *(Control(name=n, value=float(v)) for n, v in zip(_PICKED, values, strict=True)))

    def answers(self, item: TwinQuestion, play: Play, settings: Settings) -> tuple[str | None, str | None]:
        """The letter read, and the right one, both as asked."""
        options, gold = posed(item, play.repeat, settings)
        read = read_held(play.reply("answer").returned, _LETTERS, options)
        return (read.option if isinstance(read, Answered) else None), gold

    def figures(self, scores: Sequence[ItemScore], settings: Settings) -> tuple[Figure, ...]:
        """Accuracy whole, by dimension, by length and by place of the right option; controls by dimension."""
        seed, scale = settings.seed, self.card.scale
        found = list(mean_figures(scores, seed=seed, scale=scale))
        for letter in LETTERS:
            inside = [s for s in scores if s.gold == letter]
            if inside:
                found.append(mean_figure(inside, ACCURACY, seed=seed, scale=scale, group=f"right option at: {letter}"))
        return (*found, *controls_by(scores, "dimension", seed=seed))


def posed(item: TwinQuestion, repeat: int, settings: Settings) -> tuple[dict[str, str], str]:
    """The options as they are asked in a repeat, and the right letter there."""
    texts = list(item.options.values())
    by = repeat % len(texts) if settings.options["rotate"] == "yes" else 0
    turned = texts[-by:] + texts[:-by] if by else texts
    options = dict(zip(LETTERS, turned, strict=True))
    return options, LETTERS[(LETTERS.index(item.gold) + by) % len(texts)]


def person(item: TwinQuestion) -> str:
    """Who is asked about: history, persona where shown, and what is answered."""
    history = "\n".join(f"- {line}" for line in item.history) or "- (nothing is known)"
    persona = f"About {item.speaker}:\n{item.persona}\n\n" if item.persona else ""
    return wording(
        f"twinvoice_{item.dimension}", speaker=item.speaker, history=history, persona=persona, stimulus=item.stimulus
    )


def controls_by(scores: Sequence[ItemScore], facet: str, *, seed: int) -> tuple[Figure, ...]:
    """The mean of every control within each group of a facet, so that no group's score stands without them."""
    names = list(dict.fromkeys(c.name for s in scores for c in s.controls))
    found = []
    for group in sorted({s.facets[facet] for s in scores}):
        inside = [s for s in scores if s.facets[facet] == group]
        for name in names:
            values = [(c.value, s.cluster) for s in inside for c in s.controls if c.name == name]
            estimate = clustered_mean([v for v, _ in values], [c for _, c in values], seed=seed)
            if estimate.n:
                found.append(
                    Figure(
                        metric=f"control: {name}", group=f"{facet}: {group}", estimate=estimate, unscored=0, reasons={}
                    )
                )
    return tuple(found)


def _first_tag(returned: Response | Lost) -> str | None:
    """The letter in the first answer tag, as SOUL's grader looks for it."""
    text = spoken(returned)
    found = _TAGGED.search(text) if isinstance(text, str) else None
    return None if found is None else found[1].upper()


TWINVOICE = TwinVoice()
