"""Pairs in and out of other formats, dealt for training, labelled twice; nothing is dropped in silence."""

import json
from pathlib import Path

import pytest
from reward_cases import SCENE, preference, turn

from her.data.imports import Refusal
from her.data.pairs import Balance, agreement, balance, export_pairs, import_pairs, labels
from her.data.pairs.balance import shape_of
from her.data.pairs.exports import PairExport
from her.data.pairs.imports import PairFormat
from her.errors import InputError
from her.schema import Preference, PrincipleFinding, Scene, Winner
from her.store import read_jsonl

GOOD, BAD = turn("Stones walk, father.", thought="Let him count"), turn("As an AI I cannot say.", action="beams")


def put(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in rows), encoding="utf-8")
    return path


def imported(path: Path, format: PairFormat) -> tuple[list[Preference], dict[str, int], list[Refusal]]:
    out = path.parent / "in" / "pairs.jsonl"
    made = import_pairs(path, format=format, out=out)
    pairs, refusals = read_jsonl(out, Preference), read_jsonl(out.with_suffix(".refused.jsonl"), Refusal)
    assert len(pairs) == made.pairs
    assert len(refusals) == sum(made.refused.values())
    return pairs, made.refused, refusals


def better(pair: Preference) -> str:
    return (pair.comparison.cand_1 if pair.winner == "cand_1" else pair.comparison.cand_2).speech()


def worse(pair: Preference) -> str:
    return (pair.comparison.cand_2 if pair.winner == "cand_1" else pair.comparison.cand_1).speech()


def many(n: int) -> list[Preference]:
    return [preference(GOOD, turn(f"Reply {i}."), "cand_1", id=f"c{i}") for i in range(n)]


@pytest.mark.parametrize("format", ["trl", "rewardbench"])
def test_what_is_exported_comes_back_with_the_same_sides(tmp_path: Path, format: PairExport) -> None:
    pairs = [*many(12), preference(GOOD, BAD, "tie", id="even")]
    made = export_pairs(pairs, format=format, out=tmp_path / "out.jsonl")
    assert (made.rows, made.left) == (12, {"tie": 1})
    again, refused, _ = imported(tmp_path / "out.jsonl", format)
    assert not refused
    assert [(p.comparison.id, better(p), worse(p)) for p in again] == [
        (p.comparison.id, better(p), worse(p)) for p in pairs[:12]
    ]
    assert 1 < sum(p.winner == "cand_1" for p in again) < 11, "the better side stands in both places"
    assert {p.labeller for p in again} == {"imported"}
    if format == "trl":
        first = again[0].comparison
        assert (first.character, first.scene.scenario) == ("Ann", SCENE.scenario)
        assert first.scene.character("Ann").background == SCENE.character("Ann").background
        assert [t.speaker for t in first.history] == ["Tom"]
        assert better(again[0]) == "Stones walk, father."
        row = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
        assert "scarcely see the figures" not in json.dumps(row["prompt"]), "Tom's thought is his own"


def test_her_s_judge_data_keep_ties_and_come_back_whole(tmp_path: Path) -> None:
    pairs = [preference(GOOD, BAD, winner, id=winner) for winner in ("cand_1", "cand_2", "tie")]
    made = export_pairs(pairs, format="her-rm", out=tmp_path / "rm.parquet")
    assert (made.rows, made.left) == (3, {})
    again, refused, _ = imported(tmp_path / "rm.parquet", "her-rm")
    assert again == pairs
    assert not refused


def test_a_row_of_the_released_kind_is_read_by_its_label(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Tom: Where is the stone?"}]
    sides = {"candidate_1": "Ann: It walked.", "candidate_2": "Ann: I don't know."}
    row = {
        "prompt": [{"role": "user", "content": "judge these"}],
        "reward_model": {"answer": "cand_2", "problem": "", "solution": "cand_2", "style": "rule"},
        "extra_info": {"trace_id": "t7", "raw_record": {"messages": said, **sides}},
    }
    unlabelled = {**row, "reward_model": {"answer": "cand_3"}}
    path = put(tmp_path / "rm.jsonl", row, unlabelled, {**row, "extra_info": {"trace_id": "t8"}})
    (pair,), refused, _ = imported(path, "her-rm")
    assert (pair.comparison.id, pair.winner, pair.comparison.character) == ("t7", "cand_2", "Ann")
    assert pair.comparison.cand_2.speech() == "I don't know."
    assert refused == {"missing_side": 1, "no_label": 1}


def test_every_spelling_of_chosen_and_rejected(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "Hello."}]
    path = put(
        tmp_path / "p.jsonl",
        {"id": "text", "prompt": "Hello.", "chosen": "Good day.", "rejected": "What?"},
        {
            "id": "messages",
            "prompt": asked,
            "chosen": [{"role": "assistant", "content": "Good day."}],
            "rejected": [{"role": "assistant", "content": "What?"}],
        },
        {
            "id": "implicit",
            "chosen": [*asked, {"role": "assistant", "content": "Good day."}],
            "rejected": [*asked, {"role": "assistant", "content": "What?"}],
        },
        {"id": "three", "prompt": "Hello.", "chosen": ["Good day."], "rejected": ["What?", "No.", "Why?"]},
    )
    pairs, refused, _ = imported(path, "trl")
    assert not refused
    assert [p.comparison.id for p in pairs] == ["text", "messages", "implicit", "three.0.0", "three.0.1", "three.0.2"]
    assert {better(p) for p in pairs} == {"Good day."}
    assert len({p.comparison.scene.id for p in pairs}) == 1, "one conversation, however it is written"


