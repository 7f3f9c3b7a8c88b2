"""The exams. They see replies and scenes, never a training reward."""

from her.evals.exam import ExamConfig, ExamResult, PlayedScene, examine
from her.evals.metrics import PolicyMetrics, Reply, measure
from her.evals.report import write_report
from her.evals.run_report import RunReport
from her.evals.winrate import Game, Judge, WinRate, win_rate

__all__ = [
    "ExamConfig",
    "ExamResult",
    "Game",
    "Judge",
    "PlayedScene",
    "PolicyMetrics",
    "Reply",
    "RunReport",
    "WinRate",
    "examine",
    "measure",
    "win_rate",
    "write_report",
]
