"""Lessons: the pupil is shown no list, writes what the teacher read, and is asked as it was taught."""

import asyncio

import pytest
from judge_lessons import COUPLED, INDEPENDENT, lessons, pairs
from reward_cases import RuleJudge

from her.llm.scripted import ScriptedModel, ScriptedReply
from her.renderers.rules import read_coupled_rules, read_rules
from her.reward.asking import read_answer
from her.reward.brief import Brief
from her.reward.generative import GenerativeJudge
from her.reward.lessons import Lesson, Lessons, balanced, exercises, from_labels, from_teacher, questions
from her.reward.pack import load_pack
from her.schema import Comparison, Decided, PrincipleFinding, Unparsed, Verdict

PACK = load_pack()


def test_coupled_lessons_have_no_list_in_the_prompt_and_everything_in_the_answer() -> None:
    made = exercises(lessons(), COUPLED, PACK)
    assert [e.id for e in made] == [f"c{i}:{order}" for i in range(4) for order in ("12", "21")]
    for exercise, lesson in zip(made[::2], lessons(), strict=True):
        asked = " ".join(m.content for m in exercise.messages)
        assert not [p.name for p in PACK.principles if p.name in asked or p.definition in asked]
        verdict = read_answer(exercise.target, mode="coupled", most=1)
        assert verdict == lesson.decided
        assert read_coupled_rules(exercise.target, most=1) == lesson.rules
    swapped = read_answer(made[1].target, mode="coupled", most=1)
    assert isinstance(swapped, Decided)
    assert swapped.swap() == lessons()[0].decided


def test_independent_lessons_teach_the_rules_of_a_place_before_its_verdicts() -> None:
    made = exercises(lessons(), INDEPENDENT, PACK)
    assert [e.id for e in made[:5]] == ["c0:rules", "c0:12", "c0:21", "c1:12", "c1:21"]
    assert len(made) == 10
    rules = read_rules(made[0].target, most=2)
    assert not isinstance(rules, Unparsed)
    assert [r.name for r in rules] == ["Out of Era", "Own Voice"], "of both pairs at the place"
    assert not any("where stones go" in m.content for m in made[0].messages), "no candidate"
    for exercise in made[1:3]:
        assert all(r.definition in exercise.messages[0].content for r in rules)


@pytest.mark.parametrize("brief", [COUPLED, INDEPENDENT], ids=lambda b: b.mode)
def test_a_pupil_is_asked_as_it_was_taught(brief: Brief) -> None:
    taught = {m for e in exercises(lessons(), brief, PACK) for m in [e.messages]}
    answers = [e.target for e in exercises(lessons(), brief, PACK)]
    rules = ScriptedReply(match="===Rules===", text=answers[0])
    model = ScriptedModel([rules, answers[1]] if brief.mode == "independent" else [answers[0]])
    asyncio.run(GenerativeJudge(model, PACK, brief=brief).judge([p.comparison for p in pairs()]))
    assert {r.messages for r in model.requests} <= taught
    asked = questions(pairs(), brief, PACK, listed={x.preference.comparison.id: _at_place(x) for x in lessons()})
    assert {q.messages for q in asked} <= taught
    assert [q.winner for q in asked[:4]] == ["cand_2", "cand_1", "cand_1", "cand_2"]


def _at_place(lesson: Lesson) -> list:  # type: ignore[type-arg]
    scene = lesson.preference.comparison.scene.id
    return [r for x in lessons() if x.preference.comparison.scene.id == scene for r in x.rules]


def test_what_cannot_be_taught_is_counted() -> None:
    strange = pairs(2)[0].model_copy(update={"principle": "Nobody's Rule"})
    found = from_labels([strange, *pairs(2)], PACK)
    assert (len(found.lessons), found.rejected) == (2, {"unknown_principle": 1})


class _Teacher(RuleJudge):
    """Finds for both sides; does as told on each pair."""

    def __init__(self) -> None:
        super().__init__(lambda c: "tie")

    async def judge(self, comparisons: list[Comparison]) -> list[Verdict]:  # type: ignore[override]
        return [self._one(c) for c in comparisons]

    def _one(self, c: Comparison) -> Verdict:
        long = "cand_1" if "where stones go" in c.cand_1.parts[0].text else "cand_2"
        short = "cand_2" if long == "cand_1" else "cand_1"
        two = (
            PrincipleFinding(principle="Own Voice", winner=long),
            PrincipleFinding(principle="Subtext", winner=short),
        )
        made: dict[str, Verdict] = {
            "c0": Decided(winner=long, findings=two),
            "c1": Decided(winner=long, findings=two[:1]),
            "c2": Decided(winner=short, findings=two),
            "c3": Decided(winner="cand_1", findings=two),
            "c4": Unparsed(reason="no_json"),
            "c5": Decided(winner=long, findings=(PrincipleFinding(principle="Nobody's", winner=long),)),
            "c6": Decided(winner=long, findings=two[1:]),
            "c7": Decided(winner=long, findings=two[:1]),
        }  # fmt: skip
        return made[c.id]


def test_a_teacher_teaches_where_both_orders_come_to_the_label() -> None:
    found = asyncio.run(from_teacher(_Teacher(), pairs(8), PACK, most=3))
    assert [x.preference.comparison.id for x in found.lessons] == ["c0", "c1", "c7"]
    assert [len(x.rules) for x in found.lessons] == [2, 1, 1]
    assert found.rejected == {
        "teacher_disagrees": 1,
        "teacher_inconsistent": 1,
        "teacher_unread": 1,
        "no_findings": 1,
        "contradictory": 1,
    }
    even = balanced(found, seed=1)
    assert len(even.lessons) == 2
    assert even.lessons[0].preference.comparison.id == "c0"
    assert even.rejected["one_sided"] == 1
    assert balanced(found, seed=1) == even
    labels = Lessons(lessons=lessons(), rejected={})
    assert balanced(labels, seed=1) == labels, "labels alone are all one-sided"
