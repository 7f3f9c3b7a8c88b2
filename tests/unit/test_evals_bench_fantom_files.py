"""FANToM reads files of every shape: what contradicts itself, what is broken, the published archive."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from exam_cases import settled
from fantom_cases import GATHERING

from her.errors import InputError
from her.evals.benchmarks.fantom import FANTOM
from her.evals.benchmarks.gathering import set_of


def row(**changes: object) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(set_of(GATHERING, 0).model_dump_json())
    return made | changes


def test_what_contradicts_itself_is_refused_with_the_reason(tmp_path: Path) -> None:
    same = row()
    same["factQA"]["wrong_answer"] = f" {same['factQA']['correct_answer']}"
    same["beliefQAs"][0]["wrong_answer"] = same["beliefQAs"][0]["correct_answer"]
    path = tmp_path / "fantom.json"
    path.write_text(json.dumps([same, row()]))
    exam = FANTOM.load(path, settled(FANTOM))
    assert [(r.where, r.reason.partition(" answer")[0]) for r in exam.refused] == [
        ("fantom.json, record 0, factQA", "the right and the wrong"),
        ("fantom.json, record 0, beliefQAs.0", "the right and the wrong"),
        ("fantom.json, record 1", "another set has the same set_id"),
    ]
    assert not any(i.kind == "fact" for i in exam.items)


def broken(field: str, inner: str, wrong: object) -> dict[str, Any]:
    made = row()
    target = made[field][0] if isinstance(made[field], list) else made[field]
    target[inner] = wrong
    return made


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({k: v for k, v in row().items() if k != "short_context"}, "field 'short_context' is missing"),
        (row(set_id="../../etc"), "field 'set_id' is wrong"),
        (row(beliefQAs="none"), "field 'beliefQAs' is wrong"),
        (broken("beliefQAs", "missed_info_accessibility", None), r"field 'beliefQAs.0.missed_info_accessibility' is"),
        (
            broken("answerabilityQAs_binary", "correct_answer", "maybe"),
            r"'answerabilityQAs_binary.0.correct_answer' is",
        ),
        (broken("infoAccessibilityQA_list", "correct_answer", ["Al", ""]), "field 'infoAccessibilityQA_list' is wrong"),
        (broken("answerabilityQA_list", "wrong_answer", ["al"]), "field 'answerabilityQA_list' is wrong"),
        ("text", "field 'the record' is wrong"),
    ],
)
def test_a_wrong_or_missing_field_names_file_record_and_field(tmp_path: Path, bad: object, said: str) -> None:
    path = tmp_path / "fantom.json"
    path.write_text(json.dumps([row(set_id="1-0-0"), bad]))
    with pytest.raises(InputError, match=rf"fantom.json, record 1: .*{said}"):
        FANTOM.load(path, settled(FANTOM))


def test_the_published_archive_is_read_as_it_is(tmp_path: Path) -> None:
    content = json.dumps([row()]).encode()
    path = tmp_path / "fantom.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("../outside/fantom_v1.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    assert len(FANTOM.load(path, settled(FANTOM)).items) == 13
    assert not (tmp_path.parent / "outside").exists()
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="not a whole"):
        FANTOM.load(path, settled(FANTOM))
    with tarfile.open(path, "w:gz"):
        pass
    with pytest.raises(InputError, match=r"has no fantom_v1\.json"):
        FANTOM.load(path, settled(FANTOM))
