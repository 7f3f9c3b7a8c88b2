"""Our collection of malformed replies, whole and in chunks, for each viewer. Every line was judged by hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.errors import TagError
from her.renderers import StreamReader, read_lenient, read_strict
from her.schema import Viewer

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "malformed.jsonl").read_text(encoding="utf-8").splitlines()
]
CANONICAL = {"line-breaks", "plain-brackets", "unknown-tag", "square-brackets", "prefilled-name"}
"""Cases that need no repair: they guard against forgiving too much."""


def viewers(speaker: str) -> dict[str, Viewer]:
    return {
        "self": Viewer.character(speaker),
        "other": Viewer.character("Tobin"),
        "reader": Viewer.reader(role_thinking=True, system_thinking=True),
    }


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 48
    assert len({case["id"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
@pytest.mark.parametrize("size", [1, 2, 5, None], ids=str)
def test_each_viewer_sees_what_is_written_here(case: dict, size: int | None) -> None:
    text = case["text"]
    step = size or len(text)
    each_viewer_sees(case, [text[at : at + step] for at in range(0, len(text), step)])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(CASES), st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_however_it_is_cut(case: dict, sizes: list[int]) -> None:
    text, chunks = case["text"], []
    while text:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(text[:size])
        text = text[size:]
    each_viewer_sees(case, chunks)


def each_viewer_sees(case: dict, chunks: list[str]) -> None:
    for name, viewer in viewers(case["speaker"]).items():
        reader = StreamReader(viewer, speaker=case["speaker"], prefill=case.get("prefill", ""))
        pieces = [p for chunk in chunks for p in reader.feed(chunk)] + reader.close()
        plans, body = [], []
        for piece in pieces:
            into = plans if piece.kind == "system_thinking" else body
            if piece.opens:
                into.append([piece.kind, piece.text])
            else:
                into[-1][1] += piece.text
        if plans:
            plans = [["system_thinking", "\n\n".join(text for _, text in plans)]]
        assert plans + body == case["expect"][name], name
        assert [r.kind for r in reader.repairs] == case["repairs"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_whole_reader_agrees(case: dict) -> None:
    turn = read_lenient(case["text"], speaker=case["speaker"], turn_id="t", prefill=case.get("prefill", "")).turn
    for name, viewer in viewers(case["speaker"]).items():
        view = turn.seen_by(viewer)
        shown = [["system_thinking", view.system_thinking]] if view.system_thinking else []
        assert shown + [[p.kind, p.text] for p in view.parts] == case["expect"][name]


@pytest.mark.parametrize("case", [c for c in CASES if "prefill" not in c], ids=lambda c: c["id"])
def test_the_strict_reader_refuses_whatever_needs_repair(case: dict) -> None:
    if case["id"] in CANONICAL:
        read_strict(case["text"], speaker=case["speaker"], turn_id="t")
    else:
        with pytest.raises(TagError, match="expected") as caught:
            read_strict(case["text"], speaker=case["speaker"], turn_id="t")
        assert 0 <= caught.value.position <= len(case["text"])
