"""Hold-out: adversarial titles, near-copies under other titles, and no hash that decides."""
# ruff: noqa: RUF001  (typographic marks are what is compared here)

import json
import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her.data.hold_out import HoldOut
from her.data.imports import import_dialogues
from her.data.near import Likeness, NearTexts, likeness, missed, shingles, sketch_of
from her.data.titles import Titles, fold, same_book
from her.errors import InputError
from her.renderers.coser_json import slug_of
from her.schema import Character, Dialogue, Part, Scene, Turn
from her.store import read_jsonl, write_jsonl

SAME = [
    ("Tess of the D’Urbervilles", "Tess of the D'Urbervilles"),
    ("Tess of the D’Urbervilles", "tess_of_the_durbervilles"),
    ("Moby-Dick or, The Whale", "Moby Dick"),
    ("Moby-Dick or, The Whale", "Moby-Dick; or, The Whale"),
    ("Moby-Dick or, The Whale", "Moby-Dick_or,_The_Whale"),
    ("Moby-Dick or, The Whale", "Moby Dick: The Whale (Penguin Classics)"),
    ("The Idiot", "Idiot, The"),
    ("The Idiot", "THE IDIOT [Illustrated]"),
    ("Les Misérables", "Les Miserables (Annotated Edition)"),
    ("Les Misérables", "Les Misérables, Volume 2"),
    ("1984", "Nineteen Eighty-Four"),
    ("Slaughterhouse-Five", "Slaughterhouse 5"),
    ("20,000 Leagues Under the Sea", "Twenty Thousand Leagues under the Sea"),
    ("Catch-22", "Catch Twenty-Two"),
    ("11/22/63", "11-22-63"),
    ("Who’s Afraid of Virginia Woolf?", "Whos_Afraid_of_Virginia_Woolf"),
    ("Oh! What a Paradise It Seems", "Oh What a Paradise It Seems"),
    ("Frankenstein; or, the Modern Prometheus", "Frankenstein"),
    ("Pride and Prejudice", "Pride & Prejudice"),
    ("Pride and Prejudice", "Pride and Prejudice by Jane Austen"),
    ("Harry Potter and the Sorcerer's Stone (Harry Potter, #1)", "harry potter and the sorcerer’s stone"),
    ("Little Women", "Little Women: Or, Meg, Jo, Beth and Amy"),
    ("The Complete Sherlock Holmes", "The Complete Sherlock Holmes, Volume I"),
    ("紅樓夢", "紅樓夢（上）"),
]
DIFFERENT = [
    ("Little Women", "Little Men"),
    ("Star Wars: A New Hope", "Star Wars: Heir to the Empire"),
    ("The Stand", "The Stranger"),
    ("Dune", "Dune Messiah"),
    ("1984", "1985"),
    ("It", "It Ends with Us"),
    ("The Book Thief", "The Thief"),
    ("The Jungle Book", "The Jungle"),
    ("A Tale of Two Cities", "A Tale of Three Cities"),
    ("紅樓夢", "水滸傳"),
]


@pytest.mark.parametrize(("held", "found"), SAME)
def test_one_book_under_two_titles(held: str, found: str) -> None:
    assert same_book(fold(held), fold(found))
    assert same_book(fold(found), fold(held))
    assert Titles([held, "Another"]).match(found) == held


@pytest.mark.parametrize(("held", "found"), [pair for pair in SAME if pair[0].isascii() or "’" in pair[0]])
def test_the_slug_of_a_title_is_that_book(held: str, found: str) -> None:
    assert same_book(fold(held), fold(slug_of(held)))


@pytest.mark.parametrize(("held", "found"), DIFFERENT)
def test_two_books(held: str, found: str) -> None:
    assert not same_book(fold(held), fold(found))
    assert Titles([held]).match(found) is None


@given(st.text(max_size=40))
def test_any_title_is_itself_or_has_no_letters(title: str) -> None:
    folded = fold(title)
    assert same_book(folded, folded) or not folded.whole
    assert folded == fold(f"  {title} ")


WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "lk")]


def text(rng: random.Random, words: int) -> list[str]:
    return rng.choices(WORDS, k=words)


def talk(ident: str, lines: list[list[str]], *, scenario: str = "", book: str | None = None) -> Dialogue:
    turns = tuple(
        Turn(id=f"t{i}", speaker=("Ada", "Bo")[i % 2], parts=(Part(kind="speech", text=" ".join(line)),))
        for i, line in enumerate(lines)
    )
    cast = (Character(name="Ada"), Character(name="Bo"))
    scene = Scene(id=ident, book_id=book, chapter=None, scenario=scenario, characters=cast)
    return Dialogue(id=ident, scene=scene, turns=turns, provenance="imported")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(20, 300), st.floats(0.3, 3))
def test_whatever_is_near_is_found(seed: int, share: float, length: int, ratio: float) -> None:
    """MinHash proposes, and misses next to nothing of what exact counting calls near: here, nothing at all."""
    rng = random.Random(seed)
    known = text(rng, length)
    shared = known[: int(share * length)]
    other = [*shared, *text(rng, max(0, int(length * ratio) - len(shared)))] or ["x"]
    db = sqlite3.connect(":memory:")
    index = NearTexts(db, "t")
    for k in range(5):
        index.add(f"other {k}", sketch_of(talk(f"o{k}", [text(rng, 200)])))
    index.add("known", sketch_of(talk("k", [known])))
    asked = sketch_of(talk("a", [other]))
    exact = likeness(asked.hashes, sketch_of(talk("k", [known])).hashes)
    found = index.find(asked)
    db.close()
    if exact.near() and exact.jaccard >= 0.25:
        assert found is not None
        assert (found.name, found.likeness) == ("known", exact)
    elif not exact.near():
        assert found is None


def test_bands_miss_less_than_the_usual_ones() -> None:
    def usual(jaccard: float) -> float:
        return float((1 - jaccard**8) ** 14)

    assert missed(0.5) < 1e-15 < usual(0.5)
    assert usual(0.5) > 0.9
    assert missed(0.25) < 3e-4
    assert missed(0.2) < 0.006


def test_likeness_is_counted() -> None:
    assert likeness([1, 2, 3], [2, 3, 4]) == Likeness(jaccard=0.5, contained=2 / 3, shared=2)
    assert likeness([], [1]) == Likeness(jaccard=0, contained=0, shared=0)
    assert not Likeness(jaccard=0.3, contained=0.9, shared=24).near()
    assert Likeness(jaccard=0.3, contained=0.9, shared=25).near()


def test_shingles_are_of_words_and_of_signs() -> None:
    assert shingles(talk("d", [["One,"], ["two", "THREE"], ["four", "five", "six!"]])) == [
        "one two three four five", "two three four five six",
    ]  # fmt: skip
    assert shingles(talk("d", [["我們", "明天", "去"]])) == ["我 們 明 天 去"]
    assert shingles(talk("d", [["yes"]], scenario="A hall.")) == ["a hall", "yes"]


def held_by(path: Path, *dialogues: Dialogue, titles: dict[str, str] | None = None) -> list[str | None]:
    db = sqlite3.connect(":memory:")
    hold_out = HoldOut(db)
    hold_out.add(path)
    found = [hold_out.find(d, (titles or {}).get(d.id)) for d in dialogues]
    db.close()
    return [None if f is None else f"{f.reason} {f.against}" for f in found]


