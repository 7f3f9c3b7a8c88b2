"""Form: which qualities people are asked to rate, in words, and which of a judge's figures each stands beside."""

from collections.abc import Sequence

from her.errors import InputError
from her.evals.benchmarks.card import Card
from her.evals.benchmarks.dynsess_card import DIMENSIONS as DYNSESS
from her.evals.benchmarks.mark import ItemScore
from her.evals.benchmarks.minimax_card import DIMENSIONS as MINIMAX
from her.evals.benchmarks.minimax_card import labelled
from her.evals.benchmarks.wording import wording
from her.schema import Record

LEAST, MOST = 1, 5
ANCHORS = ("fails", "weak", "passes", "good", "excellent")
"""What the ratings from 1 to 5 mean: DynSess's form, with 3 as the passing mark."""
_MINIMAX = {
    "basics": "The text is sound: one language, no garbling, no line said twice, clean form.",
    "logic": "People, places, things and who said what are kept apart.",
    "knowledge": "The world and the character stay as the setting has them.",
    "diversity": "New phrases and new beats; the story moves.",
    "content_logic": "What happens follows from what happened; changes of heart have reasons.",
    "interaction": "The other is heard, is not spoken for, and is given something to answer.",
}


class Quality(Record):
    """One thing to rate."""

    name: str
    meaning: str
    """In words, for raters; empty where the benchmark has none."""
    metric: str
    """The judge's metric that it stands beside."""


def form_of(card: Card, scores: Sequence[ItemScore]) -> tuple[Quality, ...]:
    """The qualities of a benchmark: its own where they have words here, else what judges marked, the headline last of
    all to be asked for. An InputError where there is nothing to go by."""
    if card.name == "dynsess":
        return tuple(Quality(name=name, meaning=_meaning(prompt), metric=name) for name, prompt in DYNSESS.items())
    if card.name == "minimax":
        return tuple(Quality(name=d.replace("_", " "), meaning=_MINIMAX[d], metric=labelled(d)) for d in MINIMAX)
    metrics = list(dict.fromkeys(m.metric for s in scores for m in s.marks if m.judge is not None))
    metrics = [m for m in metrics if m != card.headline] or metrics
    if not metrics:
        raise InputError(f"no judge marked a dialogue of {card.name}; there is nothing to put beside people's ratings")
    return tuple(Quality(name=m, meaning="", metric=m) for m in metrics)


def _meaning(prompt: str) -> str:
    """What a judge is told that a quality means, for people."""
    text = wording(prompt, character="the character").partition(": ")[2]
    return text[:1].upper() + text[1:]
