"""A build in other formats: rows, the way back, the same bytes twice, and a card whose numbers are the build's."""

import json
import re
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.data.account import BuildConfig, Built
from her.data.build import build
from her.data.exports import FORMATS, Format, export
from her.data.imports import import_dialogues
from her.data.purposes import read_shares
from her.data.samples import SampleRule
from her.errors import InputError
from her.schema import ENVIRONMENT, Character, Dialogue, Part, RLPrompt, Scene, SFTSample, Turn, Viewer, merge_parts
from her.store import read_jsonl, sha256_file, write_jsonl

ALL = "sft=0.4,judge_sft=0.2,policy_rl=0.2,valid=0.1,test=0.1"


def talk(number: int, *, book: str = "the-mill") -> Dialogue:
    cast = (
        Character(name="Mara", profile="Keeper.\nOld.", background="She lied.", motivation="To stay."),
        Character(name="Tobin", profile="Ferryman."),
    )
    ident = f"{book}.p{number}.c0"
    scene = Scene(id=ident, book_id=book, chapter=number + 1, scenario=f"Dusk {number}.", topic="Oars",
                  characters=cast, plot_id=f"{book}.p{number}")  # fmt: skip

    def turn(i: int, speaker: str, *parts: tuple[str, str]) -> Turn:
        plan = None if speaker == ENVIRONMENT else f"{speaker} should be {number} {i}."
        return Turn(id=f"t{i:03d}", speaker=speaker, system_thinking=plan,
                    parts=tuple(Part(kind=k, text=t) for k, t in parts))  # fmt: skip

    words = " ".join(f"{word}{number}" for word in ("so", "I", "did", "and", "will", "again"))
    return Dialogue(
        id=ident, scene=scene, provenance="imported",
        turns=(
            turn(0, ENVIRONMENT, ("speech", "Rain.")),
            turn(1, "Mara", ("thought", "Not him"), ("action", "sets down (softly) it"), ("speech", "Nine | <b>.")),
            turn(3, "Tobin", ("speech", "Mara: you said.\n\nYou did."), ("action", "nods")),
            turn(4, "Mara", ("speech", words)),
        ),
    )  # fmt: skip


def built(folder: Path, dialogues: list[Dialogue], *, shares: str = ALL, hold: list[Dialogue] | None = None) -> Built:
    write_jsonl(folder / "in.jsonl", dialogues)
    if hold:
        write_jsonl(folder / "hold.jsonl", hold)
    config = BuildConfig(rule=SampleRule(flags="keep"), shares=read_shares(shares))
    return build(
        [folder / "in.jsonl"], out=folder / "b", config=config, hold_outs=[folder / "hold.jsonl"] if hold else []
    )


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_build_gives_the_same_bytes(tmp_path: Path, format: Format) -> None:
    for name in ("one", "two"):
        built(tmp_path / name, [talk(k) for k in range(12)])
        export(tmp_path / name / "b", format=format, out=tmp_path / name / "x")
        export(tmp_path / name / "b", format=format, out=tmp_path / name / "x")
    assert sha256_file(tmp_path / "one" / "x") == sha256_file(tmp_path / "two" / "x")


def test_messages_and_sharegpt(tmp_path: Path) -> None:
    made = built(tmp_path, [talk(k) for k in range(12)])
    for format in ("messages", "sharegpt"):
        export(tmp_path / "b", format=format, out=tmp_path / format)
    for name, count in made.files.items():
        chats, shared = rows(tmp_path / "messages" / name), rows(tmp_path / "sharegpt" / name)
        assert len(chats) == len(shared) == count.kept
        kind: type[SFTSample] | type[RLPrompt] = SFTSample if "messages" in (chats or [{}])[0] else RLPrompt
        for record, chat, row in zip(read_jsonl(tmp_path / "b" / name, kind), chats, shared, strict=True):
            prompt = [(m.role, m.content) for m in record.messages]
            target = [("assistant", record.target)] if isinstance(record, SFTSample) else []
            told = chat["messages"] if target else chat["prompt"]
            assert [(m["role"], m["content"]) for m in told] == prompt + target
            assert [m["value"] for m in row["conversations"]] == [text for _, text in prompt + target]
            assert {m["from"] for m in row["conversations"]} <= {"system", "human", "gpt"}
            assert chat["id"] == row["id"] == record.id
            if isinstance(record, RLPrompt):
                assert record.system_thinking
                assert chat["reference"].startswith(f"<system_thinking>{record.reference.system_thinking}")


