"""How replies are compared and what a comparison is worth: principles, judges, games, ratings, gates."""

from her.reward.brief import Brief
from her.reward.games import Game, circulant
from her.reward.gates import GateConfig, Gated, gate
from her.reward.group import GroupConfig, GroupReward, RewardedReply
from her.reward.judge import Joint, Judge, both_orders
from her.reward.measure import JudgeReport, measure, select
from her.reward.pack import Pack, load_pack
from her.reward.parts import Parts, parts
from her.reward.ratings import rate
from her.reward.score import GroupScore, batch_scaled, score

__all__ = [
    "Brief",
    "Game",
    "GateConfig",
    "Gated",
    "GroupConfig",
    "GroupReward",
    "GroupScore",
    "Joint",
    "Judge",
    "JudgeReport",
    "Pack",
    "Parts",
    "RewardedReply",
    "batch_scaled",
    "both_orders",
    "circulant",
    "gate",
    "load_pack",
    "measure",
    "parts",
    "rate",
    "score",
    "select",
]
