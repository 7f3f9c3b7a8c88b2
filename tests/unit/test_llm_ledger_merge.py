"""Ledgers put into one: nothing is lost, nothing doubled, and two opinions on one call are counted."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.errors import StoreError
from her.llm import Ledger
from her.llm.ledger import Paid, key_of
from her.llm.ledger_merge import MergedLedger, merge_ledgers


def fill(path: Path, answers: dict[str, str], dead: tuple[str, ...] = ()) -> Path:
    """A ledger that holds these requests with these answers, and has given up others."""
    with Ledger(path) as ledger:
        for request, answer in answers.items():
            key = key_of(stage="s", fingerprint="f", request=request)
            ledger.put(key, Paid(stage="s", fingerprint="f", request=request, answer=answer, prompt_tokens=3))
        for request in dead:
            ledger.bury(stage="s", fingerprint="f", request=request, reason="refused", error="no", attempts=1)
    return path


def held(path: Path, requests: set[str]) -> dict[str, str | None]:
    with Ledger(path) as ledger:
        return {r: ledger.get(key_of(stage="s", fingerprint="f", request=r)) for r in requests}


CONTENT = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(("1", "2")), max_size=5)


@settings(max_examples=8, deadline=None)
@given(st.lists(CONTENT, min_size=1, max_size=3))
def test_the_first_to_come_stays_and_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    sources = [fill(folder / f"{i}.sqlite", c) for i, c in enumerate(contents)]
    first: dict[str, str | None] = {}
    for content in reversed(contents):
        first |= content
    merged = merge_ledgers(folder / "all.sqlite", sources)
    assert merged.answers == len(first)
    assert merged.answers + merged.same + merged.conflicts == sum(map(len, contents))
    assert held(folder / "all.sqlite", set(first)) == first
    again = merge_ledgers(folder / "all.sqlite", sources)
    assert again.answers == 0
    assert held(folder / "all.sqlite", set(first)) == first


def test_what_one_gave_up_and_another_was_told_is_answered(tmp_path: Path) -> None:
    gave_up = fill(tmp_path / "a.sqlite", {"x": "1"}, dead=("y", "z"))
    told = fill(tmp_path / "b.sqlite", {"y": "2"}, dead=("x",))
    for order in ([gave_up, told], [told, gave_up]):
        into = tmp_path / f"all-{order[0].stem}.sqlite"
        merged = merge_ledgers(into, order)
        assert merged == MergedLedger(answers=2, same=0, conflicts=0, dead=1)
        with Ledger(into) as ledger:
            assert [d.request for d in ledger.dead_letters()] == ["z"]
            assert ledger.tally("s").prompt_tokens == 6


def test_a_source_that_is_missing_or_no_ledger_is_refused_before_anything_is_added(tmp_path: Path) -> None:
    good = fill(tmp_path / "a.sqlite", {"x": "1"})
    bad = tmp_path / "b.sqlite"
    bad.write_text("Not a database, and long enough to be looked at as one. " * 40)
    with pytest.raises(StoreError, match="no ledger at"):
        merge_ledgers(tmp_path / "all.sqlite", [good, tmp_path / "none.sqlite"])
    with pytest.raises(StoreError, match=r"b\.sqlite"):
        merge_ledgers(tmp_path / "all.sqlite", [good, bad])
    assert held(tmp_path / "all.sqlite", {"x"}) == {"x": None}
