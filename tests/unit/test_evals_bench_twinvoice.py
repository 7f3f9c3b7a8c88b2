"""TwinVoice on models of known behaviour; what is shown of a person and what is not; length and place as controls."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from exam_cases import Answering, examined, mini, settled, shared

from her.errors import ConfigError, InputError
from her.evals.benchmarks import Summary
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.twin_data import TwinQuestion
from her.evals.benchmarks.twinvoice import TWINVOICE, person, posed
from her.llm import Request

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evals" / "twinvoice.json").read_text())
ITEMS = mini(TWINVOICE).items
DIMENSIONS = ("interpersonal", "narrative", "social")


def answering(answer: Callable[[TwinQuestion, dict[str, str]], str]) -> Answering:
    """A model that is told which item it is asked about, and sees the options as they stand in the request."""

    def reply(request: Request) -> str:
        prompt = request.messages[-1].content
        (item,) = [i for i in ITEMS if person(i) in prompt]
        asked = prompt.split("Four things that could be said next:\n")[1].split("\n\nWhich")[0]
        return answer(item, dict(line.split(". ", 1) for line in asked.splitlines()))

    return Answering(reply)


def tagged(letter: str) -> str:
    return f"<answer>{letter}</answer>"


def right(item: TwinQuestion, options: dict[str, str]) -> str:
    return tagged(next(letter for letter, text in options.items() if text == item.options[item.gold]))


def wrong(item: TwinQuestion, options: dict[str, str]) -> str:
    return tagged(next(letter for letter, text in options.items() if text != item.options[item.gold]))


def shortest(_: TwinQuestion, options: dict[str, str]) -> str:
    return tagged(min(options, key=lambda letter: len(options[letter])))


def value(summary: Summary, metric: str = "accuracy", group: str = "") -> tuple[float | None, int, int]:
    figure = summary.figure(metric, group)
    assert figure is not None, (metric, group)
    return figure.estimate.value, figure.estimate.n, figure.unscored


def controls(summary: Summary) -> dict[str, float | None]:
    return {c.name: c.estimate.value for c in summary.controls}


def test_perfect() -> None:
    _, summary = examined(TWINVOICE, answering(right))
    assert value(summary) == (1, 60, 0)
    assert [value(summary, group=f"dimension: {d}") for d in DIMENSIONS] == [(1, 20, 0)] * 3
    assert (summary.items, summary.clusters, summary.marked) == (60, 12, False)


def test_adversarial() -> None:
    _, summary = examined(TWINVOICE, answering(wrong))
    assert value(summary) == (0, 60, 0)


def test_never_parses() -> None:
    _, summary = examined(TWINVOICE, Answering(lambda _: "A person contains multitudes."))
    assert value(summary) == (None, 0, 60)
    assert (summary.reasons, summary.marked) == ({"no_answer": 60}, True)


def test_always_shortest_earns_chance_and_is_seen() -> None:
    """Each four options are asked four times, each with another person: whoever ignores the person earns 1 in 4."""
    _, summary = examined(TWINVOICE, answering(shortest))
    assert value(summary) == (GOLDEN["shortest"], 60, 0)
    assert value(summary, group="shortest option: right") == (1, 15, 0)
    assert value(summary, group="shortest option: wrong") == (0, 45, 0)
    assert controls(summary)["picks the shortest"] == 1
    assert controls(summary)["picks the longest"] == 0


def test_neither_length_nor_place_tells_in_our_own_set() -> None:
    _, summary = examined(TWINVOICE, answering(right))
    chance = {f"{which} option": 0.25 for which in ("random", "shortest", "longest", "first")}
    assert chance.items() <= controls(summary).items()
    assert Counter(i.gold for i in ITEMS) == dict.fromkeys("ABCD", 15)
    for dimension in DIMENSIONS:  # beside the score of each dimension too
        for name, expected in chance.items():
            assert value(summary, f"control: {name}", f"dimension: {dimension}") == (expected, 20, 0)
    for letter in "ABCD":
        assert value(summary, group=f"right option at: {letter}") == (1, 15, 0)
    # No person is always the shortest or the longest: length is not a name.
    for extreme in (min, max):
        of = Counter((i.dimension, extreme(i.options.values(), key=len)) for i in ITEMS)
        told = {(i.dimension, i.options[i.gold]): i.speaker for i in ITEMS}
        by_person = Counter((dimension, told[dimension, text]) for dimension, text in of)
        assert max(by_person.values()) < 5


def test_repeats_move_the_right_option_through_every_place() -> None:
    settings = settled(TWINVOICE, repeats=4)
    scores, summary = examined(TWINVOICE, answering(lambda *_: tagged("A")), settings=settings)
    assert value(summary) == (0.25, 240, 0)
    for item in ITEMS:
        golds = {s.gold for s in scores if s.item_id == item.id}
        assert golds == set("ABCD")
    assert controls(summary)["picks the first"] == 1
    _, summary = examined(TWINVOICE, answering(right), settings=settings)
    assert value(summary) == (1, 240, 0)
    fixed = settled(TWINVOICE, options={"rotate": "no"})
    assert posed(ITEMS[1], 3, fixed) == (ITEMS[1].options, ITEMS[1].gold)


def test_upstream_asks_step_by_step_and_counts_the_unreadable_as_wrong() -> None:
    settings = settled(TWINVOICE, profile="upstream")
    model = Answering(lambda _: "B")
    _, summary = examined(TWINVOICE, model, settings=settings)
    assert value(summary) == (0, 60, 0)
    assert "step by step" in model.requests[0].messages[0].content
    assert model.requests[0].max_tokens == 1024
    _, summary = examined(TWINVOICE, Answering(lambda _: "B"))
    assert value(summary) == (0.25, 60, 0)


def test_a_reply_may_be_held_to_json() -> None:
    settings = settled(TWINVOICE, options={"form": "json"})
    model = answering(lambda i, o: json.dumps({"answer": right(i, o)[8]}))
    _, summary = examined(TWINVOICE, model, settings=settings)
    assert value(summary) == (1, 60, 0)
    assert '"enum": ["A", "B", "C", "D"]' in str(model.requests[0].json_schema)
    assert controls(summary)["picks the shortest"] == 0.25
    _, summary = examined(TWINVOICE, Answering(lambda _: '{"answer": "E"}'), settings=settings)
    assert summary.reasons == {"not_an_option": 60}


def test_a_narrative_speaker_is_known_by_what_was_said_earlier() -> None:
    for item in (i for i in ITEMS if i.dimension == "narrative"):
        assert item.options[item.gold] not in item.history
        assert 4 <= len(item.history) <= 8
    last = max((i for i in ITEMS if i.speaker == "Oda Brandt"), key=lambda i: len(i.history))
    assert last.history[-1] == "Ferry. Four aboard. Say your business short."
    assert "Tie her up. Twice." not in last.history  # she says so later
    upstream = mini(TWINVOICE, settled(TWINVOICE, profile="upstream")).items
    leaking = [i for i in upstream if i.dimension == "narrative" and i.options[i.gold] in i.history]
    assert len(leaking) == 20


def test_what_is_shown_can_be_set() -> None:
    short = mini(TWINVOICE, settled(TWINVOICE, options={"history": "2"})).items
    assert {len(i.history) for i in short} == {2}
    assert short[0].history == ITEMS[0].history[-2:]
    shown = mini(TWINVOICE, settled(TWINVOICE, options={"persona": "shown"})).items
    assert "Traits: Laconic" in person(next(i for i in shown if i.speaker == "Oda Brandt"))
    assert not [i for i in ITEMS if "Traits:" in person(i)]
    for wrong_number in ("0", "many", "-1"):
        with pytest.raises(ConfigError, match="history is a number of lines"):
            mini(TWINVOICE, settled(TWINVOICE, options={"history": wrong_number}))


def test_published_files_load_and_run(shared_data: Path) -> None:
    exam = TWINVOICE.load(shared(shared_data, "twinvoice"), settled(TWINVOICE))
    reasons = Counter(r.reason for r in exam.refused)
    assert len(exam.items) == 301 - 19
    assert sorted(reasons.values()) == [6, 13]  # the answer stands in the text; nothing was said before
    assert not [i for i in exam.items if i.options[i.gold] in i.stimulus]
    part = exam.limited(24, seed=0, whole_clusters=False)
    assert len({i.cluster for i in part.items}) == 24
    _, summary = examined(TWINVOICE, Answering(lambda _: "<answer>C</answer>"), exam=part)
    assert summary.unscored == 0
    upstream = TWINVOICE.load(shared(shared_data, "twinvoice"), settled(TWINVOICE, profile="upstream"))
    assert (len(upstream.items), upstream.refused) == (301, ())
    every = [posed(i, 0, settled(TWINVOICE)) for i in upstream.items]
    by_length = sum(len(o[g]) == min(map(len, o.values())) for o, g in every) / len(every)
    assert 0.45 < by_length < 0.6  # published: .532 of all 1,187


def post(**changes: object) -> dict[str, object]:
    history = ["AnchorPost: a UserReply: b"]
    plain = {"user_id": "u", "anchor_post": "Rain?", "history": history, "choices": [*"wxyz"], "answer_idx": 2}
    return plain | changes


def line(**changes: object) -> dict[str, object]:
    plain = {
        "chunk_id": "00005",
        "speaker": "Ann",
        "speaker_match_key": "Ann",
        "utterance": "w",
        "context": "It rains.",
        "mcq": {"options": {"A": "w", "B": "x", "C": "y", "D": "z"}, "answer": "A"},
        "distractor_by": [],
        "source_novel": "N",
    }
    return plain | changes


def profiles(*said: tuple[str, str], names: tuple[str, ...] = ("Ann",)) -> dict[str, object]:
    empty = {"NameVariants": [], "Personality Traits": [], "Motivation and Goals": [], "Additional Details": {}}
    history = [{"chunk_id": c, "utterance": u, "context": ""} for c, u in said]
    listed = [{"NameCanonical": name, **empty, "UtteranceHistory": history} for name in names]
    return {"characterList": {f"C{n}": profile for n, profile in enumerate(listed)}}


def refusals(folder: Path, *lines: object, known: object) -> list[str]:
    (folder / "choices.jsonl").write_text("".join(json.dumps(r) + "\n" for r in (line(), *lines)))
    (folder / "profiles.jsonl").write_text(json.dumps(known, indent=1))
    return [r.reason for r in TWINVOICE.load(folder, settled(TWINVOICE)).refused]


def test_narrative_rows_that_would_leak_or_cannot_be_asked_are_refused(tmp_path: Path) -> None:
    four = {"options": {"A": "w", "B": "W ", "C": "y", "D": "z"}, "answer": "C"}
    three = {"options": {"A": "w", "B": "x", "C": "y"}, "answer": "A"}
    found = refusals(
        tmp_path,
        line(context="She said: w"),
        line(chunk_id="00002"),
        line(chunk_id="five"),
        line(speaker_match_key="Bea"),
        line(mcq=four),
        line(mcq=three),
        line(context=" "),
        known=profiles(("00002", "early"), ("00009", "late"), ("00005", "w"), ("00001", "   ")),
    )
    assert found == GOLDEN["refusals"]
    exam = TWINVOICE.load(tmp_path, settled(TWINVOICE))
    assert [i.history for i in exam.items] == [("early",)]
    both = refusals(
        tmp_path, line(speaker_match_key="Bea"), known=profiles(("00001", "x"), names=("Ann", "Bea", "Bea"))
    )
    assert both == ["more than one profile has the speaker's name"]


def test_posts_that_leak_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    rows = [post(), post(history=["AnchorPost: Rain? UserReply: y"]), post(history=[]), post(context=None)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert [r.reason for r in TWINVOICE.load(path, settled(TWINVOICE)).refused] == [
        "the right answer to this very post stands in the history",
        "nothing shows who is speaking: there is no earlier history",
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"posts.jsonl": post(answer_idx=4)}, "posts.jsonl:1: field 'answer_idx' is wrong"),
        ({"posts.jsonl": post(choices=["a"])}, "posts.jsonl:1: field 'choices' is wrong"),
        ({"posts.jsonl": post(context="both")}, "posts.jsonl:1: field 'the record' is wrong"),
        ({"posts.jsonl": {"hello": 1}}, "is none of TwinVoice's files"),
        ({"choices.jsonl": line()}, "needs the speakers' profiles"),
        ({"choices.jsonl": line(), "p.json": {"characterList": []}}, "p.json: field 'characterList' is no object"),
        (
            {"choices.jsonl": line(), "p.json": {"characterList": {"X": {}}}},
            "p.json, X: field 'NameCanonical' is missing",
        ),
        (
            {"choices.jsonl": line(mcq={"options": {"E": "v"}, "answer": "A"}), "p.json": profiles()},
            "choices.jsonl:1: field 'mcq.options",
        ),
        ({}, "holds no .jsonl or .json file"),
    ],
)
def test_hostile_files_are_named(tmp_path: Path, files: dict[str, object], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content) + "\n")
    with pytest.raises(InputError, match=said):
        TWINVOICE.load(tmp_path, settled(TWINVOICE))


def test_one_file_of_posts_is_enough() -> None:
    exam = TWINVOICE.load(mini_set(TWINVOICE.card) / "social.jsonl", settled(TWINVOICE))
    assert (len(exam.items), exam.data.name) == (20, "social.jsonl")
