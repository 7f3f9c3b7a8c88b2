"""UserLLM on models of known behaviour: six metrics, each with its own arithmetic, and what no metric may reward."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exam_cases import Answering, examined, mini, settled, shared
from hypothesis import given
from hypothesis import strategies as st

from her.errors import InputError
from her.evals.benchmarks import Summary
from her.evals.benchmarks.answer import Unread
from her.evals.benchmarks.asked import Lost, Response
from her.evals.benchmarks.user_turn import (
    END,
    FirstTurns,
    UserTurn,
    f1,
    intent_share,
    keeps_role,
    mentioned,
    read_turn,
)
from her.evals.benchmarks.userllm import USERLLM, UserLLMTurn
from her.evals.benchmarks.userllm_card import COMPOSITE, DIVERSITY, ENDING_F1, HUMAN, INTENT, OVERLAP, ROLE
from her.llm import Request

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evals" / "userllm.json").read_text())
ITEMS = mini(USERLLM).items
SIX = (ROLE, INTENT, DIVERSITY, OVERLAP, ENDING_F1, HUMAN)
OPENINGS = (  # eight first turns that share no word
    *("hey quick thing", "got a sec?", "sooo this is silly", "need some help pls", "question for you"),
    *("my neighbour told me about it", "where do i even start", "morning! one more idea"),
)


def item_of(request: Request) -> UserLLMTurn:
    prompt = request.messages[-1].content
    found = [
        i
        for i in ITEMS
        if f": {i.intent}\n" in prompt and (i.history in prompt if i.history else "<user>" not in prompt)
    ]
    return max(found, key=lambda i: len(i.history))


def user(turn: Callable[[UserLLMTurn], str]) -> Answering:
    return Answering(lambda request: turn(item_of(request)))


def judge() -> Answering:
    """Knows when a question is asked again, and takes for human who writes in lower case."""

    def reply(request: Request) -> str:
        prompt = request.messages[-1].content
        if "REFUSED" in prompt:
            question = prompt.split("The question: ")[1].split("\n")[0]
            return "REFUSED" if question in prompt.split("The person then wrote: ")[1] else "ACCEPTED"
        written = prompt.split("The message:\n")[1].split("\n")[0]
        return "HUMAN" if written == written.lower() else "AI"

    return Answering(reply)


def ideal(item: UserLLMTurn) -> str:
    if item.choices:
        return "i really dont know, thats why im asking"
    if item.question:
        return f"no thanks. {item.question}"
    if item.last:
        return END
    return OPENINGS[int(item.id.split("-")[1])] if not item.history else "hm ok, tell me more"


def values(summary: Summary) -> dict[str, tuple[float | None, int, int]]:
    return {f.metric: (f.estimate.value, f.estimate.n, f.unscored) for f in summary.figures}


def test_perfect() -> None:
    scores, summary = examined(USERLLM, user(ideal), judges=[judge()])
    found = values(summary)
    assert tuple(found) == SIX  # six, apart, and no mean of them
    assert {m: found[m] for m in (ROLE, INTENT, ENDING_F1)} == {
        ROLE: (1, 18, 0),
        INTENT: (1, 18, 0),
        ENDING_F1: (1, 24, 0),
    }
    assert found[OVERLAP] == (0, 16, 0)
    assert found[HUMAN] == (1, 16, 0)
    assert found[DIVERSITY] == (pytest.approx(GOLDEN["perfect_diversity"]), 8, 0)
    assert (summary.items, summary.clusters, summary.unscored, summary.marked) == (60, 44, 0, False)
    assert {c.name: c.estimate.n for c in summary.controls} == {
        "ends the conversation": 60,
        "words": 52,
        "option texts": 18,
    }
    assert all(s.answer for s in scores)


def test_adversarial() -> None:
    """Answers its own question, takes the detour, tells all at once, ends when it should not, writes like a machine."""

    def turn(item: UserLLMTurn) -> str:
        if item.choices:
            return f"I think it is {item.choices[0]}."
        if item.question:
            return "Certainly, please do that instead."
        return f"Certainly: {item.intent}." + ("" if item.last else END)

    _, summary = examined(USERLLM, user(turn), judges=[judge()])
    found = values(summary)
    assert {m: found[m] for m in (ROLE, INTENT, ENDING_F1, HUMAN)} == {
        ROLE: (0, 18, 0), INTENT: (0, 18, 0), ENDING_F1: (0, 24, 0), HUMAN: (0, 16, 0)
    }  # fmt: skip
    share, n, unscored = found[OVERLAP]
    assert share is not None
    assert (share > 0.75, n, unscored) == (True, 16, 0)  # all its words but `certainly` are the intent's
    assert found[ROLE][0] == GOLDEN["adversarial_role"]


def test_never_parses() -> None:
    """Nothing but thinking: no metric has a number, neither the judged nor those of code."""
    scores, summary = examined(USERLLM, Answering(lambda _: "<think>What would a user say?</think>"), judges=[judge()])
    found = values(summary)
    assert found[DIVERSITY] == (None, 0, 8)
    expected = {ROLE: 18, INTENT: 18, OVERLAP: 16, ENDING_F1: 24, HUMAN: 16}
    assert {m: found[m] for m in expected} == {m: (None, 0, n) for m, n in expected.items()}
    assert (summary.reasons, summary.marks, summary.marked) == ({"only_thinking": 92}, 92, True)
    assert all(s.answer is None for s in scores)


def test_always_shortest_leads_where_silence_is_rewarded() -> None:
    """The shortest turn there is: the same small word everywhere."""
    asked = judge()
    _, summary = examined(USERLLM, Answering(lambda _: "hm"), judges=[asked])
    found = values(summary)
    assert found[ROLE] == (1, 18, 0)
    assert found[OVERLAP] == (0, 16, 0)
    assert found[HUMAN] == (1, 16, 0)
    assert found[INTENT] == (0, 18, 0)
    assert found[DIVERSITY] == (0, 8, 0)  # eight times the same turn
    assert found[ENDING_F1] == (0, 24, 0)  # 8 endings missed
    assert len(asked.requests) == 18 + 16


def test_a_judge_that_cannot_be_read_is_asked_again_and_never_a_number() -> None:
    mute = Answering(lambda _: "It is hard to say.")
    for profile in ("fixed", "upstream"):
        _, summary = examined(USERLLM, user(ideal), judges=[mute], settings=settled(USERLLM, profile=profile))
        found = values(summary)
        assert found[INTENT] == (None, 0, 18)
        assert found[HUMAN][0] is None
        assert summary.marked
    assert len(mute.requests) == 2 * 3 * (18 + 16)


def test_the_upstream_profile_adds_what_points_the_other_way() -> None:
    """SOUL's reward rises by 1/3 of the overlap on each PRISM row, and an empty turn has full role adherence."""
    settings = settled(USERLLM, profile="upstream")
    tells_all = user(lambda i: ideal(i) if i.choices or i.question or i.last else i.intent)
    _, open_ = examined(USERLLM, tells_all, judges=[judge()], settings=settings)
    _, better = examined(USERLLM, user(ideal), judges=[judge()], settings=settings)
    # 36 rows of 1; 8 last rows: overlap 0, right ending 1, nothing to take for human 0 -> 1/3;
    # 16 others: overlap 0 or 1, right ending 1, human 1 -> 2/3 or 3/3.
    assert values(better)[COMPOSITE] == (pytest.approx((36 + 8 / 3 + 16 * 2 / 3) / 60), 60, 0)
    assert values(open_)[COMPOSITE] == (pytest.approx((36 + 8 / 3 + 16) / 60), 60, 0)
    _, silent = examined(USERLLM, Answering(lambda _: ""), judges=[judge()], settings=settings)
    assert values(silent)[ROLE] == (1, 18, 0)
    _, ours = examined(USERLLM, Answering(lambda _: ""), judges=[judge()])
    assert values(ours)[ROLE] == (None, 0, 18)
    assert ours.reasons == {"empty": 92}


