"""Principle packs: the shipped one keeps its promises, a broken one is refused by file, entry and reason."""

from pathlib import Path

import pytest

from her.errors import VerdictError
from her.reward.pack import Pack, load_pack
from her.schema import DIMENSIONS

ENTRY = {
    "name": "Own Voice",
    "dimension": "Character Development",
    "polarity": "positive",
    "level": "sentence",
    "definition": "d",
    "good": "g",
    "bad": "b",
    "author": "me",
}


def _toml(*entries: dict[str, str]) -> str:
    body = ["name = 'mine'", "version = '1'"]
    for entry in entries:
        body += ["[[principle]]", *(f"{k} = {v!r}" for k, v in entry.items())]
    return "\n".join(body)


def test_the_shipped_pack_covers_every_dimension() -> None:
    pack = load_pack()
    assert len(pack.principles) >= 26
    assert sum(p.polarity == "negative" for p in pack.principles) >= 9
    for dimension in DIMENSIONS:
        assert sum(p.dimension == dimension for p in pack.principles) >= 2


def test_hash_is_of_the_content(tmp_path: Path) -> None:
    file = tmp_path / "pack.toml"
    file.write_text(_toml(ENTRY))
    first = load_pack(file).hash
    file.write_text("# a comment\n" + _toml(ENTRY))
    assert load_pack(file).hash == first
    file.write_text(_toml({**ENTRY, "definition": "other"}))
    assert load_pack(file).hash != first


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_toml({**ENTRY, "dimension": "Wit"}), "no such dimension: 'Wit'"),
        (_toml(ENTRY, {**ENTRY, "name": "own voice"}), "entry 2 ('own voice'): entry 1 has this name"),
        (_toml({**ENTRY, "definition": " "}), "entry 1 ('Own Voice'): definition is empty"),
        (_toml({**ENTRY, "polarity": "bad"}), "entry 1 ('Own Voice'): polarity"),
        (_toml({**ENTRY, "weight": "3"}), "weight: Extra inputs"),
        (_toml({k: v for k, v in ENTRY.items() if k != "author"}), "author: Field required"),
        (_toml({**ENTRY, "bad": "g"}), "are the same"),
        (_toml(), "principles"),
        ("name = 'x'\nversion = '1'\nprinciple = 3", "not a list of entries"),
        ("name = 'x'\nrules = 1", "unknown key 'rules'"),
        ("name = ", "not TOML"),
    ],
)
def test_a_broken_pack_is_refused_with_file_entry_and_reason(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "pack.toml"
    file.write_text(text)
    with pytest.raises(VerdictError) as error:
        load_pack(file)
    assert str(file) in str(error.value)
    assert says in str(error.value)


def test_subset_takes_vetoes_first_and_spreads_over_dimensions() -> None:
    pack = load_pack()
    few = pack.subset(6)
    assert len(few) == 6
    assert all(p.polarity == "negative" for p in few)
    assert len({p.dimension for p in few}) == 6
    assert pack.subset(None) == pack.principles == Pack.model_validate(pack.model_dump()).subset(999)
    assert pack.subset(0) == ()
