"""The records that benchmarks publish: real samples load, and whatever is wrong is named."""

import json
from pathlib import Path

import pytest

from her.errors import InputError
from her.evals.benchmarks.data import Upstream, keys_of_first, parse, read_records
from her.evals.benchmarks.upstream.coser import CoserJudgement, CoserScene
from her.evals.benchmarks.upstream.dynsess import DynSessRecord
from her.evals.benchmarks.upstream.fantom import FantomSet
from her.evals.benchmarks.upstream.hitom import HiToMDerivedRow, HiToMRow
from her.evals.benchmarks.upstream.lifechoice import LifeChoiceRecord
from her.evals.benchmarks.upstream.minimax import MinimaxDialogue, MinimaxSeed
from her.evals.benchmarks.upstream.twinvoice import TwinLine, TwinPost, TwinProfile
from her.evals.benchmarks.upstream.userllm import UserLLMRow
from her.store import read_json

SAMPLES: list[tuple[str, type[Upstream], str | None, int]] = [
    ("benchmarks/hitom/hitom_sample_120.jsonl", HiToMDerivedRow, None, 120),
    ("benchmarks/hitom/upstream_schema_40.json", HiToMRow, "data", 40),
    ("benchmarks/fantom/SYNTHETIC_fixture.jsonl", FantomSet, None, 1),
    ("benchmarks/lifechoices/SYNTHETIC_fixture.json", LifeChoiceRecord, None, 2),
    ("benchmarks/userllm/recon_nq_600.jsonl", UserLLMRow, None, 600),
    ("benchmarks/userllm/recon_csqa_600.jsonl", UserLLMRow, None, 600),
    ("benchmarks/userllm/SYNTHETIC_prism_fixture.jsonl", UserLLMRow, None, 3),
    ("benchmarks/twinvoice/dimension_3_choices.jsonl", TwinLine, None, 300),
    ("benchmarks/twinvoice/SYNTHETIC_dimension_1_fixture.jsonl", TwinPost, None, 1),
    ("benchmarks/minimax_rpb/SYNTHETIC_seeds_en.jsonl", MinimaxSeed, None, 2),
    ("benchmarks/minimax_rpb/SYNTHETIC_seeds_zh.jsonl", MinimaxSeed, None, 2),
    ("benchmarks/dynsess/sample_1_of_100_shortened.jsonl", DynSessRecord, None, 1),
    ("coser/test_set_sample.json", CoserScene, None, 18),
]


@pytest.mark.parametrize(("name", "kind", "under", "n"), SAMPLES, ids=[s[0].rsplit("/", 1)[1] for s in SAMPLES])
def test_published_samples_load(shared_data: Path, name: str, kind: type[Upstream], under: str | None, n: int) -> None:
    assert len(list(read_records(shared_data / name, kind, under=under))) == n


@pytest.mark.parametrize(("name", "kind", "under", "n"), SAMPLES, ids=[s[0].rsplit("/", 1)[1] for s in SAMPLES])
def test_every_required_field_is_missed_by_name(
    shared_data: Path, name: str, kind: type[Upstream], under: str | None, n: int
) -> None:
    _, record = next(iter(read_records(shared_data / name, kind, under=under)))
    whole = record.model_dump(mode="json", by_alias=True)
    required = {f.alias or name for name, f in kind.model_fields.items() if f.is_required()}
    for field in required:
        with pytest.raises(InputError, match=rf"here: field '{field}' is missing"):
            parse({k: v for k, v in whole.items() if k != field}, kind, where="here")
        with pytest.raises(InputError, match=rf"here: field '{field}[^']*' is wrong"):
            parse({**whole, field: object()}, kind, where="here")


def test_a_document_that_is_named_lines_is_read_as_what_it_is(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "benchmarks/twinvoice/dimension_3_profiles.json"
    copy = tmp_path / "profiles.jsonl"
    copy.write_bytes(source.read_bytes())
    assert keys_of_first(copy) == frozenset({"characterList"})
    document = read_json(source)
    assert isinstance(document, dict)
    profiles = [parse(p, TwinProfile, where=k) for k, p in document["characterList"].items()]
    assert len(profiles) == 53
    assert sum(len(p.history) for p in profiles) > 1000


def test_records_lie_in_lines_lists_lists_of_lists_or_under_a_key(tmp_path: Path) -> None:
    seed = dict.fromkeys(
        ("id", "ai_name", "ai_setting", "user_name", "user_setting", "ai_prologue", "initial_user_input"), "x"
    )
    shapes = {
        "lines.jsonl": f"{json.dumps(seed)}\n\n{json.dumps(seed)}\n",
        "list.json": json.dumps([seed, seed]),
        "lists.json": json.dumps([[seed], [seed]]),
        "key.json": json.dumps({"data": [seed, seed]}),
    }
    for name, text in shapes.items():
        (tmp_path / name).write_text(text)
        found = list(read_records(tmp_path / name, MinimaxSeed, under="data"))
        assert [r.id for _, r in found] == ["x", "x"]
    assert [w for w, _ in read_records(tmp_path / "lines.jsonl", MinimaxSeed)] == ["lines.jsonl:1", "lines.jsonl:3"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bad.jsonl", '{"id": "x"\n', "bad.jsonl:1 is not JSON"),
        ("bad.jsonl", "[1]\n", "field 'the record' is wrong"),
        ("bad.json", "{}", "has no 'data'"),
        ("bad.json", '"text"', "is not a list of records"),
        ("bad.json", "", "is empty"),
        ("deep.json", "[" * 100_000, "is not JSON"),
    ],
)
def test_hostile_files_are_refused_by_name(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        list(read_records(tmp_path / name, MinimaxSeed, under="data"))


def test_records_that_contradict_themselves_are_refused() -> None:
    row = {"id": "1", "intent": "i", "conversation_history": "", "turn": 0, "is_last_turn": False}
    with pytest.raises(InputError, match="a row of commonsense_qa has 'choices'"):
        parse({**row, "source": "commonsense_qa", "related_metrics": []}, UserLLMRow, where="here")
    post = {"user_id": "u", "history": [], "choices": ["a", "b", "c", "d"], "answer_idx": 0}
    for both in ({}, {"anchor_post": "a", "context": "b"}):
        with pytest.raises(InputError, match="either 'anchor_post' or 'context'"):
            parse({**post, **both}, TwinPost, where="here")
    with pytest.raises(InputError, match="'answer_idx' is wrong"):
        parse({**post, "context": "b", "answer_idx": 4}, TwinPost, where="here")


def test_a_released_dialogue_is_read_twice() -> None:
    lines = json.dumps([{"role": "ai", "text": "Hm.", "round": 0}])
    record = {"seed_id": "s", "model_name": "m", "run_id": 1, "dialogue": lines, "num_turns": 1}
    assert parse(record, MinimaxDialogue, where="here").dialogue[0].text == "Hm."
    with pytest.raises(InputError, match="'dialogue' is wrong"):
        parse({**record, "dialogue": "[{"}, MinimaxDialogue, where="here")


def test_a_recorded_judgement_is_read() -> None:
    case = {
        "simulation": [{"role": "Mara", "content": "Nine."}],
        "critique": {"Anthropomorphism": {"flaws": [{"instance": "i", "type": "t", "severity": 2}], "score": 93.0}},
    }
    found = parse({"scores": {"avg": 93.0}, "cases": {"Book-1-0": case}}, CoserJudgement, where="here")
    assert found.cases["Book-1-0"].critique["Anthropomorphism"].flaws[0].severity == 2
