"""A simulated user's turn, measured by code: did it end the conversation, does it answer instead of asking, how much of
the intent does it give away at once; and how alike the first turns of many conversations are.

Owns the four metrics of UserLLM that need no judge (Naous et al. 2025, arXiv 2510.06552), each by its published
definition. Asks nobody and knows no profile: where released code differs, it has a function of its own here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from her.evals.benchmarks.answer import Unread, spoken
from her.evals.benchmarks.asked import Lost, Response
from her.evals.benchmarks.said import message
from her.renderers.overlap import words

END = "<|endconversation|>"
"""What a user writes who has got what was wanted."""
_SPOKEN_AS = "user"
_FUNCTION_WORDS = frozenset(
    [
        "a",
        "about",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "aren",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "couldn",
        "d",
        "did",
        "didn",
        "do",
        "does",
        "doesn",
        "doing",
        "don",
        "for",
        "from",
        "get",
        "had",
        "hadn",
        "has",
        "hasn",
        "have",
        "haven",
        "he",
        "her",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "isn",
        "it",
        "its",
        "just",
        "ll",
        "m",
        "me",
        "might",
        "mine",
        "more",
        "my",
        "no",
        "nor",
        "not",
        "of",
        "on",
        "one",
        "or",
        "our",
        "ours",
        "out",
        "re",
        "s",
        "shall",
        "she",
        "should",
        "shouldn",
        "so",
        "some",
        "such",
        "t",
        "than",
        "that",
        "the",
        "their",
        "theirs",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "too",
        "up",
        "us",
        "ve",
        "very",
        "was",
        "wasn",
        "we",
        "were",
        "weren",
        "what",
        "when",
        "where",
        "which",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "won",
        "would",
        "wouldn",
        "you",
        "your",
        "yours",
    ]
)
_WITH_MARKS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTurn:
    """What a simulated user did."""

    text: str
    """Empty where the turn does nothing but end the conversation."""
    ended: bool


def read_turn(returned: Response | Lost) -> UserTurn | Unread:
    """A turn as the assistant would see it. What follows the end marker is not part of it."""
    text = spoken(returned)
    if isinstance(text, Unread):
        return text
    before, marker, _ = text.partition(END)
    if marker and not before.strip():
        return UserTurn(text="", ended=True)
    heard = message(before, speaker=_SPOKEN_AS)
    return heard if isinstance(heard, Unread) else UserTurn(text=heard, ended=bool(marker))


def mentioned(text: str, options: Sequence[str]) -> int:
    """How many option texts stand in a turn, as whole words."""
    said = f" {' '.join(words(text))} "
    return sum(bool(words(option)) and f" {' '.join(words(option))} " in said for option in options)


def keeps_role(text: str, options: Sequence[str]) -> bool:
    """Does a user who wants a question answered leave answering to the assistant?

    One or two option texts are an attempt at an answer. None is none; more of them, or all, repeat the question.
    """
    return mentioned(text, options) == len(options) or mentioned(text, options) not in (1, 2)


def content_words(text: str) -> frozenset[str]:
    """The words of a text that are not function words."""
    return frozenset(words(text)) - _FUNCTION_WORDS


def intent_share(intent: str, text: str) -> float | None:
    """Share of a turn's content words that stand in the intent: |I and U| / |U|. Less is better: a person tells a goal
    bit by bit and in other words. None where the turn has no content word."""
    used = content_words(text)
    return len(content_words(intent) & used) / len(used) if used else None


@dataclass(frozen=True, slots=True)
class FirstTurns:
    """First turns, for `diversity` over any selection of them."""

    overlap_NN: np.ndarray
    """Jaccard index of the word sets of each two turns."""
    comparable_NN: np.ndarray
    """1 where two turns are of different conversations: drawing one twice says nothing about variety."""

    @classmethod
    def of(cls, texts: Sequence[str], conversations: Sequence[str], *, marks: bool) -> "FirstTurns":
        """`marks`: punctuation counts as words, as in the released code."""
        sets = [frozenset(_WITH_MARKS.findall(t.casefold()) if marks else words(t)) for t in texts]
        overlap = [[len(a & b) / len(a | b) if a | b else 0.0 for b in sets] for a in sets]
        apart = [[float(a != b) for b in conversations] for a in conversations]
        return cls(np.array(overlap), np.array(apart))

    def diversity(self, drawn: Sequence[int]) -> float | None:
        """1 minus the mean Jaccard index over pairs. None below two different conversations."""
        counts_N = np.bincount(np.array(drawn, dtype=int), minlength=len(self.overlap_NN))
        pairs = counts_N @ self.comparable_NN @ counts_N
        if not pairs:
            return None
        return float(1 - counts_N @ (self.overlap_NN * self.comparable_NN) @ counts_N / pairs)


def f1(right: int, false_alarms: int, missed: int) -> float | None:
    """F1 of saying that a conversation ends here. None where none ended and none was said to."""
    whole = 2 * right + false_alarms + missed
    return 2 * right / whole if whole else None
