"""A shelf dealt to shards against a faulty upstream, and put together: the bytes of one run, and nothing paid again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from faulty_upstream import FaultyUpstream, Sound
from hypothesis import given
from hypothesis import strategies as st
from shelf_case import FAULTS, STORIES, named, shelf, teaching_upstream, volume
from typer.testing import CliRunner

from her.cli.commands import app
from her.errors import HerError, InputError, StoreError
from her.llm import Ledger
from her.schema import Book
from her.synthesis import Reject, Shelf
from her.synthesis.sources.shard import Shard, read_shard


def invoke(*args: str | Path) -> str:
    done = CliRunner().invoke(app, ["synth", *map(str, args)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    up: FaultyUpstream
    source: Path
    root: Path

    def synth(self, out: str, *more: str, source: Path | None = None) -> str:
        return invoke(source or self.source, "--teacher", named(self.up), "--no-gain", "--out", self.root / out, *more)

    def merge(self, out: str, *shards: str) -> str:
        return invoke("merge", *(self.root / s for s in shards), "--out", self.root / out)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A whole run and three shards of the same shelf, each having met the same faults."""
    root = tmp_path_factory.mktemp("scale")
    with teaching_upstream() as up:
        made = Case(up=up, source=shelf(root), root=root)
        made.synth("whole")
        up.served.clear()
        for k in (1, 2, 3):
            made.synth(f"part{k}", "--shard", f"{k}/3")
        yield made


def test_merged_shards_are_the_run_of_one_process_and_it_goes_on_without_paying(case: Case) -> None:
    assert any(s.faults for s in case.up.served.values()), "no fault was met"
    told = case.merge("merged", "part3", "part1", "part2")
    assert "0 held with another reply" in told
    whole = volume(case.root / "whole")
    assert volume(case.root / "merged") == whole
    assert "books/silent/manifest.json" in whole
    assert b'"detail":"id: \'ships\' is a second book\'s"' in whole["synth/rejects.jsonl"]
    attempts = sum(s.attempts for s in case.up.served.values())
    assert "kept from before" in case.synth("merged")
    # Even with nothing left but the ledger.
    for path in (case.root / "merged").glob("*/**/manifest.json"):
        path.unlink()
    case.synth("merged")
    assert volume(case.root / "merged") == whole
    assert sum(s.attempts for s in case.up.served.values()) == attempts
    with (
        Ledger(case.root / "merged" / "ledger.sqlite") as ours,
        Ledger(case.root / "whole" / "ledger.sqlite") as theirs,
    ):
        a, b = ours.tally("synth"), theirs.tally("synth")
        assert (a.calls, a.dead, a.prompt_tokens) == (b.calls, b.dead, b.prompt_tokens)
        assert a.dead > 0


def test_a_shard_is_a_run_and_one_without_a_book_is_empty(case: Case) -> None:
    told = case.synth("far", "--shard", "1000/1000")
    assert "no book of shelf.jsonl" in told
    assert (case.root / "far" / "synth" / "dialogues.jsonl").read_bytes() == b""
    assert (case.root / "part1" / "report.html").exists() or (case.root / "part2" / "report.html").exists()


