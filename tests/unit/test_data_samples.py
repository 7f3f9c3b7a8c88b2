"""Samples, prompts, judge samples and splits: pure, exact, and nothing of one scene in two splits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from her.data import JudgeSample, Left, Place, SampleRule, Splitter, judge_samples, places, prompt, sample, split_of
from her.renderers import chat, read_strict, read_verdict, render_turn
from her.renderers.tokens import count
from her.schema import (
    ENVIRONMENT,
    Character,
    Comparison,
    Decided,
    Dialogue,
    Flag,
    Part,
    Preference,
    Principle,
    Provenance,
    RLPrompt,
    Scene,
    SFTSample,
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


PLAIN = SampleRule(system_thinking=False)


def samples_of(source: Dialogue, rule: SampleRule) -> tuple[list[SFTSample], list[Left]]:
    found = [sample(place, rule, split="train") for place in places(source)]
    return [s for s in found if isinstance(s, SFTSample)], [s for s in found if isinstance(s, Left)]


def test_one_sample_per_target_turn_with_its_own_history() -> None:
    source = dialogue()
    samples, left = samples_of(source, SampleRule())
    assert [s.turn_id for s in samples] == ["t2", "t4"]
    assert [(r.id, r.reason) for r in left] == [("gold-1:t3", "no_system_thinking")]
    for s in samples:
        assert read_strict(s.target, speaker=s.character, turn_id=s.turn_id) == source.turn(s.turn_id)
        assert s.messages == chat(
            source.scene, source.before(s.turn_id), s.character, history_policy="drop_own_system", system_thinking=True
        )
        assert s.target not in "".join(m.content for m in s.messages)
        assert "plan" not in "".join(m.content for m in s.messages[1:])
    without, left = samples_of(source, PLAIN)
    assert [s.turn_id for s in without] == ["t2", "t3", "t4"]
    assert not left
    assert not any("system_thinking" in s.target for s in without)


def test_prompts_carry_the_records() -> None:
    source = dialogue()
    prompts = [prompt(place, SampleRule(), split="train") for place in places(source)]
    assert all(isinstance(p, RLPrompt) for p in prompts)
    for p, turn in zip(prompts, source.turns[1:], strict=True):
        assert isinstance(p, RLPrompt)
        assert (p.turn_id, p.reference, p.history) == (turn.id, turn, source.before(turn.id))
        assert p.system_thinking
        assert render_turn(p.reference) not in "".join(m.content for m in p.messages)


def test_an_account_of_one_character_has_its_turns_alone_for_targets() -> None:
    source = dialogue()
    mine = Dialogue.model_validate({**source.model_dump(), "perspective": "Tobin"})
    assert [p.turn.speaker for p in places(mine)] == ["Tobin"]
    with pytest.raises(ValidationError, match="not in the scene"):
        Dialogue.model_validate({**source.model_dump(), "perspective": "Nobody"})


def doubtful(where: str, *, turn: int | None, provenance: Provenance = "gold") -> Dialogue:
    """The dialogue with one flag: on the card, or on the turn at an index."""
    source = dialogue(provenance=provenance)
    flag = Flag(kind="odd", where=where, detail="x")
    if turn is None:
        return source.model_copy(update={"scene": source.scene.model_copy(update={"flags": (flag,)})})
    turns = list(source.turns)
    turns[turn] = turns[turn].model_copy(update={"flags": (flag,)})
    return source.model_copy(update={"turns": tuple(turns)})


@pytest.mark.parametrize(
    ("where", "turn", "shown"),
    [
        ("scenario", None, {"t2", "t3", "t4"}),
        ("Mara.background", None, {"t2", "t4"}),
        ("Mara.profile", None, {"t2", "t3", "t4"}),
        ("action", 0, {"t2", "t3", "t4"}),
        ("speech", 2, {"t3", "t4"}),
        ("thought", 1, {"t2", "t4"}),
        ("system_thinking", 3, set()),
        ("somewhere else", 2, {"t3", "t4"}),
    ],
)
def test_a_sample_carries_the_doubts_about_what_it_shows(where: str, turn: int | None, shown: set[str]) -> None:
    samples, _ = samples_of(doubtful(where, turn=turn), PLAIN)
    assert {s.turn_id for s in samples if s.flags == ("odd",)} == shown
    kept, left = samples_of(doubtful(where, turn=turn), SampleRule(system_thinking=False, flags="drop"))
    assert {r.id.split(":")[1] for r in left if r.reason == "flagged"} == shown
    assert not any(s.flags for s in kept)


def test_a_plan_s_doubt_is_shown_where_the_plan_is() -> None:
    source = doubtful("system_thinking", turn=1)
    assert [s.flags for s in samples_of(source, SampleRule())[0]] == [("odd",), ()]
    keeps = SampleRule(history_policy="keep_own_system")
    assert [s.flags for s in samples_of(source, keeps)[0]] == [("odd",), ("odd",)]


@pytest.mark.parametrize(
    ("provenance", "kept"), [("gold", True), ("human", True), ("teacher", False), ("imported", False)]
)
def test_by_default_doubts_are_kept_where_people_wrote(provenance: Provenance, kept: bool) -> None:
    samples, left = samples_of(doubtful("scenario", turn=None, provenance=provenance), PLAIN)
    assert bool(samples) is kept
    assert bool(left) is not kept


def test_what_reads_as_markup_is_refused_with_its_reason() -> None:
    source = dialogue()
    bad = source.turns[0].model_copy(update={"parts": (Part(kind="speech", text="a <role_thinking> b"),)})
    samples, left = samples_of(source.model_copy(update={"turns": (bad, *source.turns[1:])}), PLAIN)
    assert not samples
    assert {r.reason for r in left} == {"unwritable"}


class Letters:
    """A tokenizer with a token for each character and a marker for each message."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [ord(c) for c in text]

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(i) for i in ids)

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: object) -> str:
        text = "".join(f"[{m['role']}]{m['content']}\u0004" for m in conversation)
        return text + "[assistant]" if options["add_generation_prompt"] else text


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 30), st.integers(0, 400))
def test_a_long_history_loses_its_oldest_turns_and_nothing_else(length: int, spare: int) -> None:
    names = ("Mara", "Tobin", "Tobin", ENVIRONMENT)
    turns = [
        Turn(id=f"t{i}", speaker=names[i % 4], parts=(Part(kind="speech", text=f"line {i}" + "x" * (i % 7)),))
        for i in range(length)
    ]
    target = Turn(id="last", speaker="Mara", parts=(Part(kind="speech", text="the end"),))
    source = Dialogue(id="d", scene=scene(), turns=(*turns, target), provenance="gold")
    place = list(places(source))[-1]
    bare = sample(Place(dialogue=source.model_copy(update={"turns": (target,)}), index=0), PLAIN, split="train")
    assert isinstance(bare, SFTSample)
    most = count(bare, Letters()) + spare
    found = sample(place, PLAIN.model_copy(update={"max_tokens": most}), split="train", tokenizer=Letters())
    assert isinstance(found, SFTSample)
    assert count(found, Letters()) <= most
    assert (found.messages[0], found.target) == (bare.messages[0], "Mara: the end")
    assert [m.role for m in found.messages] == [
        "system",
        *["user", "assistant"] * ((len(found.messages) - 2) // 2),
        "user",
    ]

    def begins_at(first: int) -> tuple:
        return chat(scene(), turns[first:], "Mara", history_policy="drop_own_system", system_thinking=False)

    first = next(k for k in range(length + 1) if begins_at(k) == found.messages)
    if first:
        longer = found.model_copy(update={"messages": begins_at(first - 1)})
        assert count(longer, Letters()) > most
    short = PLAIN.model_copy(update={"max_tokens": most - spare - 1})
    lost = sample(place, short, split="train", tokenizer=Letters())
    assert isinstance(lost, Left)
    assert lost.reason == "too_long"


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
