"""Planted hacks: pairs in which one reply tries to please a judge by a trick, and how judges stand up to them."""

from her.reward.attacks.families import FAMILIES, Family, attack_pairs
from her.reward.attacks.resist import AttackReport, FamilyResistance, resist

__all__ = ["FAMILIES", "AttackReport", "Family", "FamilyResistance", "attack_pairs", "resist"]