def test_bad_rows_are_counted_by_reason_with_their_line(tmp_path: Path) -> None:
    whole = {"prompt": "Hello.", "chosen": "Good day.", "rejected": "What?"}
    path = put(
        tmp_path / "p.jsonl",
        {**whole, "id": "fine"},
        {**whole, "id": "fine"},
        {"id": "a", "prompt": "Hello.", "chosen": "Good day."},
        {"id": "b", "prompt": "Hello.", "chosen": "Good day.", "rejected": "   "},
        {**whole, "id": "c", "rejected": "Good day."},
        {**whole, "id": "d", "rejected": "<system_thinking>other plan</system_thinking>Good day."},
        {**whole, "id": "e", "rejected": "x" * 100_000},
        '{"id": "f", "prompt": "Hello.", "chosen": "Good day.", "rejected": "\\ud800"}',
        {**whole, "id": "g", "prompt": 7},
        {**whole, "id": "h", "prompt": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hm"}]},
        {**whole, "id": "i", "prompt": [{"role": "wizard", "content": "Hi."}]},
        "{half",
        "[]",
    )
    (pair,), refused, refusals = imported(path, "trl")
    assert pair.comparison.id == "fine"
    assert refused == {
        "bad_text": 1,
        "duplicate_id": 1,
        "ends_with_reply": 1,
        "equal_sides": 2,
        "missing_side": 3,
        "no_prompt": 1,
        "not_json": 1,
        "too_long": 1,
        "unknown_role": 1,
    }
    assert [r.line for r in refusals] == list(range(2, 14))
    with pytest.raises(InputError, match="missing_side 1"):
        import_pairs(put(tmp_path / "none.jsonl", {"chosen": "x"}), format="trl", out=tmp_path / "none" / "o.jsonl")
    assert not (tmp_path / "none").exists() or not list((tmp_path / "none").iterdir())


def test_swipes_and_edits_of_a_chat(tmp_path: Path) -> None:
    def mara(mes: str, **more: object) -> dict[str, object]:
        return {"name": "Mara", "is_user": False, "mes": mes, **more}

    def user(mes: str) -> dict[str, object]:
        return {"name": "Finn", "is_user": True, "mes": mes}

    path = put(
        tmp_path / "Mara - 2026-11-24.jsonl",
        {"user_name": "Finn", "character_name": "Mara", "chat_metadata": {}},
        mara("You're late."),
        user("The boat was slow."),
        mara("*shrugs* Boats are.", swipes=["Hello!", "*shrugs* Boats are.", ""], swipe_id=1),
        user("May I sit?"),
        mara("That chair's dry.", swipes=["That chair is dry, dear.", "Sit anywhere!"], swipe_id=0),
        user("Thank you."),
        {"name": "Odo", "is_user": False, "mes": "Hm.", "swipes": ["Hm.", "Ha."], "swipe_id": 0},
        {"name": "note", "is_system": True, "mes": "ignored", "swipes": ["a", "b"]},
        mara("Good.", swipes=["Good.", "Bad."], swipe_id=0),
    )
    pairs, refused, refusals = imported(path, "sillytavern")
    found = {p.comparison.id.rpartition("-")[2][8:]: p for p in pairs}
    assert sorted((better(p), worse(p), p.principle) for p in found.values()) == [
        ("*shrugs* Boats are.", "Hello!", "(swiped)"),
        ("That chair's dry.", "Sit anywhere!", "(swiped)"),
        ("That chair's dry.", "That chair is dry, dear.", "(edited)"),
    ]
    assert refused == {"another_character": 1, "missing_side": 1, "not_yet_chosen": 1}
    assert {p.labeller for p in pairs} == {"human"}
    assert {p.comparison.character for p in pairs} == {"Mara"}
    edited = next(p for p in pairs if p.principle == "(edited)")
    assert [t.speaker for t in edited.comparison.history] == ["Mara", "Finn", "Mara", "Finn"]
    assert edited.comparison.history[2].speech() == "*shrugs* Boats are.", "what stayed is what was answered"
    assert len({p.comparison.scene.id for p in pairs}) == 1
    assert {r.line for r in refusals} == {4, 8, 10}


def finding(*winners: Winner) -> tuple[PrincipleFinding, ...]:
    return tuple(PrincipleFinding(principle=f"p{i}", winner=w) for i, w in enumerate(winners))


def test_shapes() -> None:
    assert shape_of(finding("cand_1", "cand_2", "tie")) == "mixed"
    assert shape_of(finding("cand_2", "tie", "cand_2")) == "one_sided"
    assert shape_of(finding("tie")) is None
    assert shape_of(()) is None


def test_balance_evens_shapes_and_orders_and_never_splits_a_conversation() -> None:
    pairs, findings = [], {}
    for i in range(240):
        scene = Scene.model_validate({**SCENE.model_dump(), "id": f"talk{i % 40}"})
        pairs.append(preference(GOOD, turn(f"Reply {i}."), "cand_1", id=f"c{i}", scene=scene))
        findings[f"c{i}"] = finding("cand_1", "cand_2") if i % 3 == 0 else finding("cand_1")
    pairs += [
        preference(GOOD, BAD, "tie", id="even"),
        preference(GOOD, GOOD, "cand_1", id="twin"),
        preference(GOOD, BAD, "cand_1", id="mute"),
        pairs[0],
    ]
    rule = Balance(seed=3, valid=0.2, test=0.2, shapes=True)
    dealt, account = balance(pairs, findings, rule)
    assert set(dealt) == {"train", "valid", "test"}
    for split, found in dealt.items():
        mixed = sum(len(findings[p.comparison.id]) == 2 for p in found)
        assert mixed * 2 == len(found) == sum(account.kept[split].values())
        for size in (2, 1):
            first = [p.winner == "cand_1" for p in found if len(findings[p.comparison.id]) == size]
            assert sum(first) * 2 == len(first), "each shape is won from each place equally often"
        assert all(better(p) == "Stones walk, father." for p in found), "a swap keeps who is better"
    talks = [{p.comparison.scene.id for p in found} for found in dealt.values()]
    assert sum(map(len, talks)) == len(set().union(*talks))
    kept = sum(map(len, dealt.values()))
    assert kept + sum(account.left.values()) == len(pairs), "every pair is kept or counted"
    assert {k: account.left[k] for k in ("tie", "equal_sides", "no_findings", "duplicate_id")} == dict.fromkeys(
        ("tie", "equal_sides", "no_findings", "duplicate_id"), 1
    )
    assert balance(pairs, findings, rule) == (dealt, account)
    everything, _ = balance(pairs, {}, Balance(seed=3, valid=0.2, test=0.2, shapes=False))
    assert sum(map(len, everything.values())) == 241
    with pytest.raises(InputError, match="no_findings"):
        balance(pairs[:3], {}, rule)


def test_agreement_by_hand() -> None:
    """Of ten, eight the same. First: 6 and 4; second: 6 and 4. Chance .6*.6 + .4*.4 = .52; kappa .28/.48."""
    first: dict[str, Winner] = {f"c{i}": "cand_1" if i < 6 else "cand_2" for i in range(10)}
    second: dict[str, Winner] = {**first, "c0": "cand_2", "c9": "cand_1", "other": "tie"}
    found = agreement(first, second)
    assert (found.n, found.raw.value, found.differ, found.only_one) == (10, 0.8, ("c0", "c9"), 1)
    assert found.kappa == pytest.approx(0.28 / 0.48)
    same: dict[str, Winner] = {"a": "cand_1"}
    assert agreement(same, same).kappa is None
    with pytest.raises(InputError):
        agreement(first, {})


def test_labels_of_a_file_that_turned_its_pairs() -> None:
    pair = preference(GOOD, BAD, "cand_1", id="c")
    assert labels([pair], [pair.swap()]) == ({"c": "cand_1"}, {"c": "cand_1"})
    with pytest.raises(InputError, match="other replies"):
        labels([pair], [preference(turn("x"), turn("y"), "cand_1", id="c")])
