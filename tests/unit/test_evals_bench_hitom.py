"""Hi-ToM on models of known behaviour, our own stories, and rows of every shape."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from exam_cases import Answering, examined, mini, settled, shared
from hypothesis import given
from hypothesis import strategies as st

from her.errors import InputError
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.hitom import HITOM, HiToMQuestion
from her.evals.benchmarks.story import Event, belief, rows, tell
from her.evals.benchmarks.upstream.hitom import HiToMRow
from her.llm import Request
from her.store import read_jsonl

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evals" / "hitom.json").read_text())
ITEMS = mini(HITOM).items


def answering(answer: Callable[[HiToMQuestion], str]) -> Answering:
    """A model that knows the item it is asked about."""

    def reply(request: Request) -> str:
        last = request.messages[-1].content
        found = [i for i in ITEMS if i.story in last and f"Question: {i.question}\n" in last]
        assert len(found) == 1
        return answer(found[0])

    return Answering(reply)


def tagged(letter: str) -> str:
    return f"<answer>{letter}</answer>"


def wrong(item: HiToMQuestion) -> str:
    return next(letter for letter in item.options if letter != item.gold)


def shortest(item: HiToMQuestion) -> str:
    return min(item.options, key=lambda letter: len(item.options[letter]))


def value(summary: object, metric: str, group: str = "") -> tuple[float | None, int, int]:
    figure = summary.figure(metric, group)  # type: ignore[attr-defined]
    return figure.estimate.value, figure.estimate.n, figure.unscored


def test_perfect() -> None:
    scores, summary = examined(HITOM, answering(lambda i: tagged(i.gold)))
    assert value(summary, "accuracy") == (1.0, 60, 0)
    assert value(summary, "joint accuracy", "order: 4") == (1.0, 12, 0)
    assert (summary.items, summary.clusters, summary.marked) == (60, 12, False)
    assert len({s.item_id for s in scores}) == 60


def test_adversarial() -> None:
    _, summary = examined(HITOM, answering(lambda i: tagged(wrong(i))))
    assert value(summary, "accuracy") == (0.0, 60, 0)
    assert value(summary, "joint accuracy", "order: 0") == (0.0, 12, 0)
    figure = summary.figure("accuracy")
    assert figure is not None
    assert figure.estimate.high == pytest.approx(1.959964**2 / (12 + 1.959964**2))  # Wilson on 0 of 12 stories


def test_never_parses() -> None:
    _, summary = examined(HITOM, Answering(lambda _: "It depends on what one means by knowing."))
    assert value(summary, "accuracy") == (None, 0, 60)
    assert value(summary, "joint accuracy", "order: 4") == (None, 0, 12)
    assert (summary.reasons, summary.marks, summary.unscored, summary.marked) == ({"no_answer": 60}, 60, 60, True)


def test_upstream_counts_the_unreadable_as_wrong() -> None:
    settings = settled(HITOM, profile="upstream")
    _, summary = examined(HITOM, Answering(lambda _: "B"), settings=settings)
    assert value(summary, "accuracy") == (0.0, 60, 0)
    _, summary = examined(HITOM, answering(lambda i: f"{tagged(i.gold)} {tagged(wrong(i))}"), settings=settings)
    assert value(summary, "accuracy") == (1.0, 60, 0)  # the first tag counts there
    _, summary = examined(HITOM, answering(lambda i: f"{tagged(i.gold)} {tagged(wrong(i))}"))
    assert value(summary, "accuracy") == (None, 0, 60)


def test_always_shortest_earns_its_control() -> None:
    assert [i.id for i in ITEMS if shortest(i) == i.gold] == GOLDEN["shortest_right"]
    right = len(GOLDEN["shortest_right"])
    _, summary = examined(HITOM, answering(lambda i: tagged(shortest(i))))
    assert value(summary, "accuracy") == (right / 60, 60, 0)
    controls = {c.name: c.estimate.value for c in summary.controls}
    # Where k options are equally short a guesser takes one of them: the share of gold among the shortest, item by item.
    among = [[letter for letter, text in i.options.items() if len(text) == len(i.options[shortest(i)])] for i in ITEMS]
    expected = sum((i.gold in letters) / len(letters) for i, letters in zip(ITEMS, among, strict=True)) / 60
    assert controls["shortest option"] == pytest.approx(expected)
    assert controls["random option"] == pytest.approx(1 / 15)


def test_an_unread_order_leaves_the_joint_open_unless_a_lower_one_was_wrong() -> None:
    _, summary = examined(HITOM, answering(lambda i: tagged(i.gold) if i.order < 3 else "hm"))
    assert value(summary, "accuracy") == (1.0, 36, 24)
    assert value(summary, "joint accuracy", "order: 2") == (1.0, 12, 0)
    assert value(summary, "joint accuracy", "order: 4") == (None, 0, 12)
    _, summary = examined(HITOM, answering(lambda i: tagged(wrong(i)) if i.order == 0 else "hm"))
    assert value(summary, "joint accuracy", "order: 4") == (0.0, 12, 0)


def test_prompts_ask_for_the_answer_alone_or_step_by_step() -> None:
    model = answering(lambda i: tagged(i.gold))
    examined(HITOM, model)
    examined(HITOM, model, settings=settled(HITOM, options={"prompting": "cot"}))
    alone, steps = model.requests[0], model.requests[60]
    assert "without an explanation" in alone.messages[0].content
    assert "step by step" in steps.messages[0].content
    assert (alone.max_tokens, steps.max_tokens) == (128, 1024)
    assert "A. " in alone.messages[0].content


def test_held_to_json_a_model_that_only_chooses_is_read() -> None:
    """What a small model writes freely, a letter beside another choice's text, is no answer; held to JSON it is one."""
    held = settled(HITOM, options={"form": "json"})
    model = answering(lambda i: json.dumps({"answer": i.gold}))
    _, summary = examined(HITOM, model, settings=held)
    assert value(summary, "accuracy") == (1.0, 60, 0)
    assert all('{"answer": "LETTER"}' in r.messages[0].content for r in model.requests)
    schemas = [json.loads(r.json_schema or "null") for r in model.requests]
    assert {len(s["properties"]["answer"]["enum"]) for s in schemas} == {15}
    _, summary = examined(HITOM, answering(lambda i: tagged(i.gold)), settings=held)
    assert value(summary, "accuracy") == (1.0, 60, 0)  # an engine that cannot hold a reply is read as ever
    plain = answering(lambda i: f"{i.gold}. {i.options[wrong(i)]}")
    _, summary = examined(HITOM, plain)
    assert value(summary, "accuracy") == (None, 0, 60)
    assert {r.json_schema for r in plain.requests} == {None}


