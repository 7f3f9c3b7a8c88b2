# ruff: noqa: RUF001 -- look-alike characters are tested here
"""The grammar's laws: what is written reads back; chunks do not matter; no viewer sees another's thought."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.errors import TagError
from her.renderers import StreamReader, read_lenient, read_strict, render_turn
from her.renderers.canonical import CanonicalReader
from her.renderers.machine import Machine, Piece
from her.renderers.marks import OPENERS, More, match
from her.renderers.tags import build_turn
from her.schema import Part, Turn, Viewer, merge_parts

NAME = "Mara"
VIEWERS = [
    Viewer.character("Tobin"),
    Viewer.character("Tobin", "keep_own_system"),
    Viewer.character(NAME),
    Viewer.character(NAME, "keep_own_system"),
    Viewer.reader(),
    Viewer.reader(role_thinking=True),
    Viewer.reader(role_thinking=True, system_thinking=True),
    Viewer.reader(system_thinking=True),
    Viewer.judge(role_thinking=False),
    Viewer.judge(role_thinking=True),
]
FRAGMENTS = [
    "<role_thinking>", "</role_thinking>", "<role_action>", "</role_action>", "<system_thinking>", "</system_thinking>",
    "<think>", "</think>", "<Role_Thinking id='1'>", "< role thinking >", "<role_speech>", "</role_speech>",
    "＜role_thinking＞", "&lt;role_thinking&gt;", "<ro\u200ble_thinking>", "<role_thinking/>", "<role_thi",
    "role_thinking>", "nking>", "<", ">", "/", "&", "&lt", "lt;", "</", "<|im_end|>", "<|im_start|>assistant\n", "<|im",
    "<b>", "3 < 5", "<3", "Mara: ", "Mara:", "mara: ", "**Mara:** ",
    "Mar", "Tobin: ", " ", "\n", "\n\n", "secret", "Hello.", "a", "x y",
    "\u200b", "\x1c", "\x85", "«", "<role_thinkingI must", "<system thinking",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)
PLAIN = st.text(alphabet=st.sampled_from(list("ab <>/&:\n'\"_|3é—\u200b")), min_size=1, max_size=24)


def chunks(text: str, sizes: list[int]) -> list[str]:
    out, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)] if sizes else len(text)
        out.append(text[at : at + size])
        at, turn = at + size, turn + 1
    return out


def shown(viewer: Viewer, text: str, sizes: list[int], *, prefill: str = "", eager: bool = False) -> list[list[str]]:
    reader = StreamReader(viewer, speaker=NAME, prefill=prefill, eager=eager)
    pieces = [p for chunk in chunks(text, sizes) for p in reader.feed(chunk)] + reader.close()
    joined: list[list[str]] = []
    for piece in pieces:
        if piece.opens:
            joined.append([piece.kind, piece.text])
        else:
            last = [item for item in joined if (item[0] == "system_thinking") == (piece.kind == "system_thinking")][-1]
            assert last[0] == piece.kind
            last[1] += piece.text
    return joined


def whole(viewer: Viewer, text: str, *, prefill: str = "") -> list[list[str]]:
    try:
        turn = read_lenient(text, speaker=NAME, turn_id="t", prefill=prefill).turn.seen_by(viewer)
    except TagError:
        return []
    return [[p.kind, p.text] for p in turn.parts]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXT, st.lists(st.integers(1, 7), min_size=1, max_size=4), st.sampled_from(["", "<system_thinking>", "Mara: "]))
def test_any_chunking_shows_each_viewer_the_whole_turn(text: str, sizes: list[int], prefill: str) -> None:
    for viewer in VIEWERS:
        body = [item for item in shown(viewer, text, sizes, prefill=prefill) if item[0] != "system_thinking"]
        assert body == whole(viewer, text, prefill=prefill)
        for eager in {False, viewer.kind == "reader"}:
            by_chunks = shown(viewer, text, sizes, prefill=prefill, eager=eager)
            assert by_chunks == shown(viewer, text, [max(1, len(text))], prefill=prefill, eager=eager)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXT)
def test_what_is_read_leniently_can_be_written_and_reads_strictly(text: str) -> None:
    try:
        turn = read_lenient(text, speaker=NAME, turn_id="t").turn
    except TagError:
        return
    for view in [turn, *(turn.seen_by(v) for v in VIEWERS)]:
        if view.parts:
            assert read_strict(render_turn(view), speaker=NAME, turn_id="t") == view


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TEXT)
def test_what_is_strict_needs_no_repair(text: str) -> None:
    try:
        turn = read_strict(text, speaker=NAME, turn_id="t")
    except TagError:
        return
    reading = read_lenient(text, speaker=NAME, turn_id="t")
    assert (reading.turn, reading.repairs) == (turn, ())
    assert read_strict(render_turn(turn), speaker=NAME, turn_id="t") == turn


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    kinds = draw(st.lists(st.sampled_from(["thought", "action", "speech"]), min_size=1, max_size=5))
    texts = [draw(PLAIN).strip() or "x" for _ in kinds]
    parts = tuple(Part(kind=kind, text=text) for kind, text in zip(kinds, texts, strict=True))
    plan = draw(st.none() | PLAIN.map(str.strip).filter(bool))
    return Turn(id="t", speaker=NAME, system_thinking=plan, parts=merge_parts(parts))


def tagged(turn: Turn) -> str:
    """The turn's text; empty where the turn is refused."""
    try:
        return render_turn(turn)
    except TagError:
        return ""


