"""The nouns. One meaning each; who sees what is decided in `Turn.seen_by` and nowhere else."""

from her.schema.book import Book, Chapter, Plot, Span
from her.schema.comparison import (
    DIMENSIONS,
    Comparison,
    Decided,
    Preference,
    Principle,
    PrincipleFinding,
    Unparsed,
    Verdict,
    Winner,
)
from her.schema.flag import Flag
from her.schema.gain import Gain
from her.schema.message import Message
from her.schema.record import Record
from her.schema.sample import RLPrompt, SFTSample, Split
from her.schema.scene import ENVIRONMENT, Addition, Character, Quote, Scene
from her.schema.turn import Dialogue, HistoryPolicy, Part, PartKind, Provenance, Turn, Viewer, merge_parts

__all__ = [
    "DIMENSIONS",
    "ENVIRONMENT",
    "Addition",
    "Book",
    "Chapter",
    "Character",
    "Comparison",
    "Decided",
    "Dialogue",
    "Flag",
    "Gain",
    "HistoryPolicy",
    "Message",
    "Part",
    "PartKind",
    "Plot",
    "Preference",
    "Principle",
    "PrincipleFinding",
    "Provenance",
    "Quote",
    "RLPrompt",
    "Record",
    "SFTSample",
    "Scene",
    "Span",
    "Split",
    "Turn",
    "Unparsed",
    "Verdict",
    "Viewer",
    "Winner",
    "merge_parts",
]