TEXT = st.text(st.sampled_from("abc ()[]:'\u2019\u591c.\n"), min_size=1, max_size=12).map(lambda t: t.strip() or "x")
PART = st.tuples(st.sampled_from(["thought", "action", "speech"]), TEXT)
TURN = st.tuples(
    st.sampled_from(["Mara", "Tobin", ENVIRONMENT]), st.none() | TEXT, st.lists(PART, min_size=1, max_size=4)
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(TURN, min_size=2, max_size=6), TEXT, st.none() | TEXT, st.none() | TEXT)
def test_conversations_come_back_as_they_were(
    drawn: list[tuple], scenario: str, profile: str | None, wants: str | None
) -> None:
    turns: list[Turn] = []
    for i, (speaker, plan, parts) in enumerate(drawn):
        if turns and turns[-1].speaker == speaker:
            continue  # the format joins a character's consecutive turns
        turns.append(
            Turn(id=f"t{2 * i:03d}", speaker=speaker, system_thinking=None if speaker == ENVIRONMENT else plan,
                 parts=merge_parts(tuple(Part(kind=k, text=t) for k, t in parts)))
        )  # fmt: skip
    if len(turns) < 2:
        return
    cast = (Character(name="Mara", profile=profile, motivation=wants), Character(name="Tobin", background=profile))
    scene = Scene(id="the-mill.p3.c1", book_id="the-mill", chapter=4, scenario=scenario, topic=wants, characters=cast,
                  plot_id="the-mill.p3")  # fmt: skip
    source = Dialogue(id=scene.id, scene=scene, turns=tuple(turns), provenance="imported")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            built(folder, [source], shares="policy_rl=1")
        except InputError as e:
            assert "unwritable" in str(e)  # noqa: PT017
            return
        export(folder / "b", format="her", out=folder / "x")
        for config in ("full_info", "clean"):
            back = folder / config / "d.jsonl"
            import_dialogues(folder / "x" / f"HER_dataset_{config}.jsonl", format="her", out=back)
            assert read_jsonl(back, Dialogue) == [source]


def test_the_real_play_comes_back(tmp_path: Path, shared_data: Path) -> None:
    path = tmp_path / "lear.jsonl"
    import_dialogues(shared_data / "coser" / "king-lear.full.json", format="coser", out=path)
    config = BuildConfig(rule=SampleRule(system_thinking=False), shares=read_shares("policy_rl=1"))
    build([path], out=tmp_path / "b", config=config)
    export(tmp_path / "b", format="her", out=tmp_path / "x")
    import_dialogues(tmp_path / "x" / "HER_dataset_clean.jsonl", format="her", out=tmp_path / "back.jsonl")
    bare = [
        d.model_copy(update={"scene": d.scene.model_copy(update={"span": None})}) for d in read_jsonl(path, Dialogue)
    ]
    assert read_jsonl(tmp_path / "back.jsonl", Dialogue) == bare


def test_replies_come_back_as_their_character_s_account(tmp_path: Path) -> None:
    source = talk(0)
    built(tmp_path, [source], shares="sft=1")
    made = export(tmp_path / "b", format="her", out=tmp_path / "x")
    assert made.rows["HER_dataset_sft_single_turn.jsonl"] == 3
    assert made.rows["HER_dataset_sft_multi_turn.jsonl"] == 2
    for config, plans in (("sft_single_turn", ["Mara should be 0 1.", "Mara should be 0 4."]),
                          ("sft_multi_turn", [None, "Mara should be 0 4."])):  # fmt: skip
        back = tmp_path / config / "d.jsonl"
        import_dialogues(tmp_path / "x" / f"HER_dataset_{config}.jsonl", format="her", out=back)
        accounts = {d.perspective: d for d in read_jsonl(back, Dialogue)}
        mara = accounts["Mara"]
        seen = [t.seen_by(Viewer.character("Mara")) for t in source.turns]
        assert [(t.speaker, t.parts) for t in mara.turns] == [(t.speaker, t.parts) for t in seen]
        assert [t.system_thinking for t in mara.turns if t.speaker == "Mara"] == plans
        assert mara.scene.id == source.id
        me = mara.scene.character("Mara")
        assert me == source.scene.character("Mara")
        assert mara.scene.character("Tobin").profile == "Ferryman."
        assert mara.scene.scenario == "Dusk 0."


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    made = built(tmp_path, [talk(k) for k in range(1030)], shares="sft=0.5,policy_rl=0.5")
    export(tmp_path / "b", format="parquet", out=tmp_path / "x")
    for name, kind in (("sft", SFTSample), ("policy_rl", RLPrompt)):
        file = parquet.ParquetFile(tmp_path / "x" / f"{name}.parquet")
        count = made.files[f"{name}.jsonl"].kept
        groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        assert sum(groups) == count > 1024
        assert set(groups[:-1]) == {1024}
        table = file.read().to_pylist()
        assert [r["id"] for r in table] == sorted(r["id"] for r in table)
        records = {r.id: r for r in read_jsonl(tmp_path / "b" / f"{name}.jsonl", kind)}
        assert len(records) == count
        for row in table:
            record = records[row["id"]]
            assert [m["content"] for m in row["messages"]] == [m.content for m in record.messages]
            if isinstance(record, SFTSample):
                assert row["target"] == record.target
            else:
                assert Scene.model_validate_json(row["scene"]) == record.scene
                assert len(json.loads(row["history"])) == len(record.history)
        assert b"created_at" not in (tmp_path / "x" / f"{name}.parquet").read_bytes()


