"""TwinVoice, generative, on writers and judges of known behaviour: whose voice, how near, nothing unread a number."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from exam_cases import Answering, examined, mini, settled, shared

from her.evals.benchmarks import Summary
from her.evals.benchmarks.twin_data import TwinQuestion
from her.evals.benchmarks.twinvoice import person
from her.evals.benchmarks.twinvoice_card import ASPECTS, WRITTEN
from her.evals.benchmarks.twinvoice_gen import TWINVOICE_GEN
from her.llm import Request

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evals" / "twinvoice_gen.json").read_text())
ITEMS = mini(TWINVOICE_GEN).items


def writer(write: Callable[[TwinQuestion], str], items: Sequence[TwinQuestion] = ITEMS) -> Answering:
    def reply(request: Request) -> str:
        prompt = request.messages[-1].content
        (item,) = [i for i in items if person(i) in prompt]
        return write(item)

    return Answering(reply)


def judge(*, nearest: int = 5, other: int = 1, ratings: Callable[[int], str] | None = None) -> Answering:
    """Finds the option with the very words of the imitation, else says that it cannot; rates by the same."""

    def reply(request: Request) -> str:
        prompt = request.messages[-1].content
        if "Who was it?" in prompt:
            options = prompt.split("What the four wrote:\n")[1].split("\n\nThe imitation:")[0]
            copy = prompt.split("The imitation:\n")[1].split("\n\nChoose")[0]
            return next((o[0] for o in options.splitlines() if o[3:] == copy), "None of them.")
        real = prompt.split("What the person really said:\n")[1].split("\n\nThe imitation:")[0]
        copy = prompt.split("\n\nThe imitation:\n")[1].split("\n\nRate it")[0]
        grade = nearest if real == copy else other
        return ratings(grade) if ratings else json.dumps(dict.fromkeys(ASPECTS, grade))

    return Answering(reply)


def gold(item: TwinQuestion) -> str:
    return item.options[item.gold]


def values(summary: Summary, group: str = "") -> dict[str, tuple[float | None, int, int]]:
    return {f.metric: (f.estimate.value, f.estimate.n, f.unscored) for f in summary.figures if f.group == group}


def test_perfect() -> None:
    scores, summary = examined(TWINVOICE_GEN, writer(gold), judges=[judge()])
    assert values(summary) == dict.fromkeys((WRITTEN, *ASPECTS), (1, 60, 0))
    assert [values(summary, f"dimension: {d}")[WRITTEN] for d in ("interpersonal", "narrative", "social")] == [
        (1, 20, 0)
    ] * 3
    known = {c.name: c.estimate.value for c in summary.controls}
    assert (known["nearest by words"], known["rouge_l"]) == (1, 1)  # which the judge adds nothing to here
    assert all(s.answer == s.gold for s in scores)


def test_adversarial() -> None:
    """Writes what another person said: taken for that one."""
    _, summary = examined(
        TWINVOICE_GEN, writer(lambda i: next(t for t in i.options.values() if t != gold(i))), judges=[judge()]
    )
    assert values(summary) == dict.fromkeys((WRITTEN, *ASPECTS), (0, 60, 0))


def test_never_parses() -> None:
    asked = judge()
    _, summary = examined(TWINVOICE_GEN, Answering(lambda _: "<think>Who am I?</think>"), judges=[asked])
    assert values(summary) == dict.fromkeys((WRITTEN, *ASPECTS), (None, 0, 60))
    assert summary.reasons == {"only_thinking": 300}
    assert not asked.requests  # nothing is there to be judged


def test_always_shortest() -> None:
    """Writes the shortest of the four replies, whoever is meant: 15 of 60."""
    _, summary = examined(TWINVOICE_GEN, writer(lambda i: min(i.options.values(), key=len)), judges=[judge()])
    assert values(summary)[WRITTEN] == (GOLDEN["shortest"], 60, 0)
    assert values(summary)["fidelity"] == (GOLDEN["shortest"], 60, 0)


def test_ratings_are_from_0_to_1_and_apart() -> None:
    told = '{"opinion": 5, "facts": 3, "style": 2, "fidelity": 4}'
    _, summary = examined(TWINVOICE_GEN, writer(gold), judges=[judge(ratings=lambda _: f"```json\n{told}\n```")])
    assert [values(summary)[a][0] for a in ASPECTS] == [1, 0.5, 0.25, 0.75]
    settings = settled(TWINVOICE_GEN, profile="upstream")
    player = writer(gold, mini(TWINVOICE_GEN, settings).items)
    _, upstream = examined(TWINVOICE_GEN, player, judges=[judge(ratings=lambda _: told)], settings=settings)
    assert sum("Traits: Laconic" in r.messages[-1].content for r in player.requests) == 5  # TwinBench shows it
    assert values(upstream) == {WRITTEN: (1, 60, 0), "fidelity": (0.75, 60, 0)}


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "five",
        "[5, 5, 5, 5]",
        '{"opinion": 5}',
        '{"opinion": 6, "facts": 1, "style": 1, "fidelity": 1}',
        '{"opinion": true, "facts": 1, "style": 1, "fidelity": 1}',
        '{"opinion": 4.5, "facts": 1, "style": 1, "fidelity": 1}',
        "{" * 5000,
    ],
)
def test_a_rating_that_cannot_be_read_is_no_number(reply: str) -> None:
    exam = mini(TWINVOICE_GEN).limited(1, seed=0, whole_clusters=False)
    asked = judge(ratings=lambda _: reply)
    _, summary = examined(TWINVOICE_GEN, writer(gold), judges=[asked], exam=exam)
    assert values(summary)[WRITTEN] == (1, 1, 0)
    assert {values(summary)[a] for a in ASPECTS} == {(None, 0, 1)}
    assert len(asked.requests) == 1 + 3  # asked again, twice


def test_options_are_not_shown_to_the_writer_and_thoughts_not_to_the_judge() -> None:
    asked, model = judge(), writer(lambda i: f"<role_thinking>SECRET</role_thinking>{i.speaker}: {gold(i)}")
    _, summary = examined(TWINVOICE_GEN, model, judges=[asked])
    assert values(summary)[WRITTEN] == (1, 60, 0)  # the name before the reply is not part of it
    assert not [r for r in asked.requests if "SECRET" in r.messages[-1].content]
    for item, request in zip(ITEMS, model.requests, strict=True):
        assert gold(item) not in request.messages[-1].content


def test_published_files_run(shared_data: Path) -> None:
    exam = TWINVOICE_GEN.load(shared(shared_data, "twinvoice"), settled(TWINVOICE_GEN))
    part = exam.limited(6, seed=0, whole_clusters=False)
    _, summary = examined(TWINVOICE_GEN, Answering(lambda _: "I shall say nothing."), judges=[judge()], exam=part)
    assert values(summary)["fidelity"] == (0, 6, 0)
    assert values(summary)[WRITTEN] == (None, 0, 6)  # a judge who cannot tell
