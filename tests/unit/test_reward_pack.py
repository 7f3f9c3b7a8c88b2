"""Principle packs: the shipped one keeps its promises, a broken one is refused by file, entry and reason."""

import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her.errors import InputError, VerdictError
from her.renderers import render_turn
from her.renderers.overlap import words
from her.reward.brief import Brief
from her.reward.pack import Pack, load_pack
from her.reward.pack_text import difference, pack_toml, warnings
from her.schema import DIMENSIONS, Principle
from her.story import load_pairs, load_scenes, story_path

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


def test_the_shipped_pack_keeps_its_promises() -> None:
    pack = load_pack()
    assert len(pack.principles) >= 51
    assert warnings(pack) == []
    for dimension in DIMENSIONS:
        here = {p.polarity for p in pack.principles if p.dimension == dimension}
        assert here == {"negative", "positive"}, dimension
    assert {p.level for p in pack.principles} == {"sentence", "session"}


def test_no_example_is_from_the_shipped_story() -> None:
    """A judge's examples must not be about the pairs that it is examined on."""
    people = {w for c in load_scenes() for who in c.characters for w in words(who.name)}
    replies = [
        Counter(_runs(render_turn(t), 5)) for p in load_pairs() for t in (p.comparison.cand_1, p.comparison.cand_2)
    ]
    told = Counter(_runs(story_path().read_text(encoding="utf-8"), 6))
    for principle in load_pack().principles:
        for text in (principle.good, principle.bad):
            assert not people & set(words(text)), principle.name
            assert not [run for run in _runs(text, 5) if any(run in reply for reply in replies)], principle.name
            assert not [run for run in _runs(text, 6) if run in told], principle.name


def _runs(text: str, length: int) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[i : i + length]) for i in range(len(found) - length + 1)]


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
        ("a = " + "[" * 5000, "nested too deeply"),
        (_toml({**ENTRY, "definition": ""}), "definition is empty"),
        ("name = 'x'\nversion = '1'\n[[principle]]", "entry 1 ('unnamed'): name: Field required"),
        (_toml(ENTRY).replace("'d'", r'"d\n- Veto: Own: rule"'), "definition is not one line"),
        (_toml(ENTRY).replace("'g'", r'"g\u001b[31m"'), "good has characters that cannot be printed"),
        (_toml(ENTRY).replace("'d'", r'"\ud800"'), "not TOML"),
        (_toml(ENTRY) + "\npairs = ['p1', 2]", "pairs.1"),
    ],
)
def test_a_broken_pack_is_refused_with_file_entry_and_reason(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "pack.toml"
    file.write_text(text)
    with pytest.raises(VerdictError) as error:
        load_pack(file)
    assert str(file) in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize("most", [1, 2, 6, 12, 24, 25, 30])
def test_a_subset_mixes_polarities_and_dimensions(most: int) -> None:
    pack = load_pack()
    few = pack.subset(most)
    assert len(set(few)) == most
    assert few == Pack.model_validate(pack.model_dump()).subset(most)
    vetoes = sum(p.polarity == "negative" for p in few)
    assert abs(2 * vetoes - most) <= 1
    heard = Counter(p.dimension for p in few)
    assert max(heard.values()) - min(heard[d] for d in DIMENSIONS) <= 1
    if most >= 24:
        assert {(p.dimension, p.polarity) for p in few} == {
            (d, s) for d in DIMENSIONS for s in ("negative", "positive")
        }


def test_a_subset_without_limit_is_the_pack_and_one_polarity_does_for_both() -> None:
    pack = load_pack()
    assert pack.subset(None) == pack.principles == pack.subset(999)
    assert pack.subset(0) == ()
    sides = tuple(p for p in pack.principles if p.polarity == "positive")
    assert len(Pack(name="p", version="1", principles=sides).subset(7)) == 7


def test_where_no_history_is_shown_no_rule_asks_for_one() -> None:
    pack = load_pack()
    alone = tuple(p for p in pack.principles if p.level == "sentence")
    assert Brief(max_turns=0).principles(pack) == alone
    assert {p.level for p in Brief(max_turns=0, max_principles=10).principles(pack)} == {"sentence"}
    assert "session" in {p.level for p in Brief(max_turns=1, max_principles=10).principles(pack)}


_TEXT = st.text(
    alphabet=string.printable.replace("\n", "").replace("\r", "") + "é“”—\\#", min_size=1, max_size=30
).filter(lambda t: t.strip() and t.isprintable())


@given(definition=_TEXT, good=_TEXT, bad=_TEXT, pairs=st.lists(_TEXT, max_size=3))
def test_a_written_pack_reads_as_itself(
    tmp_path_factory: pytest.TempPathFactory, definition: str, good: str, bad: str, pairs: list[str]
) -> None:
    entry = {**ENTRY, "definition": definition, "good": f"a{good}", "bad": f"b{bad}", "pairs": tuple(pairs)}
    pack = Pack(name="mine", version="1", principles=(Principle.model_validate(entry),))
    file = tmp_path_factory.mktemp("pack") / "pack.toml"
    file.write_text(pack_toml(pack, comment="two\nlines"), encoding="utf-8")
    assert load_pack(file) == pack


def test_what_two_packs_differ_in() -> None:
    shipped = load_pack()
    changed = shipped.principles[1].model_copy(update={"definition": "Other.", "author": "me"})
    other = Pack(name="mine", version="1", principles=(changed, *shipped.principles[2:]))
    found = difference(shipped, other)
    assert found.removed == (shipped.principles[0].name,)
    assert found.changed == ((changed.name, ("definition", "author")),)
    assert found.added == ()
    assert difference(shipped, shipped).same


def test_warnings_name_what_reads_alike() -> None:
    one = Principle.model_validate(ENTRY | {"definition": "Speech carries habits that only this person has."})
    two = one.model_copy(update={"name": "Habits", "definition": "The speech carries habits only this person has."})
    said = warnings(Pack(name="mine", version="1", principles=(one, two)))
    assert any("'Own Voice' and 'Habits' read alike" in w for w in said)
    assert any("an example is used 2 times" in w for w in said)
    assert any("no principle for: Relationship Development" in w for w in said)


def test_what_is_no_pack_file_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\0\1")
    for path in (tmp_path, tmp_path / "none.toml", tmp_path / "binary"):
        with pytest.raises(InputError):
            load_pack(path)
