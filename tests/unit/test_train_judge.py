"""Training a judge by its verdicts: both orders must be right, form must hold, guessing is seen, a stop is no loss."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_lessons import COUPLED, pairs
from tiny_policy import make_policy

from her.errors import TrainError
from her.renderers.rules import WrittenRule, render_coupled
from her.reward.lessons import Question, questions
from her.reward.pack import load_pack
from her.schema import Decided, PrincipleFinding, Winner
from her.train import TrainStep
from her.train.judge_bridge import JudgeBridge, JudgeRollout, fault_of, rewards, step_of
from her.train.judge_guard import JudgeGuardConfig, JudgeHealth, judge_alarms, judge_collapse
from her.train.judge_rl import JudgeRLConfig, JudgeRLResult, train_judge_rl

CONFIG = JudgeRLConfig(
    steps=4,
    pairs_per_step=1,
    group_size=2,
    max_completion_tokens=8,
    max_prompt_tokens=2000,
    learning_rate=1e-3,
    rank=4,
    alpha=8,
    save_every=2,
)
QUESTIONS = questions(pairs(), COUPLED, load_pack(), listed={})
RULE = WrittenRule(name="Dry Wit", polarity="positive", definition="The reply keeps her dry tone.")


def _answer(winner: Winner, *, found: Winner | None = None) -> str:
    finding = PrincipleFinding(principle=RULE.name, winner=found or winner)
    return render_coupled(Decided(winner=winner, findings=(finding,)), [RULE])


Mark = tuple[str | None, bool]
marks = st.lists(st.sampled_from([(None, True), (None, False), ("no_json", False)]), min_size=1, max_size=6)


@settings(deadline=None, derandomize=True)
@given(marks, marks)
def test_a_reward_needs_both_orders(
    first: list[tuple[str | None, bool]], second: list[tuple[str | None, bool]]
) -> None:
    a, b = rewards(first, second, malformed=-0.5)
    assert rewards(second, first, malformed=-0.5) == (b, a)
    assert all(r == -0.5 for r, (fault, _) in zip(a, first, strict=True) if fault)
    assert all(r == 0 for r, (fault, right) in zip(a, first, strict=True) if not fault and not right)
    pairwise = sum(x and y for _, x in first for _, y in second) / (len(first) * len(second))
    earned = [r for r, (fault, _) in zip(a, first, strict=True) if not fault]
    assert sum(earned) / len(first) == pytest.approx(pairwise)


def test_a_habit_of_position_earns_nothing() -> None:
    assert rewards([(None, True)] * 4, [(None, False)] * 4, malformed=-0.5) == ([0.0] * 4, [0.0] * 4)


def test_what_does_not_count() -> None:
    question = QUESTIONS[0]
    listed = question.model_copy(update={"nameable": ("Subtext",)})
    one = PrincipleFinding(principle="Dry Wit", winner="cand_1")

    def fault(decided: Decided, asked: Question = question) -> str | None:
        return fault_of(decided, asked, finish="stop")

    assert fault(Decided(winner="cand_1", findings=(one,))) is None
    assert fault(Decided(winner="cand_1")) == "no_findings"
    assert fault(Decided(winner="cand_2", findings=(one,))) == "contradictory"
    assert fault(Decided(winner="cand_1", findings=(one, one))) == "repeated_rule"
    assert fault(Decided(winner="cand_1", findings=(one,)), listed) == "foreign_rule"
    assert fault_of(Decided(winner="cand_1", findings=(one,)), question, finish="length") == "truncated"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_policy(tmp_path_factory.mktemp("tiny") / "base")


def _bridge(base: Path, folder: Path) -> JudgeBridge:
    from her.train.engine import load_tokenizer
    from her.train.judge_bridge import fitting

    tokenizer = load_tokenizer(base)
    ordered = [order for pair in fitting(QUESTIONS, tokenizer, most=2000) for order in pair]
    return JudgeBridge(ordered, tokenizer, brief=COUPLED, size=2, malformed=-0.5, rollouts=folder / "rollouts.jsonl")


def test_the_bridge_reads_and_counts(base: Path, tmp_path: Path) -> None:
    bridge = _bridge(base, tmp_path)
    assert [q.winner for q, _ in bridge.ordered[:2]] == ["cand_2", "cand_1"]
    texts = [_answer("cand_2"), _answer("cand_1"), _answer("cand_1"), "cand_1 wins"]
    ids = [[*bridge.tokenizer.encode(t, add_special_tokens=False), 2] for t in texts]
    state = SimpleNamespace(global_step=0)
    values = bridge(completion_ids=ids, number=[0, 0, 1, 1], trainer_state=state)
    assert values == [0.5, 0.0, 0.5, -0.5]
    step = step_of(bridge, 1, 0.0, entropy=None, seconds=1.0)
    assert (step.verdicts, step.faults, step.right, step.both_right) == (4, {"no_json": 1}, 0.5, 0.25)
    assert (step.first, step.decided, step.mixed, step.findings) == (2, 3, 0, 1.0)
    lines = (tmp_path / "rollouts.jsonl").read_text().splitlines()
    kept = [JudgeRollout.model_validate_json(line) for line in lines]
    assert [k.question for k in kept] == ["c0:12", "c0:12", "c0:21", "c0:21"]
    assert kept[0].text == texts[0]
    for numbers in ([0, 1, 1, 0], [1, 1, 2, 2], [0, 0, 2, 2]):
        with pytest.raises(TrainError, match="both orders"):
            bridge(completion_ids=ids, number=numbers, trainer_state=state)


def test_orders_that_are_apart_are_refused(base: Path) -> None:
    from her.train.engine import load_tokenizer
    from her.train.judge_bridge import fitting

    with pytest.raises(TrainError, match="not followed by its other order"):
        fitting(QUESTIONS[1:5], load_tokenizer(base), most=2000)


def _curve(one: Callable[[int], dict[str, int]], steps: int = 10) -> list[JudgeHealth]:
    usual = {"verdicts": 8, "mixed": 6, "first": 4, "decided": 8}
    made = []
    for i in range(steps):
        numbers = {**usual, **(one(i) if i >= 5 else {})}
        faulty = numbers.pop("faulty", 0)
        made.append(JudgeHealth.model_validate({"step": i + 1, "faults": {"no_json": faulty}, **numbers}))
    return made


@pytest.mark.parametrize(
    ("change", "alarm"),
    [
        ({"mixed": 0}, "one_sided"),
        ({"faulty": 5}, "form"),
        ({"first": 8}, "place"),
        ({"first": 0}, "place"),
    ],
)
def test_the_guard_sees_a_judge_that_guesses(change: dict[str, int], alarm: str) -> None:
    config = JudgeGuardConfig()
    curve = _curve(lambda i: change)
    found = judge_collapse(curve, config)
    assert found is not None
    assert alarm in [a.name for a in found.alarms]
    assert found.since >= 6
    assert judge_collapse(_curve(lambda i: {}), config) is None
    assert judge_collapse(curve, config) == found


def test_a_judge_that_never_mixed_raises_no_alarm() -> None:
    curve = [h.model_copy(update={"mixed": 0}) for h in _curve(lambda i: {})]
    assert judge_alarms(curve, JudgeGuardConfig()) == ()


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[JudgeRLResult, Path]:
    out = tmp_path_factory.mktemp("whole")
    told: list[TrainStep] = []
    result = train_judge_rl(
        CONFIG, base=base, adapter=None, questions=QUESTIONS, brief=COUPLED, out=out, progress=told.append
    )
    assert [(t.stage, t.step) for t in told] == [("judge", i) for i in (1, 2, 3, 4)]
    assert {"reward", "both_right", "faulty", "alarms"} <= set(told[0].figures)
    return result, out


def test_every_step_asks_both_orders(whole: tuple[JudgeRLResult, Path]) -> None:
    result, out = whole
    rollouts = [JudgeRollout.model_validate_json(x) for x in (out / "rollouts.jsonl").read_text().splitlines()]
    assert [r.step for r in rollouts] == [s for s in (1, 2, 3, 4) for _ in range(4)]
    for i in range(0, 16, 4):
        one, two = {r.question for r in rollouts[i : i + 2]}, {r.question for r in rollouts[i + 2 : i + 4]}
        assert (one.pop()[-2:], two.pop()[-2:]) == ("12", "21")
    assert all(s.faults == {"truncated": 4} and s.reward == -0.5 and s.flat_groups == 2 for s in result.curve)
    assert (out / "adapter.gguf").is_file()


class _Stop(Exception):
    pass


def test_a_stopped_run_goes_on_to_the_same_verdicts(
    base: Path, whole: tuple[JudgeRLResult, Path], tmp_path: Path
) -> None:
    def stop(step: TrainStep) -> None:
        if step.step == 3:
            raise _Stop

    arguments = {"base": base, "adapter": None, "questions": QUESTIONS, "brief": COUPLED, "out": tmp_path}
    with pytest.raises(_Stop):
        train_judge_rl(CONFIG, **arguments, progress=stop)  # type: ignore[arg-type]
    result = train_judge_rl(CONFIG, **arguments)  # type: ignore[arg-type]
    assert result.resumed_from == 2
    assert (tmp_path / "rollouts.jsonl").read_text() == (whole[1] / "rollouts.jsonl").read_text()


def test_no_questions_or_none_that_fit(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no questions"):
        train_judge_rl(CONFIG, base=base, adapter=None, questions=(), brief=COUPLED, out=tmp_path)
    short = CONFIG.model_copy(update={"max_prompt_tokens": 9})
    with pytest.raises(TrainError, match="raise max_prompt_tokens"):
        train_judge_rl(short, base=base, adapter=None, questions=QUESTIONS, brief=COUPLED, out=tmp_path)