def test_the_mini_set_is_what_the_program_makes() -> None:
    assert tuple(read_jsonl(mini_set(HITOM.card), HiToMRow)) == rows(seed=1, samples=2)


def test_beliefs_by_hand() -> None:
    # All see the key put in the jar. A leaves; B moves it to the box and leaves; C moves it to the bag.
    moves = (
        Event(place="jar", witnesses=frozenset("ABC")),
        Event(place="box", witnesses=frozenset("BC")),
        Event(place="bag", witnesses=frozenset("C")),
    )
    left = ("A", "B", "C")
    assert [belief(moves, left, chain) for chain in ("", "A", "B", "C", "CB", "BC", "CA", "BA", "CBA")] == [
        *("bag", "jar", "box", "bag", "box", "box", "jar", "jar", "jar")
    ]
    # B tells everyone that it is in the urn. A left before B and believes it; C left after and does not, nor does B.
    said = (*moves, Event(place="urn", witnesses=frozenset("ABC"), speaker="B"))
    assert [belief(said, left, chain) for chain in ("", "A", "B", "C", "BA", "CA", "CB", "AB")] == [
        *("bag", "urn", "box", "bag", "urn", "urn", "box", "jar")
    ]
    # C whispers to A alone that it is in the tin: it is between the two.
    told = (*said, Event(place="tin", witnesses=frozenset("AC"), speaker="C"))
    assert [belief(told, left, chain) for chain in ("A", "CA", "BA", "AC")] == ["tin", "tin", "urn", "jar"]


@given(st.integers(0, 10_000), st.integers(1, 3), st.booleans())
def test_stories_follow_from_their_seed_and_hold_their_answers(seed: int, chapters: int, deception: bool) -> None:
    story = tell(seed, chapters=chapters, deception=deception)
    assert story == tell(seed, chapters=chapters, deception=deception)
    assert len(set(story.choices)) == 15
    for chain in ("", story.cast[:1], story.cast[:4]):
        assert belief(story.events, story.left, chain) in story.choices
    for chain in ([], [story.left[-1]]):  # the last to leave has seen every move, and nobody it trusts can lie to it
        assert belief(story.events, story.left, chain) == [e for e in story.events if e.speaker is None][-1].place


def row(**changes: object) -> dict[str, object]:
    return json.loads(rows(seed=3, samples=1)[0].model_dump_json()) | changes


def load(tmp_path: Path, *records: object, name: str = "data.json") -> object:
    path = tmp_path / name
    path.write_text(json.dumps({"data": list(records)}))
    return HITOM.load(path, settled(HITOM))


def test_vp_rows_are_refused_with_the_reason(tmp_path: Path) -> None:
    exam = load(tmp_path, row(), row(prompting_type="VP"))
    assert len(exam.items) == 1  # type: ignore[attr-defined]
    (refused,) = exam.refused  # type: ignore[attr-defined]
    assert refused.where == "data.json, record 1"
    assert "contradict" in refused.reason


def test_rows_whose_answer_is_no_choice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no item that can be asked; all 1 records were refused"):
        load(tmp_path, row(answer="the moon"))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({k: v for k, v in row().items() if k != "story"}, "record 1: field 'story' is missing"),
        (row(question_order=5), "record 1: field 'question_order' is wrong"),
        (row(deception="perhaps"), "record 1: field 'deception' is wrong"),
        ("text", "record 1: field 'the record' is wrong"),
    ],
)
def test_a_wrong_or_missing_field_names_file_record_and_field(tmp_path: Path, bad: object, said: str) -> None:
    with pytest.raises(InputError, match=f"data.json, {said}"):
        load(tmp_path, row(), bad)


def test_published_rows_load(shared_data: Path) -> None:
    exam = HITOM.load(shared(shared_data, "hitom/upstream_schema_40.json"), settled(HITOM))
    assert (len(exam.items), len({i.cluster for i in exam.items}), exam.refused) == (40, 20, ())
    assert exam.items[0].options[exam.items[0].gold] == "green_drawer"
    derived = HITOM.load(shared(shared_data, "hitom/hitom_sample_120.jsonl"), settled(HITOM))
    assert (len(derived.items), len({i.cluster for i in derived.items})) == (120, 24)
    assert all(len(i.options) == 15 for i in derived.items)


def test_a_limit_keeps_stories_entire_and_spreads_them() -> None:
    exam = mini(HITOM).limited(23, seed=0, whole_clusters=True)
    sizes = [sum(i.cluster == c for i in exam.items) for c in {i.cluster for i in exam.items}]
    assert sizes == [5, 5, 5, 5]
    assert exam.items == tuple(i for i in ITEMS if i.id in {x.id for x in exam.items})
    assert mini(HITOM).limited(23, seed=1, whole_clusters=True).items != exam.items