def test_shards_that_are_not_all_and_only_the_parts_of_one_dealing_are_refused(case: Case, tmp_path: Path) -> None:
    case.synth("other", "--shard", "3/3", "--seed", "1")
    case.synth("half", "--shard", "1/2")
    refused = {
        ("part1", "part3"): "of 3 shards these are missing: 2",
        ("part1", "part2", "part3", "part3"): "in use|more than once",
        ("part1", "part2", "other"): "another setting",
        ("part1", "part2", "half"): "another dealing",
        ("part1", "whole"): "no shard but a whole run",
        ("part1", "nowhere"): "not a run folder",
    }
    for parts, why in refused.items():
        with pytest.raises(StoreError, match=why):
            case.merge("refused", *parts)
    changed = tmp_path / "shelf.jsonl"
    changed.write_text(case.source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    case.synth("foreign", "--shard", "3/3", source=changed)
    with pytest.raises(StoreError, match="another shelf"):
        case.merge("refused", "part1", "part2", "foreign")
    assert not (case.root / "refused").exists()


def test_an_unfinished_or_damaged_shard_is_named(case: Case) -> None:
    folder = case.root / "part2" / "synth"
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").unlink()
    with pytest.raises(StoreError, match="part2 is not finished"):
        case.merge("refused", "part1", "part2", "part3")
    (folder / "manifest.json").write_bytes(manifest)
    sound = (folder / "dialogues.jsonl").read_bytes()
    (folder / "dialogues.jsonl").write_bytes(sound + b"{}\n")
    with pytest.raises(StoreError, match=r"part2.*is not what its stage wrote"):
        case.merge("refused", "part1", "part2", "part3")
    (folder / "dialogues.jsonl").write_bytes(sound)
    assert not (case.root / "refused").exists()


def test_dead_letters_are_asked_again_only_when_that_is_wished(case: Case) -> None:
    case.synth("dead")
    with Ledger(case.root / "dead" / "ledger.sqlite") as ledger:
        before = ledger.tally("synth")
    attempts = sum(s.attempts for s in case.up.served.values())
    case.synth("dead")
    assert sum(s.attempts for s in case.up.served.values()) == attempts
    case.up.plan = Sound()
    told = case.synth("dead", "--retry-dead")
    case.up.plan = FAULTS
    assert "done again" in told
    with Ledger(case.root / "dead" / "ledger.sqlite") as ledger:
        after = ledger.tally("synth")
    assert before.dead > 0 == after.dead
    assert after.calls >= before.calls + before.dead
    report = json.loads((case.root / "dead" / "synth" / "report.json").read_text(encoding="utf-8"))
    assert report["dead_letters"] == 0


def test_a_book_is_neither_dealt_nor_given_to_workers(case: Case, tmp_path: Path) -> None:
    source = tmp_path / "book.txt"
    source.write_text(STORIES["Ships"], encoding="utf-8")
    for args in (("--shard", "1/2"), ("--engine", "ray")):
        with pytest.raises(InputError, match="is one book"):
            case.synth("book", *args, source=source)
    for args in (("--shard", "0/2"), ("--shard", "3/2"), ("--shard", "x"), ("--workers", "2")):
        with pytest.raises(HerError):
            case.synth("book", *args)
    assert not (case.root / "book").exists()


@given(st.text(max_size=20), st.integers(1, 50))
def test_a_name_falls_to_exactly_one_shard(name: str, of: int) -> None:
    assert sum(Shard(number=k, of=of).takes(name) for k in range(1, of + 1)) == 1


def test_the_parts_of_a_shelf_are_its_lines(tmp_path: Path) -> None:
    whole = Shelf(path=shelf(tmp_path))

    def names(one: Shelf) -> set[tuple[int, str]]:
        return {(p.number, p.found.item_id if isinstance(p.found, Reject) else p.found.id) for p in one.places()}

    for of in (1, 2, 5):
        parts = [names(Shelf(path=whole.path, shard=read_shard(f"{k}/{of}"))) for k in range(1, of + 1)]
        assert sum(map(len, parts)) == len(names(whole))
        assert set().union(*parts) == names(whole)
    # Neither order nor company moves a book.
    turned = tmp_path / "turned.jsonl"
    lines = whole.path.read_text(encoding="utf-8").splitlines()
    turned.write_text("\n".join([lines[2], lines[0]]) + "\n", encoding="utf-8")
    first = Shard(number=1, of=2)
    before = {b.id for b in Shelf(path=whole.path, shard=first).books() if isinstance(b, Book)}
    after = {b.id for b in Shelf(path=turned, shard=first).books() if isinstance(b, Book)}
    assert after == before & {"boats", "ships"}
