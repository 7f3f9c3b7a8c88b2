"""TwinVoice's two cards: choosing what a person said, and saying it. They share their data, options and leaks."""

from her.errors import ConfigError
from her.evals.benchmarks.card import PROMPTING, Card, Difference, Option, Profile, Source
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.twin_data import Showing

ACCURACY = "accuracy"
WRITTEN = "accuracy of what was written"
ASPECTS = ("opinion", "facts", "style", "fidelity")
"""What the judge of a written reply rates from 1 to 5; `fidelity` is the whole."""

_SOURCES = (
    Source(
        where="github.com/TwinVoice/TwinBench, dataset/ (narrative), and Hugging Face bangdedadi/TwinVoice (all three)",
        licence="none stated; the narrative dimension quotes novels of Project Gutenberg",
        url=None,
        sha256=None,
    ),
)
_LEAKS = (
    Difference(
        what="history of a narrative speaker",
        upstream="a published profile holds the whole novel, the right answer to every question included; SOUL's code "
        "cuts nothing (`twinvoice`), TwinBench's own cuts by chunk (`twinvoice_gen`)",
        fixed="lines of an earlier chunk_id alone; who has none is refused",
        why="1,187 of 1,187 answers can be looked up where nothing is cut",
    ),
    Difference(
        what="a question whose own text holds the right answer",
        upstream="asked (41 of the 1,187 narrative ones)",
        fixed="refused and counted",
        why="finding a line again is not knowing a person",
    ),
)
_OPTIONS = (
    Option(name="history", choices=(), default="30", meaning="at most so many of a person's last lines are shown"),
    Option(
        name="leaks",
        choices=("closed", "cut", "open"),
        default="closed",
        meaning="closed: earlier history alone, and questions that hold their answer refused; cut: the first alone; "
        "open: neither",
    ),
    Option(
        name="persona",
        choices=("hidden", "shown"),
        default="hidden",
        meaning="is the summary of a narrative speaker shown? It was made from the whole novel, its end included",
    ),
    Option(
        name="rotate",
        choices=("yes", "no"),
        default="yes",
        meaning="each repeat moves the options by one place: four repeats see the right one at every place",
    ),
)
_WORDING = Difference(
    what="wording of prompts",
    upstream="the original's",
    fixed="our own words, in both profiles",
    why="prompts of others are not copied here; a number of another wording is another number",
)

CHOOSING = Card(
    name="twinvoice",
    title="TwinVoice",
    family="persona",
    measures="Which of four lines would this person say? Social posts, private conversations, characters of novels.",
    paper="Du et al. 2025, arXiv 2510.25536",
    language="Chinese (social), several (interpersonal), English (narrative)",
    sources=_SOURCES,
    mini="voices",
    headline=ACCURACY,
    scale=(0.0, 1.0),
    higher_is_better=True,
    parts=(),
    judged=False,
    uses=(),
    whole_clusters=False,
    profiles=(
        Profile(name="fixed", meaning="ours: leaks closed, what cannot be read is unscored", options={}),
        Profile(
            name="upstream",
            meaning="as SOUL asks it: step by step, and no <answer> tag is a wrong answer",
            options={"prompting": "cot", "leaks": "open", "rotate": "no"},
        ),
    ),
    one_profile=None,
    differences=(
        *_LEAKS,
        Difference(
            what="a reply without a readable answer",
            upstream="wrong: only <answer>LETTER</answer> is looked for (TwinBench drops it from the denominator)",
            fixed="unscored and counted; a letter, its text, or a stated answer are read as well",
            why="a format is no voice, and a denominator that shrinks hides who failed",
        ),
        Difference(
            what="controls",
            upstream="none printed; the shortest option is right in 53% of the narrative questions, the longest in 41%",
            fixed="beside every score: guessers by position and length, what the model itself picked, and accuracy "
            "where the shortest option is wrong, in both profiles",
            why="a score of .5 may be nothing but a liking for short lines",
        ),
        Difference(
            what="order of the options",
            upstream="as published",
            fixed="as published in the first of several repeats, moved by one place in each further one",
            why="a liking for a place must not look like knowledge",
        ),
        Difference(
            what="prompting",
            upstream="step by step",
            fixed="the answer alone; `--set prompting=cot` for step by step",
            why="it is cheaper, and TwinBench asks so",
        ),
        _WORDING,
    ),
    options=(
        *_OPTIONS,
        PROMPTING,
        Option(
            name="form",
            choices=("tagged", "json"),
            default="tagged",
            meaning="ask for an <answer> tag, or hold the reply to JSON where the engine can: for models too small to "
            "keep a format",
        ),
        Option(
            name="max_tokens", choices=(), default="auto", meaning="longest reply; auto: 64 standard, 1024 step by step"
        ),
    ),
    published=(
        "SOUL (100 sampled items of three dimensions): GPT-5.4 .64, Ditto .61, base .43, HER-32B .39, CoSER-8B .07",
        "TwinBench, social: Claude-Sonnet-4 .496, GPT-5-chat .469, GPT-4o-mini .353; narrative: Qwen2.5-14B .608",
        "narrative, who always picks the shortest option: .532; always the longest: .409",
    ),
)

