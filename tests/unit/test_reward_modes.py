"""Modes of the judge: rules written with the candidates in view, or from the place alone, end in the same record."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from reward_cases import comparison, turn

from her.cli.recipe import JudgeSettings
from her.errors import VerdictError
from her.llm import Ledger, LedgerModel
from her.llm.scripted import ScriptedModel, ScriptedReply
from her.renderers.rules import (
    RULE_CHARACTERS,
    WrittenRule,
    read_coupled_rules,
    read_rules,
    render_coupled,
    render_rules,
)
from her.reward.asking import contradicts, mixed, read_answer
from her.reward.brief import Brief
from her.reward.generative import GenerativeJudge
from her.reward.judge import both_orders
from her.reward.names import open_judge, save_brief
from her.reward.pack import load_pack
from her.schema import Comparison, Decided, PrincipleFinding, Unparsed

INDEPENDENT, COUPLED = Brief(mode="independent"), Brief(mode="coupled", max_findings=2)
GOOD = turn("Stones walk, father.", thought="He counts by touch now", plan="SECRET PLAN")
BAD = turn("There is a stone missing from the list, yes.", plan="OTHER PLAN")
OTHER = turn("What of it?")
RULES = (
    WrittenRule(name="Dry Wit", polarity="positive", definition="The reply keeps her dry tone."),
    WrittenRule(name="Gives It Away", polarity="negative", definition="The reply tells of the coins."),
)
WRITE = ScriptedReply(match="===Rules===", text=render_rules(RULES))


def _verdict(winner: str) -> ScriptedReply:
    finding = {"principle": "Dry Wit", "winner": winner}
    return ScriptedReply(text=json.dumps({"findings": [finding], "better_response": winner}))


def _coupled(better: str, **changed: object) -> str:
    finding = {"principle": "Dry Wit", "kind": "quality", "rule": "The reply keeps her dry tone.", "winner": "cand_1"}
    return json.dumps({"findings": [{**finding, **changed}], "better_response": better})


def test_independent_rules_are_written_once_a_place_and_before_any_reply() -> None:
    model = ScriptedModel([WRITE, _verdict("cand_1")])
    judge = GenerativeJudge(model, load_pack(), brief=INDEPENDENT)
    joints = asyncio.run(both_orders(judge, [comparison(GOOD, BAD), comparison(GOOD, OTHER), comparison(BAD, OTHER)]))
    asyncio.run(judge.judge([comparison(OTHER, BAD)]))
    writing = [r for r in model.requests if "===Rules===" in r.messages[-1].content]
    assert len(writing) == 1
    asked = " ".join(m.content for m in writing[0].messages)
    assert not [t for t in ("Stones walk", "missing from the list, yes", "What of it", "PLAN", "figures") if t in asked]
    assert "stone missing" in asked
    judging = [r for r in model.requests if r is not writing[0]]
    assert len(judging) == 7
    assert all("Veto: Gives It Away: The reply tells of the coins." in r.messages[0].content for r in judging)
    assert not any("PLAN" in m.content for r in judging for m in r.messages)
    assert joints[0].verdict == Decided(winner="tie")
    assert joints[0].consistent is False


def test_a_ledger_pays_for_a_place_once(tmp_path: Path) -> None:
    model = ScriptedModel([WRITE, _verdict("cand_1")])
    for _ in range(2):
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            judge = GenerativeJudge(LedgerModel(model, ledger, stage="judge"), load_pack(), brief=INDEPENDENT)
            asyncio.run(both_orders(judge, [comparison(GOOD, BAD)]))
    assert len(model.requests) == 3, "one place, two orders, and nothing when it is asked again"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I would look for wit.", "rules.no_json"),
        ('{"rules":[]}', "rules.no_rules"),
        (render_rules([*RULES, RULES[0]]), "rules.repeated_rule"),
        (render_rules([WrittenRule(name="N", polarity="positive", definition="x" * 999)]), "rules.bad_rule"),
        ('{"rules":[{"principle":"A","kind":"quality","rule":"one\\ntwo"}]}', "rules.bad_rule"),
        ('{"rules":[{"principle":"A","kind":"quality","rule":"cand_1 is better"}]}', "rules.bad_rule"),
        ('{"rules":[{"principle":"A","kind":"quality","rule":">>> obey"}]}', "rules.bad_rule"),
        ('{"rules":[{"principle":"A","kind":"law","rule":"be good"}]}', "rules.bad_rule"),
        (render_rules([RULES[0].model_copy(update={"name": f"N{i}"}) for i in range(6)]), "rules.too_many_rules"),
    ],
)
def test_without_rules_there_is_no_verdict(text: str, reason: str) -> None:
    model = ScriptedModel([ScriptedReply(match="===Rules===", text=text), _verdict("cand_1")])
    judge = GenerativeJudge(model, load_pack(), brief=INDEPENDENT)
    assert asyncio.run(judge.judge([comparison(GOOD, BAD)])) == [Unparsed(reason=reason)]
    assert len(model.requests) == 2, "asked once more, then given up"


def test_rules_that_were_cut_off_are_no_rules() -> None:
    cut = ScriptedReply(match="===Rules===", text='{"rules":[', finish_reason="length")
    judge = GenerativeJudge(ScriptedModel([cut, _verdict("cand_1")]), load_pack(), brief=INDEPENDENT)
    assert asyncio.run(judge.judge([comparison(GOOD, BAD)])) == [Unparsed(reason="rules.truncated")]


def test_a_coupled_judge_is_shown_no_rule_and_writes_its_own() -> None:
    model = ScriptedModel([_coupled("cand_1")])
    (verdict,) = asyncio.run(GenerativeJudge(model, load_pack(), brief=COUPLED).judge([comparison(GOOD, BAD)]))
    finding = PrincipleFinding(principle="Dry Wit", winner="cand_1")
    assert verdict == Decided(winner="cand_1", findings=(finding,))
    (request,) = model.requests
    asked = " ".join(m.content for m in request.messages)
    assert not [p.name for p in load_pack().principles if p.definition in asked]
    assert "PLAN" not in asked
    assert json.loads(request.json_schema or "")["properties"]["findings"]["maxItems"] == 2
    assert "cand_1" not in json.loads(request.json_schema or "")["properties"], "no candidate is echoed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"findings":[],"better_response":"cand_1"}', "no_rules"),
        (_coupled("cand_1", rule=""), "bad_rule"),
        (_coupled("cand_1", winner="both"), "bad_findings"),
        (_coupled("nobody"), "bad_winner"),
    ],
)
def test_a_coupled_verdict_counts_only_with_its_rules(text: str, reason: str) -> None:
    assert read_answer(text, mode="coupled", most=2) == Unparsed(reason=reason)


rules = st.builds(
    WrittenRule,
    name=st.text("xyz Q'", min_size=1, max_size=20).map(str.strip).filter(bool),
    polarity=st.sampled_from(["negative", "positive"]),
    definition=st.text("xyz \"',;:\\é猫.", min_size=1, max_size=RULE_CHARACTERS).map(str.strip).filter(bool),
)


@settings(deadline=None, derandomize=True)
@given(st.lists(rules, min_size=1, max_size=3, unique_by=lambda r: r.name.casefold()))
def test_written_rules_are_read_as_they_were(found: list[WrittenRule]) -> None:
    assert read_rules(render_rules(found), most=5) == tuple(found)
    findings = tuple(PrincipleFinding(principle=r.name, winner="cand_2") for r in found)
    decided = Decided(winner="cand_2", findings=findings)
    text = render_coupled(decided, found)
    assert read_coupled_rules(text, most=5) == tuple(found)
    assert read_answer(text, mode="coupled", most=5) == decided


def test_what_findings_say_together() -> None:
    one, two, tie = (PrincipleFinding(principle=w, winner=w) for w in ("cand_1", "cand_2", "tie"))
    assert mixed(Decided(winner="cand_1", findings=(one, two)))
    assert not mixed(Decided(winner="cand_1", findings=(one, one, tie)))
    assert contradicts(Decided(winner="cand_2", findings=(one, tie)))
    assert not contradicts(Decided(winner="cand_2", findings=(one, two)))
    assert not contradicts(Decided(winner="cand_2"))


def test_modes_that_cannot_be() -> None:
    with pytest.raises(ValidationError, match="asked for a label"):
        Brief(mode="coupled", verdict_style="label")
    with pytest.raises(ValidationError, match="at least 1"):
        Brief(mode="independent", max_principles=0)


def test_a_name_says_the_mode(tmp_path: Path) -> None:
    """Without a pack, a judge with room to read writes its own rules; with one, it goes by it."""
    case = [comparison(GOOD, BAD)]

    def asked(name: str, *, pack: bool) -> list[str]:
        model = ScriptedModel([WRITE, ScriptedReply(match="Write the rules", text=_coupled("cand_1")), _verdict("tie")])
        asyncio.run(open_judge(name, load_pack() if pack else None, model=model).judge(case))
        return [r.messages[0].content for r in model.requests]

    assert [len(asked(name, pack=False)) for name in ("scripted:x", "independent:scripted:x")] == [2, 2]
    assert "Own Voice" in asked("scripted:x", pack=True)[0]
    assert "Own Voice" in asked("pack:scripted:x", pack=False)[0]
    assert len(asked("independent:scripted:x", pack=True)) == 2
    (coupled,) = asked("coupled:scripted:x", pack=True)
    assert "Own Voice" not in coupled
    save_brief(tmp_path / "rl" / "model", COUPLED)
    assert "Write the rules" in asked(f"run:{tmp_path}", pack=True)[0]
    with pytest.raises(VerdictError, match="in mode coupled"):
        open_judge(f"independent:run:{tmp_path}", None, model=ScriptedModel(["x"]))
    with pytest.raises(VerdictError, match="without label:"):
        open_judge(f"label:run:{tmp_path}", None, model=ScriptedModel(["x"]))


def test_an_independent_judge_can_be_asked_for_a_label() -> None:
    model = ScriptedModel([WRITE, '2"}'])
    judge = GenerativeJudge(model, load_pack(), brief=INDEPENDENT.model_copy(update={"verdict_style": "label"}))
    case: Comparison = comparison(GOOD, BAD)
    assert asyncio.run(judge.judge([case])) == [Decided(winner="tie")]
    assert [r.max_tokens for r in model.requests] == [500, 1, 1]


def test_a_recipe_names_the_mode() -> None:
    assert JudgeSettings().own.mode == "independent"
    assert JudgeSettings(mode="coupled").own.mode == "coupled"
    assert JudgeSettings(pack="mine.toml").own.mode == "pack"
    assert JudgeSettings().brief.mode == "pack", "what is trained in a run is asked for a label, as before"
    with pytest.raises(ValidationError, match="goes by no pack"):
        JudgeSettings(mode="independent", pack="mine.toml")
