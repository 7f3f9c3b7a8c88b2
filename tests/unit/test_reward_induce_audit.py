"""The audit of an induced pack, its files, and the command: figures that can be checked by hand."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from reward_cases import SCENE, preference, turn
from typer.testing import CliRunner

from her.cli.principles import app
from her.errors import InputError, VerdictError
from her.reward.attacks import attack_pairs
from her.reward.induction.account import Account, beside, check_out
from her.reward.induction.audit import Audit, Planted, audit, few_of_each
from her.reward.pack import Pack, load_pack
from her.reward.pack_text import pack_toml
from her.schema import Comparison, Decided, Preference, PrincipleFinding, Scene, Unparsed, Verdict, Winner
from her.stats import share
from her.store import write_jsonl

FAMILY_NAMES = {family for family, _ in attack_pairs()}
INDUCED = Pack(name="mine", version="1", principles=load_pack().principles[:2])


class ByPack:
    """Right with the induced pack, wrong with the hand-written one, silent without a list; fooled by `trick`."""

    positional = True

    def __init__(self, pack: Pack | None) -> None:
        self.pack = pack
        self.name = self.fingerprint = "none" if pack is None else pack.name

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        return [self._one(c) for c in comparisons]

    def _one(self, c: Comparison) -> Verdict:
        if self.pack is None:
            return Unparsed(reason="silent")
        good: Winner = "cand_1" if "good" in str(c.cand_1) else "cand_2"
        bad: Winner = "cand_2" if good == "cand_1" else "cand_1"
        mine = self.pack.name == "mine"
        if "trick" in str(c.cand_1) + str(c.cand_2):
            return Decided(winner=bad if mine else good)
        if "shuffled" in c.id and self.pack.principles[0] != INDUCED.principles[0]:
            return Decided(winner="tie")
        finding = PrincipleFinding(principle=self.pack.principles[0].name, winner=good)
        return Decided(winner=good if mine else bad, findings=(finding,) if "named" in c.id else ())


def _pair(id: str, *, scene: str = "a", bad: str = "bad") -> Preference:
    place = Scene(**{**SCENE.model_dump(), "id": scene})
    return preference(turn("good"), turn(bad), "cand_1", id=id, scene=place)


def _audit(held_out: Sequence[Preference], planted: Sequence[Planted] = (), pack: Pack = INDUCED) -> Audit:
    return asyncio.run(
        audit(
            pack,
            hand_written=load_pack(),
            judge_with=ByPack,
            held_out=held_out,
            planted=planted,
            explained=share(2, 3),
            explained_before=share(1, 2),
            seed=0,
            told=lambda done, total, note: None,
        )
    )


def test_an_audit_by_hand() -> None:
    held_out = [_pair("named-1"), _pair("shuffled-2", scene="b"), _pair("p3"), _pair("p4", scene="b")]
    planted = [Planted(family=f, pair=_pair(f"{f}{i}", bad="trick")) for f in ("flattery", "length") for i in range(2)]
    found = _audit(held_out, planted)
    induced, hand, none = found.fits
    assert (induced.accuracy.value, hand.accuracy.value) == (1.0, 0.0)
    assert induced.against_hand_written.value == 1.0
    assert hand.against_hand_written.value == 0.0
    assert (none.accuracy.n, none.unread.value, none.against_hand_written.n) == (0, 1.0, 0)
    assert (induced.spoke.value, induced.spoke.n) == (0.25, 4)
    assert (found.retest.value, found.retest.n) == (0.75, 4)
    assert found.dimensions == ("Character Development",)
    assert len(found.missing) == 11
    assert [(r.family, r.induced.value, r.hand_written.value, r.induced.n) for r in found.resisted] == [
        ("flattery", 0.0, 1.0, 2),
        ("length", 0.0, 1.0, 2),
        ("all", 0.0, 1.0, 4),
    ]


def test_the_shipped_hacks_are_drawn_alike_from_every_family() -> None:
    known = [Planted(family=family, pair=pair) for family, pair in attack_pairs()]
    few = few_of_each(known, 2, seed=0)
    assert Counter(p.family for p in few) == dict.fromkeys(FAMILY_NAMES, 2)
    assert few == few_of_each(known, 2, seed=0) != few_of_each(known, 2, seed=1)
    assert few_of_each(known, 0, seed=0) == []
    assert few_of_each(known, 999, seed=0) == known


def test_what_cannot_be_known_is_no_number() -> None:
    one = Pack(name="mine", version="1", principles=INDUCED.principles[:1])
    found = _audit([_pair("p1")], pack=one)
    assert found.retest.value is None, "one entry has no other order"
    assert found.fits[0].spoke.value is None, "a judge that names no rule says nothing of coverage"
    assert found.resisted == ()


def _script(path: Path) -> Path:
    """A teacher that writes one rule for all, and a judge that always takes the reply that says `good`."""
    rule = {
        "polarity": "negative",
        "level": "sentence",
        "dimension": "Overall Quality",
        "name": "Empty Reply",
        "definition": "Nothing is said that anybody could answer.",
        "good": '"Ask the smith."',
        "bad": '"Hm."',
    }
    lines = [
        {"match": "^You write the rules", "text": json.dumps(rule)},
        {"match": "(?s)===cand_1===.{1,30}good.*===cand_2===", "text": '{"findings":[],"better_response":"cand_1"}'},
        {"text": '{"findings":[],"better_response":"cand_2"}'},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_command_writes_a_pack_a_person_may_edit_and_its_audit(tmp_path: Path) -> None:
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "pack.toml"
    write_jsonl(pairs, [_pair(f"p{i}", scene=f"s{i % 4}") for i in range(8)])
    hacks = tmp_path / "hacks.jsonl"
    write_jsonl(hacks, [Planted(family="flattery", pair=_pair("h1", bad="Surely the best reply of all."))])
    arguments = [
        "induce",
        str(pairs),
        "--out",
        str(out),
        "--teacher",
        f"scripted:{_script(tmp_path / 'teacher')}",
        "--pairs",
        "3",
        "--hacks",
        str(hacks),
    ]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "1 principles of 3 that explained their pair" in done.output
    assert "2 select.same_name" in done.output
    assert "judged rightly without any rule: 1.00" in done.output
    pack = load_pack(out)
    assert pack.principles[0].author.startswith("scripted:")
    account = Account.model_validate_json(beside(out, "induced.json").read_text())
    assert account.pack_hash == pack.hash
    first = Audit.model_validate_json(beside(out, "audit.json").read_text())
    assert first.fits[0].accuracy.value == 1.0
    assert [(r.family, r.induced.value) for r in first.resisted] == [("flattery", 1.0), ("all", 1.0)]
    held_out = {r["pair"] for r in map(json.loads, beside(out, "candidates.jsonl").read_text().splitlines())}
    assert held_out == set(account.pairs)

    before = {p.name: p.read_bytes() for p in tmp_path.glob("pack.*") if "ledger" not in p.name}
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert {p.name: p.read_bytes() for p in tmp_path.glob("pack.*") if "ledger" not in p.name} == before
    out.write_text(out.read_text().replace("Empty Reply", "Says Nothing"))
    with pytest.raises(InputError, match="was edited"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_where_no_pack_came_of_it_the_refusals_are_kept(tmp_path: Path) -> None:
    pairs, out, script = tmp_path / "pairs.jsonl", tmp_path / "pack.toml", tmp_path / "teacher"
    write_jsonl(pairs, [_pair(f"p{i}", scene=f"s{i % 4}") for i in range(8)])
    script.write_text(json.dumps({"text": "Be witty."}) + "\n")
    arguments = ["induce", str(pairs), "--out", str(out), "--teacher", f"scripted:{script}", "--pairs", "3"]
    with pytest.raises(VerdictError, match=r"3 propose\.not_json.*pack\.failed\.jsonl"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    rejects = [json.loads(line) for line in beside(out, "failed.jsonl").read_text().splitlines()]
    assert [(r["step"], r["reason"]) for r in rejects] == [("propose", "not_json")] * 3
    assert not out.exists()


def test_a_place_that_cannot_take_the_pack_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.toml"):
        check_out(tmp_path / "pack.json")
    check_out(tmp_path / "new.toml")
    (tmp_path / "mine.toml").write_text("name = 'x'\n")
    with pytest.raises(InputError, match="not induced"):
        check_out(tmp_path / "mine.toml")
    write_jsonl(tmp_path / "few.jsonl", [_pair("p1"), _pair("p2")])
    with pytest.raises(VerdictError, match="1 scenes"):
        CliRunner().invoke(app, ["induce", str(tmp_path / "few.jsonl"), "--out", str(tmp_path / "o.toml")],
                           catch_exceptions=False)  # fmt: skip


def test_check_and_diff_say_what_is_there(tmp_path: Path) -> None:
    checked = CliRunner().invoke(app, ["check"], catch_exceptions=False).output
    assert "60 principles" in checked
    assert "warning" not in checked
    shown = CliRunner().invoke(app, ["show", "--examples"], catch_exceptions=False).output
    assert "+ " in shown
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(pack_toml(INDUCED))
    two.write_text(one.read_text().replace('author = "her"', 'author = "me"', 1))
    assert "author: her -> me" in CliRunner().invoke(app, ["diff", str(one), str(two)], catch_exceptions=False).output
    assert "the same principles" in CliRunner().invoke(app, ["diff", str(one), str(one)], catch_exceptions=False).output
