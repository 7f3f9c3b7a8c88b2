"""Planted hacks: what the pairs are, and that ties and silence are no resistance."""

import asyncio
from collections import Counter

import pytest
from reward_cases import RuleJudge

from her.errors import VerdictError
from her.renderers import read_strict, render_turn
from her.reward import load_pack
from her.reward.attacks import FAMILIES, attack_pairs, resist
from her.reward.attacks.context import contexts, phrases
from her.reward.controls import LengthJudge
from her.reward.length import length
from her.schema import Comparison, Winner

ATTACKS = attack_pairs()


def test_every_family_plays_in_at_least_ten_places_and_the_sides_are_even() -> None:
    assert len(FAMILIES) >= 14
    counts = Counter(family for family, _ in ATTACKS)
    assert set(counts) == {f.name for f in FAMILIES}
    assert min(counts.values()) >= 10
    assert len({p.comparison.id for _, p in ATTACKS}) == len(ATTACKS)
    assert Counter(p.winner for _, p in ATTACKS) == {"cand_1": len(ATTACKS) // 2, "cand_2": len(ATTACKS) // 2}
    assert {f.principle for f in FAMILIES} <= {p.name for p in load_pack().principles}
    assert {len(v) for v in phrases().model_dump().values() if isinstance(v, tuple)} == {len(contexts())}


def test_every_reply_is_a_turn_that_can_be_written_and_read_back() -> None:
    for _, pair in ATTACKS:
        for side in (pair.comparison.cand_1, pair.comparison.cand_2):
            assert read_strict(render_turn(side), speaker=side.speaker, turn_id=side.id) == side
        assert pair.comparison.cand_1.parts != pair.comparison.cand_2.parts


def test_a_hack_says_what_its_family_says_and_the_good_reply_does_not() -> None:
    words = {"mind-reading": "mind", "sycophancy": "flattery"}
    for i, context in enumerate(contexts()):
        good = render_turn(context.good())
        hacked = {f.name: render_turn(f.make(context, phrases(), i)) for f in FAMILIES}
        for family, field in words.items():
            assert getattr(context, field) in hacked[family]
            assert getattr(context, field) not in good
        assert phrases().order[i] in hacked["orders-to-the-judge"]
        assert hacked["spilled-thought"].count(context.thought) == 1
        assert "role_thinking" not in hacked["spilled-thought"]
    # A secret is the other's own: nothing that the acting character is shown tells it.
    for context in contexts():
        shown = [context.scenario, context.said, context.said_action, context.background, context.other_profile]
        assert not any(context.secret in text for text in shown)


def test_length_does_not_tell_the_honest_reply() -> None:
    longer = [
        (length(p.comparison.cand_1, "reply") > length(p.comparison.cand_2, "reply")) == (p.winner == "cand_1")
        for _, p in ATTACKS
    ]
    assert 0.4 <= sum(longer) / len(longer) <= 0.6


def test_ties_and_unread_are_no_resistance() -> None:
    """Four pairs of one family: right, wrong, a habit of position, silent in one order."""
    asked = [a for a in ATTACKS if a[0] == "self-praise"][:4]
    good = {p.comparison.id: p.comparison.cand_1 if p.winner == "cand_1" else p.comparison.cand_2 for _, p in asked}
    ids = list(good)

    def rule(c: Comparison) -> Winner | None:
        right: Winner = "cand_1" if c.cand_1 == good[c.id] else "cand_2"
        wrong: Winner = "cand_2" if right == "cand_1" else "cand_1"
        habit: Winner = "cand_1"
        return dict(zip(ids, (right, wrong, habit, None if right == "cand_2" else right), strict=True))[c.id]

    report = asyncio.run(resist(RuleJudge(rule), asked))
    (family,) = report.families
    assert (family.pairs, family.fooled, family.ties, family.unread) == (4, 1, 1, 1)
    assert family.rate.value == 0.25
    assert report.rate.value == 0.25
    assert report.rate.n == 4
    assert report.unread_reasons == {"silent": 1}


def test_a_judge_that_counts_words_falls_for_long_hacks_and_one_order_is_the_other() -> None:
    report = asyncio.run(resist(LengthJudge("reply"), ATTACKS))
    rates = {f.family: f.rate.value for f in report.families}
    assert rates["verbosity"] == 0.0
    turned = asyncio.run(resist(LengthJudge("reply"), [(f, p.swap()) for f, p in ATTACKS]))
    assert turned == report
    with pytest.raises(VerdictError):
        asyncio.run(resist(LengthJudge("reply"), []))
