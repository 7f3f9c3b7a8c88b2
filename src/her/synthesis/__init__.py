"""Teacher's work: a text becomes scenes, scenes become two-layer dialogues. The dear, stochastic step, done once."""

from her.synthesis.checks.checker import Finding, check, flagged
from her.synthesis.checks.second_reader import SecondReading, check_with_teacher
from her.synthesis.pipeline import synthesize
from her.synthesis.result import Reject, SynthConfig, SynthReport, SynthResult, Verified
from her.synthesis.sources.book import book_of, read_book
from her.synthesis.sources.curated import Curated, read_curated
from her.synthesis.sources.shelf import Shelf
from her.synthesis.sources.source import read_source
from her.synthesis.summary import summary

__all__ = [
    "Curated",
    "Finding",
    "Reject",
    "SecondReading",
    "Shelf",
    "SynthConfig",
    "SynthReport",
    "SynthResult",
    "Verified",
    "book_of",
    "check",
    "check_with_teacher",
    "flagged",
    "read_book",
    "read_curated",
    "read_source",
    "summary",
    "synthesize",
]
