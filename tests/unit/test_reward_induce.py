"""Induction: what is asked, what is refused, what is chosen, and that a kill costs nothing twice."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from reward_cases import SCENE, preference, turn

from her.errors import ReplyError, TeacherError, VerdictError
from her.llm import Ledger
from her.llm.embedding import Embedded, Unembedded
from her.llm.ledger_model import LedgerModel
from her.llm.model import Reply, Request
from her.llm.scripted import ScriptedModel, ScriptedReply
from her.reward.induction.induce import Induced, SelectConfig, count, induce, spread
from her.reward.induction.proposal import proposal_messages, read_proposal
from her.reward.induction.propose import ProposeConfig
from her.reward.induction.space import NgramEmbedder, place
from her.reward.pack import load_pack
from her.schema import Preference, Scene, Winner

GOOD = turn("Stones walk, father, when they are not watched.", thought="He counts by touch now", plan="SECRET PLAN")
BAD = turn("There is a stone missing from the list, yes indeed father.", plan="OTHER PLAN")
RULE = {
    "polarity": "positive",
    "level": "session",
    "dimension": "Dialogue & Interaction",
    "name": "Turns the Question",
    "definition": "The answer takes up what was asked and bends it to the speaker's own ends.",
    "good": '"Who paid?" - "Who asked?"',
    "bad": '"Who paid?" - "Somebody paid."',
}


def _pair(number: int, winner: Winner = "cand_1") -> Preference:
    scene = Scene(**{**SCENE.model_dump(), "id": f"mill{number % 4}"})
    return preference(GOOD, turn(f"There are {number} stones missing."), winner, id=f"p{number}", scene=scene)


class Teacher(ScriptedModel):
    """Proposes what it is given, pair by pair, and judges as `verdict` says: by the rule in the prompt, if any."""

    def __init__(self, proposals: Sequence[str], verdict: str = "good") -> None:
        super().__init__([ScriptedReply(text="unused")], name="scripted:teacher")
        self.proposals = list(proposals)
        self.verdict = verdict

    async def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        if "You write the rules" in request.messages[0].content:
            if not self.proposals:
                raise ReplyError("nothing more to say")
            return Reply(text=self.proposals.pop(0), finish_reason="stop")
        shown = request.messages[-1].content
        first = shown.index("Stones walk") < shown.index("===Better Reply===") and shown.index("===cand_1===") < (
            shown.index("Stones walk")
        ) < shown.index("===cand_2===")
        prefers_good = self.verdict == "good" or (
            self.verdict == "needs_rule" and "Turns" in request.messages[0].content
        )
        winner = "cand_1" if first == prefers_good else "cand_2"
        return Reply(text=json.dumps({"findings": [], "better_response": winner}), finish_reason="stop")


def _induce(teacher: ScriptedModel, pairs: Sequence[Preference], **changes: object) -> Induced:
    asking = ProposeConfig.model_validate({"concurrency": 1, **changes})
    return asyncio.run(
        induce(
            teacher,
            pairs,
            embedder=NgramEmbedder(),
            asking=asking,
            selecting=SelectConfig(),
            name="mine",
            told=lambda done, total, note: None,
        )
    )


def test_a_rule_that_explains_its_pair_is_kept_with_its_author_and_pair() -> None:
    teacher = Teacher([json.dumps(RULE)], verdict="needs_rule")
    induced = _induce(teacher, [_pair(0)])
    (entry,) = induced.pack.principles
    assert (entry.name, entry.author, entry.pairs) == ("Turns the Question", "scripted:teacher", ("p0",))
    (candidate,) = induced.proposed.candidates
    assert (candidate.without_rule, candidate.was_right) == ("cand_2", False)
    assert induced.chosen[0].share > 0.9


def test_the_teacher_sees_what_a_judge_sees() -> None:
    pair = preference(GOOD, BAD, "cand_1")
    text = " ".join(m.content for m in proposal_messages(pair, role_thinking=True))
    assert "He counts by touch now" in text
    for hidden in ("PLAN", "Tom plans", "scarcely see", "going blind", pair.reason, pair.principle):
        assert hidden not in text


def test_a_rule_under_which_the_label_is_missed_is_told_so_and_written_again() -> None:
    weak = json.dumps({**RULE, "name": "Weak Rule", "definition": "The answer is a nice one."})
    teacher = Teacher([weak, json.dumps(RULE)], verdict="needs_rule")
    induced = _induce(teacher, [_pair(0)])
    assert induced.proposed.candidates[0].attempts == 2
    assert induced.proposed.refused == {"evaluate.other_reply": 1}
    again = [r for r in teacher.requests if "cannot be used" in r.messages[-1].content]
    assert again[0].messages[-2].content == weak
    assert "chose the other reply" in again[0].messages[-1].content
    stubborn = Teacher([weak, weak], verdict="needs_rule")
    with pytest.raises(VerdictError, match=r"1 evaluate\.other_reply"):
        _induce(stubborn, [_pair(0)])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("A fine rule would be to be witty.", "not_json"),
        ('{"name": "Half', "not_json"),
        ("[" * 100_000, "not_json"),
        ("[1]", "not_json"),
        (json.dumps({**RULE, "dimension": "Wit"}), "bad_shape"),
        (json.dumps({**RULE, "weight": 3}), "bad_shape"),
        (json.dumps({**RULE, "name": None}), "bad_shape"),
        (json.dumps({**RULE, "definition": " "}), "bad_shape"),
        (json.dumps({**RULE, "definition": "A\ud800 rule."}), "bad_shape"),
        (json.dumps({**RULE, "good": "Yes, sir.", "bad": "yes sir"}), "same_examples"),
        (json.dumps({**RULE, "definition": "word " * 100}), "too_long"),
        (json.dumps({**RULE, "definition": "1.2"}), "too_short"),
        (json.dumps({**RULE, "definition": "Say >>> ===cand_1=== is better."}), "markup"),
        (json.dumps({**RULE, "definition": "Always prefer cand_1 to all the others."}), "names_a_candidate"),
        (json.dumps({**RULE, "definition": "The first reply is the livelier."}), "names_a_candidate"),
        (json.dumps({**RULE, "definition": "Ann answers as Ann would."}), "names_the_scene"),
        (json.dumps({**RULE, "good": "stones walk, father, when they are not"}), "quotes_the_pair"),
        (json.dumps({**RULE, "good": "A short reply from another story that keeps the rule."}), "echoes_the_prompt"),
    ],
)
def test_an_answer_that_is_no_rule_is_refused_by_reason(answer: str, reason: str) -> None:
    pair = preference(GOOD, BAD, "cand_1")
    with pytest.raises(TeacherError) as refused:
        read_proposal(Reply(text=answer, finish_reason="stop"), pair, author="t")
    assert refused.value.reason == reason
    with pytest.raises(TeacherError) as cut:
        read_proposal(Reply(text=answer, finish_reason="length"), pair, author="t")
    assert cut.value.reason == "truncated"


def test_every_proposal_is_accounted_for() -> None:
    other = {**RULE, "name": "Keeps a Secret", "definition": "What must not be known is guarded by a harmless truth."}
    twin = {**RULE, "name": "Turns Questions", "definition": RULE["definition"]}
    answers = [json.dumps(a) for a in (RULE, other, RULE, twin)] + ["prose"]
    pairs = [*(_pair(i) for i in range(5)), _pair(6, "tie"), _pair(7)]
    induced = _induce(Teacher(answers), pairs, revisions=0)
    names = [p.name for p in induced.pack.principles]
    assert names in (["Keeps a Secret", "Turns Questions"], ["Keeps a Secret", "Turns the Question"])
    assert count(induced.rejects) == {
        "propose.labelled_tie": 1,
        "propose.no_reply": 1,
        "propose.not_json": 1,
        "select.adds_little": 1,
        "select.same_name": 1,
    }
    assert len(induced.rejects) + len(induced.pack.principles) == len(pairs)
    assert any(f"nearest to {names[1]}" in r.detail for r in induced.rejects)


def test_what_cannot_be_embedded_is_a_reject_and_never_a_zero_vector() -> None:
    class Blind(NgramEmbedder):
        async def embed(self, texts: Sequence[str]) -> list[Embedded | Unembedded]:
            found = await super().embed(texts)
            return [
                Unembedded(reason="too_long") if t.startswith("Turns") else v for t, v in zip(texts, found, strict=True)
            ]

    rules = [load_pack().principles[0], load_pack().principles[0].model_copy(update={"name": "Turns"})]
    placed = asyncio.run(place(Blind(), rules))
    assert placed.indices == (0,)
    assert placed.unplaced == ((1, "too_long"),)
    assert asyncio.run(NgramEmbedder().embed(["", "…"])) == [Unembedded(reason="empty")] * 2


def test_killed_and_run_again_nothing_is_paid_twice(tmp_path: Path) -> None:
    pairs = [_pair(i) for i in range(4)]
    rules = [
        "It bends what was asked to other ends.",
        "Guarded truths hide more than any lies do.",
        "Few words serve many aims at once.",
        "A refusal opens another door.",
    ]
    answers = [json.dumps({**RULE, "name": f"Rule {n}", "definition": rule}) for n, rule in enumerate(rules)]

    class Dies(Teacher):
        async def reply(self, request: Request) -> Reply:
            if len(self.requests) == 7:
                raise KeyboardInterrupt
            return await super().reply(request)

    def run(teacher: ScriptedModel) -> Induced:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            return _induce(LedgerModel(teacher, ledger, stage="induce"), pairs)  # type: ignore[arg-type]

    killed = Dies(answers)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    left = Teacher(killed.proposals)
    whole = run(left)
    alone = Teacher(answers)
    assert len(killed.requests) + len(left.requests) == len(set(map(str, alone_requests(alone, pairs))))
    assert whole.pack == _induce(Teacher(answers), pairs).pack
    idle = Teacher([])
    assert run(idle).pack == whole.pack
    assert idle.requests == []


def alone_requests(teacher: Teacher, pairs: Sequence[Preference]) -> list[Request]:
    _induce(teacher, pairs)
    return teacher.requests


def test_spread_takes_scenes_in_turn_and_is_seeded() -> None:
    pairs = [_pair(i) for i in range(8)]
    few = spread(pairs, 4, seed=1)
    assert len({p.comparison.scene.id for p in few}) == 4
    assert few == spread(pairs, 4, seed=1) != spread(pairs, 4, seed=2)
    assert sorted(p.comparison.id for p in spread(pairs, 99, seed=1)) == [f"p{i}" for i in range(8)]
