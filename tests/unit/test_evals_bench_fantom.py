"""FANToM on models of known behaviour, our own gatherings, and the two released graders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exam_cases import Answering, examined, mini, settled, shared
from fantom_cases import GATHERING
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from her.errors import ConfigError, InputError
from her.evals.benchmarks import Exam, ItemScore, Scored
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.fantom import FANTOM
from her.evals.benchmarks.fantom_question import FantomQuestion
from her.evals.benchmarks.fantom_reading import nearer
from her.evals.benchmarks.fantom_sets import weighted_f1
from her.evals.benchmarks.gathering import Gathering, believed, heard, read_gatherings, set_of, sets_of
from her.evals.benchmarks.upstream.fantom import FantomSet
from her.llm import Request
from her.store import read_jsonl

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evals" / "fantom.json").read_text())
ITEMS = mini(FANTOM).items
SOUL, DISTANCE, FACT, ALL, ALL_STAR = "SOUL mean", "belief distance (lexical)", "fact F1", "ALL", "ALL* (lexical)"
AWAY = "access: inaccessible"


def asked(request: Request, items: tuple[FantomQuestion, ...]) -> FantomQuestion:
    """The item that a request is about."""
    last = request.messages[-1].content
    found = [
        i
        for i in items
        if f"{i.conversation}\n\n" in last
        and f"Question: {i.question}\n" in last
        and (f"Target: {i.target}\n" in last) == i.kind.startswith("answerability")
        and (f"Information: {i.target}\n" in last) == i.kind.startswith("info-access")
        and ("\n(a) " in last) == bool(i.options)
    ]
    assert len(found) == 1, [i.id for i in found]
    return found[0]


def answering(answer: Callable[[FantomQuestion], str], items: tuple[FantomQuestion, ...] = ITEMS) -> Answering:
    return Answering(lambda request: answer(asked(request, items)))


def tagged(text: str) -> str:
    return f"<answer>{text}</answer>"


def right(item: FantomQuestion) -> str:
    return ", ".join(item.right)


def wrong(item: FantomQuestion) -> str:
    if item.kind == "fact":
        return "Zebras."
    if item.options:
        return next(letter for letter in item.options if letter != item.right[0])
    if item.kind.endswith("yes/no"):
        return "no" if item.right[0] == "yes" else "yes"
    return ", ".join(item.wrong) or "nobody"


def shortest(item: FantomQuestion) -> str:
    if item.options:
        return min(item.options, key=lambda letter: len(item.options[letter]))
    return "no" if item.kind.endswith("yes/no") else "nobody"


def value(summary: Any, metric: str, group: str = "") -> tuple[float | None, int, int]:
    figure = summary.figure(metric, group)
    return figure.estimate.value, figure.estimate.n, figure.unscored


def test_perfect() -> None:
    _, summary = examined(FANTOM, answering(lambda i: tagged(right(i))))
    assert value(summary, SOUL) == (1.0, 142, 0)
    assert (value(summary, DISTANCE, AWAY), value(summary, FACT)) == ((1.0, 16, 0), (1.0, 12, 0))
    for metric in (ALL_STAR, ALL, "answerability ALL", "info-access ALL"):
        assert value(summary, metric, AWAY) == value(summary, metric, "access: accessible") == (1.0, 6, 0)
    assert value(summary, "answerability yes/no F1", AWAY) == (1.0, 22, 0)
    assert (summary.items, summary.clusters, summary.marks, summary.marked) == (188, 12, 188, False)


def test_adversarial() -> None:
    _, summary = examined(FANTOM, answering(lambda i: tagged(wrong(i))))
    assert value(summary, SOUL) == (0.0, 142, 0)
    assert (value(summary, DISTANCE, AWAY), value(summary, FACT)) == ((0.0, 16, 0), (0.0, 12, 0))
    assert value(summary, ALL, AWAY) == (0.0, 6, 0)
    assert value(summary, "info-access yes/no F1", AWAY) == (0.0, 22, 0)


def test_never_parses() -> None:
    _, summary = examined(FANTOM, Answering(lambda _: "<think>Who was there when it was said? I have to"))
    assert (summary.reasons, summary.unscored, summary.marked) == ({"only_thinking": 188}, 188, True)
    assert value(summary, SOUL) == (None, 0, 142)
    assert value(summary, ALL_STAR, AWAY) == (None, 0, 6)
    assert value(summary, "answerability yes/no F1", AWAY) == (None, 0, 22)
    _, summary = examined(FANTOM, Answering(lambda _: "It depends."))  # a sentence, which two kinds may be answered by
    assert value(summary, SOUL) == (None, 0, 142)
    assert value(summary, FACT)[1:] == (12, 0)


def test_always_shortest_earns_its_control() -> None:
    _, summary = examined(FANTOM, answering(lambda i: tagged(shortest(i))))
    earned = GOLDEN["shortest_right"]
    assert value(summary, SOUL) == (pytest.approx(sum(earned.values()) / 142), 142, 0)
    for kind, n in earned.items():
        found = summary.figure(SOUL, f"question: {kind}")
        assert found is not None
        assert found.estimate.value == pytest.approx(n / found.estimate.n)
    controls = {c.name: c.estimate.value for c in summary.controls}
    assert controls.keys() == {"random option", "shortest option", "longest option"}
    assert controls["shortest option"] == pytest.approx(sum(earned.values()) / 142)


def test_always_yes_and_everybody_is_the_longest_guesser() -> None:
    def longest(item: FantomQuestion) -> str:
        if item.options:
            return max(item.options, key=lambda letter: len(item.options[letter]))
        return "yes" if item.kind.endswith("yes/no") else ", ".join((*item.right, *item.wrong))

    _, summary = examined(FANTOM, answering(lambda i: tagged(longest(i))))
    assert value(summary, SOUL) == (pytest.approx(85 / 142), 142, 0)
    controls = {c.name: c.estimate.value for c in summary.controls}
    assert controls["longest option"] == pytest.approx(85 / 142)
    assert value(summary, "answerability ALL", AWAY) == (0.0, 6, 0)  # nobody passes who tells all the same


def test_an_unread_answer_leaves_a_set_open_unless_another_is_wrong() -> None:
    def but(item: FantomQuestion, reply: str) -> str:
        return reply if item.kind == "info-access list" else tagged(right(item))

    _, summary = examined(FANTOM, answering(lambda i: but(i, "hm")))
    assert value(summary, ALL, AWAY) == (None, 0, 6)
    assert value(summary, "answerability ALL", AWAY) == (1.0, 6, 0)
    _, summary = examined(FANTOM, answering(lambda i: tagged(wrong(i)) if i.options else but(i, "hm")))
    assert value(summary, ALL, AWAY) == (0.0, 6, 0)
    assert value(summary, "info-access ALL", AWAY) == (None, 0, 6)


def test_prompts_say_what_is_asked_and_how() -> None:
    model = answering(lambda i: tagged(right(i)))
    examined(FANTOM, model)
    alone = {asked(r, ITEMS).kind: r for r in model.requests}
    assert "Answer yes or no." in alone["info-access yes/no"].messages[0].content
    assert "<answer>" in alone["fact"].messages[0].content
    assert alone["fact"].max_tokens == 128
    model = Answering(lambda _: "yes")
    examined(FANTOM, model, settings=settled(FANTOM, options={"prompting": "cot", "form": "plain"}))
    assert "step by step" in model.requests[0].messages[0].content
    assert "<answer>" not in model.requests[0].messages[0].content
    assert model.requests[0].max_tokens == 1024


def test_the_full_context_asks_of_people_who_left_before() -> None:
    settings = settled(FANTOM, options={"context": "full", "aggregate": "conversation"})
    full = mini(FANTOM, settings)
    more = {i.id for i in full.items} - {i.id for i in ITEMS}
    assert more == {f"{n}-0-0:{kind}-1" for n, kind in [(7, "answerability"), (7, "info-access"), (10, "answerability"),
                                                        (10, "info-access"), (11, "answerability"),
                                                        (11, "info-access")]}  # fmt: skip
    # Ruben left the allotment before Kofi was told: in the whole conversation there is somebody who cannot know.
    listed = next(i for i in full.items if i.id == "10-0-0:answerability-list")
    assert (listed.access, listed.wrong) == ("inaccessible", ("Ruben",))
    short = next(i for i in ITEMS if i.id == "10-0-0:answerability-list")
    assert (short.access, short.conversation.count("Ruben")) == ("accessible", 0)
    _, summary = examined(FANTOM, answering(lambda i: tagged(right(i)), full.items), settings=settings)
    assert value(summary, SOUL)[:2] == (1.0, 148)
    with pytest.raises(ConfigError, match="context=full"):
        mini(FANTOM, settled(FANTOM, options={"aggregate": "conversation"}))


# The two released graders


def hand_made(tmp_path: Path, settings: Any) -> Exam[FantomQuestion]:
    row = json.loads(set_of(GATHERING, 0).model_dump_json())
    path = tmp_path / "set.json"
    path.write_text(json.dumps([row]))
    return FANTOM.load(path, settings)


@pytest.mark.parametrize(
    ("kind", "reply", "fixed", "upstream", "soul"),
    [
        ("answerability list", "Al, Bo", 1.0, 1.0, 0.0),
        ("answerability list", "<answer>Al, Bo</answer>", 1.0, 1.0, 1.0),
        ("answerability list", "Bo, Alice", 0.0, 0.0, 0.0),
        ("answerability list", "only Bo", 0.0, 0.0, 0.0),
        ("answerability yes/no", "<answer>yes</answer>", 1.0, 0.0, 1.0),  # the original looks at how a reply begins
        ("answerability yes/no", "Yes, he can.", 1.0, 1.0, 0.0),
        ("answerability yes/no", "<answer>Yes. Or no.</answer>", None, 0.0, 0.0),
        ("answerability yes/no", "Hard to say. Answer: yes", None, 1.0, 0.0),
        ("belief choice", "LETTER", 1.0, 1.0, 0.0),
        ("belief choice", "<answer>(LETTER)</answer>", 1.0, 1.0, 1.0),
        ("belief choice", "It may be (a), or else (b).", None, 1.0, 0.0),  # either letter anywhere is enough there
        ("belief choice", "<answer>LETTER, I am sure</answer>", None, 0.0, 0.0),
        ("belief distance", "Alice.", None, 0.0, None),
        ("belief distance", "She doesn't know.", 1.0, 1.0, None),
    ],
)
def test_what_three_graders_make_of_one_reply(
    tmp_path: Path, kind: str, reply: str, fixed: float | None, upstream: float, soul: float | None
) -> None:
    found: dict[str, float | None] = {}
    for profile in ("fixed", "upstream", "soul"):
        settings = settled(FANTOM, profile=profile)
        exam = hand_made(tmp_path, settings)
        item = next((i for i in exam.items if i.kind == kind), None)
        if item is not None:
            said = reply.replace("LETTER", item.right[0])
            scores, _ = examined(FANTOM, Answering(lambda _, said=said: said), exam=exam, settings=settings)  # type: ignore[misc]
            (mark,) = next(s for s in scores if s.item_id == item.id).marks
            found[profile] = mark.value if isinstance(mark, Scored) else None
    assert found == {"fixed": fixed, "upstream": upstream} | ({} if kind == "belief distance" else {"soul": soul})


def test_a_name_inside_another_was_given_upstream(tmp_path: Path) -> None:
    values = []
    for profile in ("fixed", "upstream"):
        settings = settled(FANTOM, profile=profile)
        exam = hand_made(tmp_path, settings)
        exam = Exam(items=tuple(i for i in exam.items if i.kind.endswith("list")), refused=(), data=exam.data)
        items = tuple(i.model_copy(update={"right": ("Al",), "wrong": ("Bo",)}) for i in exam.items)
        exam = Exam(items=items, refused=(), data=exam.data)
        _, summary = examined(FANTOM, Answering(lambda _: "Alice"), exam=exam, settings=settings)
        values.append(value(summary, SOUL))
    assert values == [(None, 0, 2), (1.0, 2, 0)]


def test_soul_asks_neither_facts_nor_free_beliefs() -> None:
    exam = mini(FANTOM, settled(FANTOM, profile="soul"))
    assert (len(exam.items), {i.kind for i in exam.items} & {"fact", "belief distance"}) == (142, set())
    _, summary = examined(FANTOM, Answering(lambda _: "yes"), settings=settled(FANTOM, profile="soul"))
    assert value(summary, SOUL) == (0.0, 142, 0)  # no tag
    assert summary.figure(ALL_STAR, AWAY) is None  # without free beliefs it would be ALL under another name
    assert value(summary, ALL, AWAY) == (0.0, 6, 0)


def test_weighted_f1_by_hand() -> None:
    # right: yes yes yes no; said: yes yes no no. yes: P 1, R 2/3, F1 4/5; no: P 1/2, R 1, F1 2/3.
    def score(said: str | None, gold: str) -> ItemScore:
        empty: dict[str, Any] = {"marks": (), "controls": (), "findings": (), "facets": {}, "title": None}
        return ItemScore(item_id="i", cluster="c", repeat=0, answer=said, gold=gold, **empty)

    four = [score(s, g) for s, g in (("yes", "yes"), ("yes", "yes"), ("no", "yes"), ("no", "no"))]
    assert weighted_f1(four) == pytest.approx(3 / 4 * 4 / 5 + 1 / 4 * 2 / 3)
    assert weighted_f1([score(None, "yes"), score("no", "no")]) == pytest.approx(1 / 2)  # unread is wrong, for upstream
    assert weighted_f1([]) is None


WORDS = ("key", "mat", "drawer", "not", "know", "under", "believes", "Alice", "that")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


@drawing(deadline=None)  # it is about values, and the machine may be busy
@given(TEXTS, TEXTS, TEXTS)
def test_nearness_takes_no_side(text: str, one: str, two: str) -> None:
    found, turned = nearer(text, one, two), nearer(text, two, one)
    assert found is (None if turned is None else not turned)
    if not set(one.split()) <= set(two.split()):
        assert nearer(one, one, two) is True


# Our own gatherings


def test_the_mini_set_is_what_the_program_makes() -> None:
    path = mini_set(FANTOM.card)
    gatherings = read_gatherings(path.with_name("gatherings.toml"))
    assert tuple(read_jsonl(path, FantomSet)) == sets_of(gatherings)
    assert len({g.id for g in gatherings}) == 12
    text = path.read_text()
    assert not any(mark in text for mark in ("[1]", "[2]", "* ", "~"))


def test_beliefs_by_hand() -> None:
    # All hear version 1; B is away for version 2, and hears it of C while A is away.
    lines = heard(
        Gathering(
            id="x", about="A", away="B", asks="?", topic="it", versions=("one", "two"),
            talk="A: One. [1]\n* B leaves\nC: Two. [2]\n* A leaves\n* B returns\nC: Two! [2]\n* A returns\nB: Ah.",
        )
    )  # fmt: skip
    chains = ("A", "B", "C", "AB", "CB", "BA", "CA", "CAB", "BCA")
    assert [believed(lines, chain) for chain in chains] == [2, 2, 2, 1, 2, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        ("A: Hm.\n* B leaves", "cannot be"),
        ("A: Hm.\n* A leaves\nA: Ho.", "no line of somebody who is there"),
        ("A: Hm.\nthe door opens", "no line of somebody who is there"),
    ],
)
def test_talk_that_cannot_be_is_refused(talk: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        heard(GATHERING.model_copy(update={"talk": talk}))
    with pytest.raises(InputError, match="nothing is missed"):
        set_of(GATHERING.model_copy(update={"talk": "Alice: Hm.\nAl: The mat. [1]"}), 0)


def test_the_sample_set_loads_and_runs(shared_data: Path) -> None:
    exam = FANTOM.load(shared(shared_data, "fantom/SYNTHETIC_fixture.jsonl"), settled(FANTOM))
    assert (len(exam.items), exam.refused) == (13, ())
    _, summary = examined(FANTOM, answering(lambda i: tagged(right(i)), exam.items), exam=exam)
    assert value(summary, ALL_STAR, AWAY) == (1.0, 1, 0)
