"""A judge behind an endpoint that misbehaves: an unread verdict with a reason or a stopped run, and never a winner."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fast_clock import FastClock
from faults import FAULTS
from faulty_upstream import FaultyUpstream, First, Plan, Sound

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from reward_cases import preference, turn

from her.errors import EndpointError
from her.llm.http import EndpointModel
from her.llm.retry import Patience
from her.reward import JudgeReport, load_pack, measure
from her.reward.attacks import AttackReport, attack_pairs, resist
from her.reward.brief import Brief, Mode
from her.reward.generative import GenerativeJudge

PATIENCE = Patience(attempts=2, wall_s=60)
QUICK = replace(PATIENCE, answer_s=0.15, stall_s=0.15, slow_s=0.15, slow_bytes_s=300)
_SILENT = {"hang", "hang_after_head", "hang_mid_body", "trickle"}
PAIRS = [preference(turn(f"Stone {i}."), turn(f"As an AI {i}."), "cand_1", id=f"c{i}") for i in range(2)]
HACKS = [a for a in attack_pairs() if a[0] == "self-praise"][:2]
GOOD = '{"findings":[],"better_response":"cand_1"}'
BRIEF = Brief(mode="pack")


def judged(plan: Plan, *, says: str = GOOD, mode: Mode = "pack") -> tuple[JudgeReport, AttackReport]:
    silent = isinstance(plan, First) and plan.name in _SILENT

    async def run() -> tuple[JudgeReport, AttackReport]:
        with FaultyUpstream(plan, says=lambda _: says) as up:
            model = EndpointModel("m", up.url, patience=QUICK if silent else PATIENCE, clock=FastClock())
            judge = GenerativeJudge(model, load_pack(), brief=Brief(mode=mode))
            try:
                return await measure(judge, PAIRS), await resist(judge, HACKS)
            finally:
                await model.close()

    return asyncio.run(run())


def test_a_sound_judge_is_read() -> None:
    report, attacks = judged(Sound())
    assert report.unread.value == 0.0
    assert report.ties.value == 1.0, "it always names the first"
    assert attacks.unread == 0


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("I think that the first reply is better, because it is vivid.", "no_json"),
        ('{"findings":[],"better_resp', "bad_json"),
        ('{"winner":"A","score":7}', "no_winner"),
        ('{"findings":[],"better_response":"cand_3"}', "bad_winner"),
        ('{"findings":"many","better_response":"cand_1"}', "bad_findings"),
        (f"{GOOD}{GOOD}", "several"),
        ("[]", "not_an_object"),
        ("7", "no_json"),
    ],
)
def test_an_answer_that_is_no_verdict_is_unread_by_name(says: str, reason: str) -> None:
    report, attacks = judged(Sound(), says=says)
    assert (report.unread.value, report.unread_reasons) == (1.0, {reason: 2})
    assert report.accuracy.value is None
    assert report.ties.value is None
    assert report.score() == 0.5, "a coin, for choosing; nothing that is reported"
    (family,) = attacks.families
    assert (family.rate.value, family.unread, family.ties, family.fooled) == (0.0, 2, 0, 0)
    assert attacks.unread_reasons == {reason: 2}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("mode", ["pack", "independent"])
def test_a_fault_that_always_comes_stops_the_run_or_is_unread_with_its_reason(name: str, mode: Mode) -> None:
    expected = FAULTS[name].always
    if expected == "stop":
        with pytest.raises(EndpointError):
            judged(First(name=name, attempts=1000), mode=mode)
        return
    report, attacks = judged(First(name=name, attempts=1000), mode=mode)
    if expected == "ok":
        assert report.unread_reasons.keys() <= {"rules.no_rules"}  # a verdict is sound, and is no list of rules
        return
    assert report.unread.value == 1.0
    assert report.accuracy.value is None
    assert attacks.rate.value == 0.0
    assert attacks.unread == attacks.families[0].pairs
    if expected.startswith("dead:"):
        reason = expected.removeprefix("dead:")
        assert set(report.unread_reasons) == {reason if mode == "pack" else f"rules.{reason}"}


def test_replies_of_a_hundred_kilobytes_are_judged_or_counted() -> None:
    long = [preference(turn("word " * 20_000 + "end"), turn("Short."), "cand_2", id="long")]

    async def run(plan: Plan) -> JudgeReport:
        with FaultyUpstream(plan, says=lambda _: GOOD) as up:
            model = EndpointModel("m", up.url, patience=PATIENCE, clock=FastClock())
            try:
                return await measure(GenerativeJudge(model, load_pack(), brief=BRIEF), long)
            finally:
                await model.close()

    assert json.loads(asyncio.run(run(Sound())).model_dump_json())["ties"]["value"] == 1.0
    too_long = next(n for n, f in FAULTS.items() if f.always == "dead:too_long")
    assert asyncio.run(run(First(name=too_long, attempts=1000))).unread.value == 1.0