def test_the_card_s_numbers_are_the_build_s(tmp_path: Path) -> None:
    dialogues = [talk(k) for k in range(12)] + [talk(k, book="the-tower") for k in range(3)]
    write_jsonl(tmp_path / "in.books.jsonl", [])
    (tmp_path / "in.source.json").write_text('{"licence": "CC0-1.0", "source": "mill.json"}')
    made = built(tmp_path, dialogues, hold=[talk(40, book="tower")])
    done = export(tmp_path / "b", format="messages", out=tmp_path / "x")
    card = (tmp_path / "x" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc0-1.0\n")
    assert "| in.jsonl | mill.json | CC0-1.0 | 15 | imported 15 |" in card
    for purpose, dealt in made.purposes.items():
        numbers = (f"{dealt.asked:.1%}", f"{dealt.achieved:.1%}", dealt.books, dealt.conversations, dealt.targets)
        assert f"| {purpose} | {' | '.join(str(n) for n in numbers)} |" in card
    for name, count in made.files.items():
        assert f"| {name} | {count.targets} | {count.kept} |" in card
    assert "| the-tower | title | tower | 3 |" in card
    assert made.held_out == {"title": 3}
    assert "each target opens with it" in card
    loads = re.search(r'data_files="([^"]+)"', card)
    assert loads is not None
    assert done.rows[loads[1]] == max(done.rows.values())
    exposed = Counter({r["title"]: sum(r["dialogues"].values()) for r in rows(tmp_path / "x" / "contamination.jsonl")})
    assert exposed == {"the-mill": 12}
    assert (tmp_path / "x" / "held_out.jsonl").read_bytes() == (tmp_path / "b" / "held_out.jsonl").read_bytes()


def test_a_title_cannot_break_the_card(tmp_path: Path) -> None:
    evil = talk(40)
    evil = evil.model_copy(update={"scene": evil.scene.model_copy(update={"book_id": "a | b\n\n# Heading <script>"})})
    other = talk(41, book="tower")
    built(tmp_path, [other, evil], shares="sft=1", hold=[evil])
    export(tmp_path / "b", format="messages", out=tmp_path / "x")
    card = (tmp_path / "x" / "README.md").read_text(encoding="utf-8")
    assert "\n# Heading" not in card
    assert "<script>" not in card
    assert "a \\| b # Heading &lt;script>" in card


def test_one_character_s_account_is_no_conversation(tmp_path: Path) -> None:
    account = Dialogue.model_validate({**talk(0).model_dump(), "perspective": "Mara"})
    built(tmp_path, [account], shares="sft=1")
    made = export(tmp_path / "b", format="her", out=tmp_path / "x")
    assert made.left == {"one_character_s_account": 1}
    assert made.rows["HER_dataset_full_info.jsonl"] == 0
    assert made.rows["HER_dataset_sft_single_turn.jsonl"] == 2


def test_what_is_no_build_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no build"):
        export(tmp_path, format="messages", out=tmp_path / "x")
    built(tmp_path, [talk(0)], shares="sft=1")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match=r"mine\.txt"):
        export(tmp_path / "b", format="messages", out=tmp_path / "y")
    assert [p.name for p in (tmp_path / "y").iterdir()] == ["mine.txt"]
    with (tmp_path / "b" / "sft.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match=r"sft\.jsonl is not what manifest\.json says"):
        export(tmp_path / "b", format="messages", out=tmp_path / "x")
    assert not (tmp_path / "x").exists()