def test_role_adherence_is_one_rule_with_one_contradiction() -> None:
    options = ("bank", "river bank", "oven", "attic", "cellar")
    assert [mentioned(t, options) for t in ("no idea", "the oven", "a river bank!", "ovens", " ".join(options))] == [
        *(0, 1, 2, 0, 5)
    ]
    assert [keeps_role(t, options) for t in ("no idea", "the oven", "a river bank", ", ".join(options))] == [
        *(True, False, False, True)
    ]
    for profile, value in (("fixed", 1), ("upstream", 0)):  # the question repeated whole
        repeats = user(lambda i: " or ".join(i.choices) if i.choices else ideal(i))
        _, summary = examined(USERLLM, repeats, judges=[judge()], settings=settled(USERLLM, profile=profile))
        assert values(summary)[ROLE] == (value, 18, 0)


def test_overlap_by_hand() -> None:
    # Content words: {recipe, leftover, rice} of the intent; {leftover, rice, ideas} of the turn share 2 of 3.
    assert intent_share("a recipe for leftover rice", "leftover rice ideas?") == pytest.approx(2 / 3)
    assert intent_share("a recipe for leftover rice", "and then what do I do?") is None


def test_diversity_by_hand_and_by_brute_force() -> None:
    texts = ["a b c", "a b d", "e", "a b c"]
    # Jaccard: 2/4, 0, 1; 0, 2/4; 0 -> mean 2/6.
    of = FirstTurns.of(texts, ["1", "2", "3", "4"], marks=False)
    assert of.diversity([0, 1, 2, 3]) == pytest.approx(1 - 2 / 6)
    assert of.diversity([0, 0, 1]) == pytest.approx(1 - 0.5)  # drawn twice, compared with others alone
    assert of.diversity([0, 0]) is None
    assert FirstTurns.of(["so?", "why?"], ["1", "2"], marks=True).diversity([0, 1]) == pytest.approx(2 / 3)
    assert FirstTurns.of(["so?", "why?"], ["1", "2"], marks=False).diversity([0, 1]) == 1


