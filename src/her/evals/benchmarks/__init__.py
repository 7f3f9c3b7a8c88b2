"""The benchmarks of the field: one file each, over shared nouns. Pure but for calls to models; see docs/exams.md."""

from her.evals.benchmarks.benchmark import Benchmark
from her.evals.benchmarks.card import Card, Difference, Option, Profile, Source
from her.evals.benchmarks.cast import Cast
from her.evals.benchmarks.figure import Figure
from her.evals.benchmarks.item import Exam, Item
from her.evals.benchmarks.mark import ItemScore, Mark, Scored, Unscored
from her.evals.benchmarks.play import Judged, Line, Play
from her.evals.benchmarks.registry import benchmark, names
from her.evals.benchmarks.settings import Settings
from her.evals.benchmarks.summary import Summary, summarise

__all__ = [
    "Benchmark",
    "Card",
    "Cast",
    "Difference",
    "Exam",
    "Figure",
    "Item",
    "ItemScore",
    "Judged",
    "Line",
    "Mark",
    "Option",
    "Play",
    "Profile",
    "Scored",
    "Settings",
    "Source",
    "Summary",
    "Unscored",
    "benchmark",
    "names",
    "summarise",
]