SPEAKING = CHOOSING.model_copy(
    update={
        "name": "twinvoice_gen",
        "title": "TwinVoice, generative",
        "measures": "A model answers as a person; a judge says whose it could be and how near the real reply it is.",
        "headline": WRITTEN,
        "judged": True,
        "profiles": (
            Profile(name="fixed", meaning="ours: leaks closed, three aspects rated apart", options={}),
            Profile(
                name="upstream",
                meaning="as TwinBench scores it: one rating for the whole",
                options={"leaks": "cut", "persona": "shown", "rotate": "no"},
            ),
        ),
        "differences": (
            *_LEAKS,
            Difference(
                what="summary of a narrative speaker",
                upstream="shown: traits, goals and details, made from the whole novel",
                fixed="hidden; `--set persona=shown`",
                why="it tells how things end",
            ),
            Difference(
                what="rating",
                upstream="one number from 1 to 5 for opinion, facts and style together, as (rating - 1) / 4",
                fixed="the same for each of the three as well",
                why="a reply with the right opinion in the wrong voice is another failure than the reverse",
            ),
            Difference(
                what="a reply or a judgement that cannot be read",
                upstream="dropped from the denominator; a rating outside 1 to 5 counts",
                fixed="asked again where it is the judge's, then unscored and counted, in both profiles",
                why="a denominator that shrinks hides who failed",
            ),
            Difference(
                what="controls",
                upstream="none",
                fixed="words, overlap with the real reply, and the option nearest by words alone, in both profiles",
                why="shows what the judge adds to counting words",
            ),
            Difference(
                what="order of the options before the judge",
                upstream="as published",
                fixed="as published in the first of several repeats, moved by one place in each further one",
                why="judges like places too",
            ),
            _WORDING,
        ),
        "options": (
            *_OPTIONS,
            Option(name="max_tokens", choices=(), default="160", meaning="longest written reply"),
            Option(name="temperature", choices=(), default="0.2", meaning="of the examined model; TwinBench's"),
        ),
        "published": (
            "TwinBench, average over six capabilities, judge gpt-5-chat: Claude-Sonnet-4 .518, GPT-5-chat .514, "
            "DeepSeek-V3 .464, GPT-4o-mini .383, Qwen2.5-14B .358; the capabilities' labels are not published",
        ),
    }
)


def showing(settings: Settings) -> Showing:
    """What is shown under these settings."""
    lines = settings.options["history"]
    if not lines.isdecimal() or int(lines) == 0:
        raise ConfigError(f"history is a number of lines from 1, not {lines!r}; give --set history=30")
    return Showing(
        lines=int(lines),
        earlier=settings.options["leaks"] != "open",
        refuse=settings.options["leaks"] == "closed",
        persona=settings.options["persona"] == "shown",
    )