@given(st.lists(st.text("abc ", min_size=1, max_size=8), min_size=2, max_size=6), st.data())
def test_diversity_is_a_share_and_ignores_order(texts: list[str], data: st.DataObject) -> None:
    of = FirstTurns.of(texts, [str(n) for n in range(len(texts))], marks=False)
    assert np.allclose(of.overlap_NN, of.overlap_NN.T)
    drawn = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=2, max_size=12))
    found = of.diversity(drawn)
    assert found == pytest.approx(of.diversity(sorted(drawn))) if found is not None else len(set(drawn)) == 1
    assert found is None or -1e-9 <= found <= 1 + 1e-9


def test_f1_by_hand() -> None:
    assert f1(3, 1, 2) == pytest.approx(6 / 9)  # precision 3/4, recall 3/5
    assert (f1(0, 0, 0), f1(0, 4, 0)) == (None, 0)


def response(text: str, reasoning: str | None = None) -> Response:
    return Response(text=text, reasoning=reasoning, finish_reason="stop", prompt_tokens=1, completion_tokens=1)


def test_turns_are_read_without_what_is_hidden() -> None:
    assert read_turn(response(f"thanks!! {END} and more")) == UserTurn(text="thanks!!", ended=True)
    assert read_turn(response(f" {END}")) == UserTurn(text="", ended=True)
    assert read_turn(response("<role_thinking>a secret</role_thinking>ok <think>again</think>then")) == UserTurn(
        text="ok then", ended=False
    )
    assert read_turn(response('"is it far?"')) == UserTurn(text="is it far?", ended=False)
    assert read_turn(response("<role_thinking>only this</role_thinking>")) == Unread(reason="only_thinking")
    assert read_turn(response("", "planned")) == Unread(reason="only_thinking")
    assert read_turn(Lost(reason="no_reply")) == Unread(reason="lost:no_reply")


def test_what_is_hidden_reaches_no_judge() -> None:
    asked = judge()
    player = user(lambda i: f"<think>SECRET</think><role_thinking>SECRET</role_thinking>{ideal(i)}")
    _, summary = examined(USERLLM, player, judges=[asked])
    assert values(summary)[INTENT] == (1, 18, 0)
    assert not [r for r in asked.requests if "SECRET" in r.messages[-1].content]


def test_published_schema_loads(shared_data: Path) -> None:
    for name, n in (("recon_csqa_600", 600), ("recon_nq_600", 600), ("SYNTHETIC_prism_fixture", 3)):
        exam = USERLLM.load(shared(shared_data, f"userllm/{name}.jsonl"), settled(USERLLM))
        assert (len(exam.items), exam.refused) == (n, ())
        part = exam.limited(12, seed=0, whole_clusters=False)
        _, summary = examined(USERLLM, Answering(lambda _: "hm"), judges=[judge()], exam=part)
        assert summary.unscored == 0


def row(**changes: object) -> dict[str, object]:
    plain = {
        "id": "q1", "source": "commonsense_qa", "intent": "know", "conversation_history": "<user>: x", "turn": 1,
        "is_last_turn": False, "related_metrics": ["role_adherence"], "choices": ["a", "b", "c"],
    }  # fmt: skip
    return plain | changes


def load(tmp_path: Path, *records: object) -> tuple[str, ...]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in (row(id="good"), *records)))
    return tuple(r.reason for r in USERLLM.load(path, settled(USERLLM)).refused)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"related_metrics": ["kindness"]}, "no metric of commonsense_qa"),
        ({"intent": " "}, "the intent is empty"),
        ({"turn": 0}, "contradicts the conversation"),
        ({"choices": ["a", "b"]}, "fewer than three choices"),
        ({"id": "../../etc"}, "the id has more than"),
    ],
)
def test_rows_that_contradict_their_benchmark_are_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    (said,) = load(tmp_path, row(**changes))
    assert reason in said


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row(source="prism2"), "field 'source' is wrong"),
        ({k: v for k, v in row().items() if k != "intent"}, "field 'intent' is missing"),
        (row(choices=None), "field 'the record' is wrong"),
        (["a list"], "field 'the record' is wrong"),
    ],
)
def test_a_wrong_or_missing_field_names_file_record_and_field(tmp_path: Path, bad: object, said: str) -> None:
    with pytest.raises(InputError, match=f"rows.jsonl:2: {said}"):
        load(tmp_path, bad)


def test_two_rows_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two items are called 'good'"):
        load(tmp_path, row(id="good"))