def test_near_copies_under_another_title(tmp_path: Path) -> None:
    rng = random.Random(3)
    lines = [text(rng, rng.randint(4, 30)) for _ in range(14)]
    case = talk("case", lines, scenario=" ".join(text(rng, 60)))
    write_jsonl(tmp_path / "test.jsonl", [case])

    def thinking(turn: Turn) -> Turn:
        return turn.model_copy(update={"parts": (Part(kind="thought", text=" ".join(text(rng, 30))), *turn.parts)})

    thoughtful = case.model_copy(update={"id": "thoughtful", "turns": tuple(thinking(t) for t in case.turns)})
    shouted = talk("shouted", [[w.upper() + "!" for w in line] for line in lines], scenario=case.scene.scenario)
    cut = talk("cut", lines[:9], scenario="Somewhere else altogether.")
    piece = talk("piece", lines[4:7])
    within = talk("within", [*([text(rng, 20)] * 6), *lines, text(rng, 20)])
    edited = talk("edited", [[*line[:-1], "ever"] if i % 3 else line for i, line in enumerate(lines)])
    other = talk("other", [text(rng, 20) for _ in range(14)])
    found = held_by(tmp_path / "test.jsonl", thoughtful, shouted, cut, piece, within, edited, other)
    assert found == ["near_text case"] * 6 + [None]


def test_what_is_not_understood_is_not_passed_over(tmp_path: Path) -> None:
    hold_out = HoldOut(sqlite3.connect(":memory:"))
    for bad, says in (
        ("{broken\n", r"t\.jsonl:1: not_json"),
        ('{"a": 1}\n', "unknown_format keys a"),
        ("[]", "no book and no"),
    ):
        path = tmp_path / "t.jsonl"
        path.write_text(bad)
        with pytest.raises(InputError, match=says):
            hold_out.add(path)


def test_a_case_that_cannot_be_read_is_held_out_by_its_title(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps([{"book": "The Mill", "dialogues": [{"character": "Anna", "message": ""}]}]))
    hold_out = HoldOut(sqlite3.connect(":memory:"))
    kept = hold_out.add(path)
    assert (kept.titles, kept.scenes, kept.unread) == (1, 0, {"empty": 1, "too_short": 1})
    assert hold_out.find(talk("d", [["x"]]), "Mill, The") is not None


def test_scenes_alone_where_their_books_are_trained_on(tmp_path: Path) -> None:
    rng = random.Random(5)
    case, sister = (talk(name, [text(rng, 40)], book="mill") for name in ("case", "sister"))
    write_jsonl(tmp_path / "t.jsonl", [case])
    for by_title, expected in ((True, ["title", "title"]), (False, ["near_text", None])):
        hold_out = HoldOut(sqlite3.connect(":memory:"), by_title=by_title)
        hold_out.add(tmp_path / "t.jsonl")
        found = [hold_out.find(d, "mill") for d in (case, sister)]
        assert [f and f.reason for f in found] == expected
    (tmp_path / "t.json").write_text(json.dumps([{"book": "mill", "dialogues": []}]))
    with pytest.raises(InputError, match="no text to hold out"):
        HoldOut(sqlite3.connect(":memory:"), by_title=False).add(tmp_path / "t.json")


def test_the_real_test_set_under_any_title(tmp_path: Path, shared_data: Path) -> None:
    """Every case is found by title, and by its text alone where the title is gone and the thoughts are others."""
    path = shared_data / "coser" / "test_set_sample.json"
    import_dialogues(path, format="coser-raw", out=tmp_path / "cases.jsonl")
    cases = read_jsonl(tmp_path / "cases.jsonl", Dialogue)
    import_dialogues(shared_data / "coser" / "king-lear.full.json", format="coser", out=tmp_path / "lear.jsonl")
    lear = read_jsonl(tmp_path / "lear.jsonl", Dialogue)
    titles = {d.id: d.scene.book_id or "" for d in cases}
    assert [f for f in held_by(path, *cases, titles=titles) if f is None or not f.startswith("title ")] == []
    assert held_by(path, *cases) == [f"near_text {d.id}" for d in cases]
    assert held_by(path, *lear) == [None] * len(lear)
    for name in ("Tess of the D'Urbervilles", "Moby-Dick", "Les Miserables", "the_idiot"):
        assert held_by(path, lear[0], titles={lear[0].id: name})[0] is not None