@settings(max_examples=500, deadline=None, derandomize=True)
@given(turns(), st.booleans())
def test_parse_after_render_is_identity(turn: Turn, name_prefix: bool) -> None:
    try:
        text = render_turn(turn, name_prefix=name_prefix)
    except TagError:
        return
    assert read_strict(text, speaker=NAME, turn_id="t") == turn
    assert read_lenient(text, speaker=NAME, turn_id="t").repairs == ()


@settings(max_examples=500, deadline=None, derandomize=True)
@given(TEXT | turns().map(tagged), st.sampled_from(["", "Mara: ", "<role_thinking>hm</role_thinking>"]))
def test_the_short_way_never_disagrees_with_the_machine(text: str, before: str) -> None:
    text = before + text
    pieces = CanonicalReader(NAME).read(text)
    machine = Machine(speaker=NAME)
    certain = machine.feed(text) + machine.close()
    if pieces is not None:
        assert (pieces, machine.repairs) == (certain, [])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(turns())
def test_the_short_way_is_taken_where_nothing_looks_like_a_tag(turn: Turn) -> None:
    text = tagged(turn)
    if text and not any(OPENERS.search(t) for t in (turn.system_thinking or "", *(p.text for p in turn.parts))):
        assert CanonicalReader(NAME).read(text) is not None


SECRET = "ZQX"
OPEN = ["<role_thinking>", "<system_thinking>", "<think>", "<THOUGHT>", "< role_thinking >", "<role_thinking a='b'>",
        "<role_thinking ", "<long_role_thinking>", "＜role_thinking＞", "&lt;role_thinking&gt;", "<rоle_thinking>",
        "<role\u200b_thinking>", "<system thinking>", "</role_thinking>", ""]  # fmt: skip
CLOSE = [
    "</role_thinking>",
    "</system_thinking>",
    "</think>",
    "</ROLE_THINKING>",
    "< /role_thinking >",
    "&lt;/thought&gt;",
]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.sampled_from(["", "Mara: ", "<system_thinking>plan</system_thinking>Mara: ", "Good day. "]),
    st.sampled_from(OPEN),
    st.sampled_from(["", "a ", "<role_action>nods</role_action>", "<b> ", "3 < 5 ", "<role_speech>"]),
    st.sampled_from(CLOSE),
    st.sampled_from(["", "Hello.", "<role_action>waves</role_action>Hi", "<role_thinking>more</role_thinking>Hi."]),
    st.integers(1, 5),
)
def test_no_one_else_sees_the_secret_whatever_the_tags(
    before: str, opens: str, middle: str, closes: str, after: str, size: int
) -> None:
    text = f"{before}{opens}{middle}{SECRET}{closes}{after}"
    for viewer in (Viewer.character("Tobin"), Viewer.reader(), Viewer.judge(role_thinking=False)):
        assert SECRET not in str(shown(viewer, text, [size])), text
        if opens and opens != "</role_thinking>":
            assert SECRET not in str(shown(viewer, f"{before}{opens}{middle}{SECRET}", [size])), text


@pytest.mark.parametrize("text", ["3 < 5", "<b>bold</b>", "a<b", "I <3 you", "<-", "x <", "<thing>", "if (a<b && c>d)",
                                  "«<»", "&lt;b&gt;", "<role_play>", "<|", "R&D", "Q&", "<system>",
                                  "<rolex>"])  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 100])
