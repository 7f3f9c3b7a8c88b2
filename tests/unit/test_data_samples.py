"""Samples, prompts, judge samples and splits: pure, exact, and nothing of one scene in two splits."""

import pytest
from pydantic import ValidationError

from her.data import JudgeSample, Splitter, judge_samples, rl_prompts, sft_samples, split_of
from her.renderers import chat, read_strict, read_verdict, render_turn
from her.schema import (
    ENVIRONMENT,
    Character,
    Comparison,
    Decided,
    Dialogue,
    Part,
    Preference,
    Principle,
    Provenance,
    Scene,
    Turn,
)


def scene(number: int = 1) -> Scene:
    cast = (Character(name="Mara", profile="Keeper."), Character(name="Tobin", profile="Ferryman."))
    return Scene(id=f"s{number}", book_id="lantern", chapter=number, scenario="Dusk.", characters=cast)


def dialogue(number: int = 1, provenance: Provenance = "gold") -> Dialogue:
    def turn(i: int, speaker: str, plan: str | None, *kinds: str) -> Turn:
        return Turn(id=f"t{i}", speaker=speaker, system_thinking=plan,
                    parts=tuple(Part(kind=k, text=f"{k} {i}") for k in kinds))  # fmt: skip

    return Dialogue(
        id=f"{provenance}-{number}",
        scene=scene(number),
        provenance=provenance,
        turns=(
            turn(1, ENVIRONMENT, None, "action"),
            turn(2, "Mara", "plan 2", "thought", "speech"),
            turn(3, "Tobin", None, "action", "speech"),
            turn(4, "Mara", "plan 4", "speech"),
        ),
    )


ALL_TRAIN = Splitter(seed=0, valid=0, test=0)


def test_one_sample_per_target_turn_with_its_own_history() -> None:
    source = dialogue()
    samples = sft_samples([source], history_policy="drop_own_system", system_thinking=True, splits=ALL_TRAIN)
    assert [s.turn_id for s in samples] == ["t2", "t4"]
    for s in samples:
        assert read_strict(s.target, speaker=s.character, turn_id=s.turn_id) == source.turn(s.turn_id)
        assert s.messages == chat(
            source.scene, source.before(s.turn_id), s.character, history_policy="drop_own_system", system_thinking=True
        )
        assert s.target not in "".join(m.content for m in s.messages)
        assert "plan" not in "".join(m.content for m in s.messages[1:])
    without = sft_samples([source], history_policy="drop_own_system", system_thinking=False, splits=ALL_TRAIN)
    assert [s.turn_id for s in without] == ["t2", "t3", "t4"]
    assert not any("system_thinking" in s.target for s in without)


def test_prompts_carry_the_records() -> None:
    source = dialogue()
    prompts = rl_prompts([source], history_policy="drop_own_system", system_thinking=True, splits=ALL_TRAIN)
    assert [(p.turn_id, p.reference) for p in prompts] == [(t.id, t) for t in source.turns[1:]]
    for p in prompts:
        assert p.history == source.before(p.turn_id)
        assert p.system_thinking
        assert render_turn(p.reference) not in "".join(m.content for m in p.messages)


def test_gold_and_teacher_of_a_chapter_share_a_split() -> None:
    splits = Splitter(seed=3, valid=0.2, test=0.3)
    for number in range(1, 40):
        assert splits(dialogue(number, "gold")) == splits(dialogue(number, "teacher"))
    assert {splits(dialogue(n)) for n in range(1, 40)} == {"train", "valid", "test"}


def test_a_split_is_a_function_of_group_and_seed() -> None:
    drawn = [split_of(f"g{i}", seed=1, valid=0.1, test=0.2) for i in range(4000)]
    assert drawn == [split_of(f"g{i}", seed=1, valid=0.1, test=0.2) for i in range(4000)]
    assert drawn != [split_of(f"g{i}", seed=2, valid=0.1, test=0.2) for i in range(4000)]
    assert abs(drawn.count("test") / 4000 - 0.2) < 0.03
    assert abs(drawn.count("valid") / 4000 - 0.1) < 0.03


def test_named_groups_come_first() -> None:
    splits = Splitter(seed=0, valid=0, test=0, test_groups=("lantern:2",), valid_groups=("lantern:3",))
    assert [splits(dialogue(n)) for n in (1, 2, 3)] == ["train", "test", "valid"]
    by_talk = Splitter(seed=0, valid=0, test=0, by="conversation", test_groups=("gold-1",))
    assert [by_talk(dialogue(1)), by_talk(dialogue(1, "teacher"))] == ["test", "train"]
    with pytest.raises(ValidationError):
        Splitter(seed=0, valid=0.6, test=0.6)
    with pytest.raises(ValidationError):
        Splitter(seed=0, valid=0, test=0, valid_groups=("a",), test_groups=("a",))


def test_a_preference_is_asked_in_both_orders_in_one_split() -> None:
    source = dialogue()
    comparison = Comparison(
        id="c1", scene=source.scene, history=source.turns[:1], character="Mara",
        cand_1=source.turns[1], cand_2=source.turns[3],
    )  # fmt: skip
    preference = Preference(comparison=comparison, winner="cand_1", principle="Own voice", reason="r", labeller="gold")
    principle = Principle(name="Own voice", dimension="d", polarity="positive", level="sentence", definition="x",
                          good="g", bad="b", author="a")  # fmt: skip
    splits = Splitter(seed=0, valid=0, test=0, test_groups=("lantern:1",))
    first, second = judge_samples([preference], [principle], role_thinking=True, findings=True, splits=splits)
    assert (first.id, second.id, first.split, second.split) == ("c1:12", "c1:21", "test", "test")
    verdict = read_verdict(first.target)
    assert isinstance(verdict, Decided)
    assert verdict.winner == "cand_1"
    assert read_verdict(second.target) == verdict.swap()
    assert first.messages != second.messages
    assert "plan" not in "".join(m.content for m in (*first.messages, *second.messages))
    assert JudgeSample.model_validate_json(first.model_dump_json()) == first
