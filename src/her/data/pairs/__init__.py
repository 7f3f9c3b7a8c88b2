"""Labelled pairs out of other people's files and into them, dealt for training, and how far two labellers agree."""

from her.data.pairs.agreement import Agreement, agreement, labels
from her.data.pairs.balance import Balance, Balanced, balance
from her.data.pairs.exports import EXPORTS, ExportedPairs, export_pairs
from her.data.pairs.imports import IMPORTS, ImportedPairs, import_pairs
from her.data.pairs.raw import RawPair, preference_of

__all__ = [
    "EXPORTS",
    "IMPORTS",
    "Agreement",
    "Balance",
    "Balanced",
    "ExportedPairs",
    "ImportedPairs",
    "RawPair",
    "agreement",
    "balance",
    "export_pairs",
    "import_pairs",
    "labels",
    "preference_of",
]