def test_angle_brackets_in_speech_survive(text: str, size: int) -> None:
    for eager in (False, True):
        assert shown(Viewer.reader(), f"Mara: {text}", [size], eager=eager) == [["speech", text]]
    turn = read_strict(f"Mara: {text} then", speaker=NAME, turn_id="t")
    assert turn.parts[0].text == f"{text} then"


def sees(viewer: Viewer) -> set[str]:
    parts = tuple(Part(kind=kind, text="x") for kind in ("thought", "action", "speech"))
    view = Turn(id="t", speaker=NAME, system_thinking="x", parts=parts).seen_by(viewer)
    return {p.kind for p in view.parts} | ({"system_thinking"} if view.system_thinking else set())


CHUNK = st.lists(st.sampled_from([*FRAGMENTS, "</role_", "<role_act", "ion>", "<role_action>nods</role_action>"]))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    CHUNK, st.integers(0, 30), st.sampled_from(["", "<system_thinking>", "Mara: ", "<role_thinking>so"]), st.booleans()
)
def test_no_chunk_is_shown_later_than_the_machine_is_certain(
    chunks: list[str], ask_at: int, prefill: str, eager: bool
) -> None:
    """The reader keeps chunks that show nothing; this one keeps none."""
    for viewer in VIEWERS:
        if eager and viewer.kind != "reader":
            continue
        reader = StreamReader(viewer, speaker=NAME, prefill=prefill, eager=eager)
        machine = Machine(speaker=NAME, prefill=prefill, eager=eager)
        early = machine.opening()
        for i, chunk in enumerate(chunks):
            certain = early + machine.feed(chunk)
            early = []
            seen = [p.text.lstrip() for p in certain if p.kind in sees(viewer)]
            assert [p.text.lstrip() for p in reader.feed(chunk)] == seen
            if i == ask_at:
                assert list(reader.repairs) == machine.repairs
        left = [p.text.lstrip() for p in early + machine.close() if p.kind in sees(viewer)]
        assert [p.text.lstrip() for p in reader.close()] == left
        assert list(reader.repairs) == machine.repairs


@settings(max_examples=300, deadline=None, derandomize=True)
@given(TEXT, TEXT)
def test_what_is_decided_of_a_tag_stays_so(text: str, more: str) -> None:
    """What lets a tag be looked up rather than read: its answer does not depend on what follows."""
    for opener in OPENERS.finditer(text):
        answer = match(text, opener.start(), final=False)
        alone = match(text[opener.start() :], 0, final=False)
        assert answer == alone
        if not isinstance(answer, More):
            assert match(text + more, opener.start(), final=False) == answer
            assert match(text, opener.start(), final=True) == answer


def test_pieces_are_values() -> None:
    """One piece is given to every viewer, so none may change it."""
    piece = Machine(speaker=NAME).feed("<role_thinking>hm")[0]
    assert piece == Piece(kind="thought", text="hm", opens=True)
    with pytest.raises(AttributeError):
        piece.text = "other"  # type: ignore[misc]


def test_an_eager_reader_hears_speech_as_it_comes() -> None:
    reader = StreamReader(Viewer.reader(), speaker=NAME, eager=True)
    reader.feed("<system_thinking>plan</system_thinking>Mara: <role_thinking>hm</role_thinking>")
    assert [p.text for c in ("Good ", "evening, ", "sir.") for p in reader.feed(c)] == ["Good", " evening,", " sir."]


def test_others_are_never_read_to_eagerly() -> None:
    with pytest.raises(ValueError, match="eager"):
        StreamReader(Viewer.character("Tobin"), speaker=NAME, eager=True)


ENDLESS = [
    "<" * 20_000, "&lt;" * 5_000, "<role_thinking " * 2_000, "< role " * 3_000, "<role_thi" * 2_000, "&" * 20_000,
    "<role_thinking" + " " * 20_000, "<" + "\n \u200b" * 7_000, "<|im" + " " * 20_000, "Mara" + " " * 20_000,
    "<role_thinking>" + " " * 20_000, "</role_thinking>" * 2_000, "<role_action>a</role_action>" * 1_000,
]  # fmt: skip


@pytest.mark.timeout(60)
def test_reading_is_linear_in_the_text() -> None:
    for text in ENDLESS:
        machine = Machine(speaker=NAME)
        pieces = [e for c in chunks(text, [3]) for e in machine.feed(c)] + machine.close()
        build_turn(pieces, speaker=NAME, turn_id="t")
        reader = StreamReader(Viewer.reader(), speaker=NAME)
        for chunk in chunks(text, [3]):
            reader.feed(chunk)
        reader.close()
