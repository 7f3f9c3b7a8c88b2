"""DynSess-Eval on players and judges of known behaviour, and records of every shape."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from exam_cases import Answering, examined, mini, settled, shared
from session_cases import PLAN, USER, Dying, good

from her.errors import InputError
from her.evals.benchmarks import Exam, Summary
from her.evals.benchmarks.asked import Response
from her.evals.benchmarks.dynsess import DYNSESS, Rating, name_of, read_rating
from her.evals.benchmarks.dynsess_card import DIMENSIONS, OVERALL
from her.llm import Request, ScriptedModel

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evals" / "dynsess.json").read_text())
BRIEF = {"interactive ability": 1, "human-likeness": 2, "role consistency": 3, "contextual coherence": 3}


def judge(ratings: dict[str, int | None]) -> Answering:
    """Rates each quality as told; None: cannot be read."""

    def answer(request: Request) -> str:
        (name,) = (n for n in DIMENSIONS if f"one quality of a role-play: {n}." in request.messages[0].content)
        score = ratings[name]
        return (
            "Hard to say." if score is None else json.dumps({"deductions": [{"line": 1, "why": "so"}], "score": score})
        )

    return Answering(answer)


def values(summary: Summary) -> dict[str, tuple[float | None, int]]:
    found = {n: summary.figure(n) for n in (OVERALL, *DIMENSIONS)}
    return {n: (f.estimate.value, f.unscored) for n, f in found.items() if f is not None}


def expect(summary: Summary, case: str, unscored: int = 0) -> None:
    assert values(summary) == {n: (v, unscored) for n, v in GOLDEN["metrics"][case].items()}


def test_perfect() -> None:
    scores, summary = examined(DYNSESS, good(), judges=[judge(dict.fromkeys(DIMENSIONS, 5))], user=USER)
    expect(summary, "perfect")
    assert (summary.items, summary.clusters, summary.marks, summary.marked) == (14, 14, 70, False)
    assert {c.name: c.value for c in scores[0].controls}["turns"] == 10


def test_adversarial() -> None:
    rater = judge(dict.fromkeys(DIMENSIONS, 1))
    scores, summary = examined(DYNSESS, ScriptedModel(["As an AI model I cannot."]), judges=[rater], user=USER)
    expect(summary, "adversarial")
    # Marta's session has five given lines: the first played one is the sixth.
    assert {(f.metric, f.line, f.text) for f in scores[0].findings} == {(n, 5, "so") for n in DIMENSIONS}


def test_never_parses() -> None:
    nobody = dict.fromkeys(DIMENSIONS)
    _, summary = examined(DYNSESS, good(), judges=[judge(nobody)], user=USER)
    assert (summary.reasons, summary.marks, summary.marked) == ({"not_json": 70}, 70, True)
    upstream = settled(DYNSESS, profile="upstream")
    rater = judge(nobody)
    _, summary = examined(DYNSESS, good(), judges=[rater], settings=upstream, user=USER)
    assert values(summary)[OVERALL] == (3.0, 0)
    assert len(rater.requests) == 14 * 4 * 5
    rater = judge(dict.fromkeys(DIMENSIONS, 5))
    _, summary = examined(DYNSESS, ScriptedModel([PLAN]), judges=[rater], user=USER)
    assert (summary.reasons, rater.requests) == ({"nothing of the character can be read": 70}, [])


def test_always_shortest_is_rated_as_such_and_shows_in_words() -> None:
    def answer(request: Request) -> str:
        (name,) = (n for n in DIMENSIONS if f"one quality of a role-play: {n}." in request.messages[0].content)
        said = re.findall(r"^\[\d+\] (?!User|用户)[^:]+: (.*)$", request.messages[1].content, re.MULTILINE)
        assert len(said) == 10
        return json.dumps({"deductions": [], "score": BRIEF[name] if set(said) == {"Yes."} else 5})

    _, summary = examined(DYNSESS, ScriptedModel(["Yes."]), judges=[Answering(answer)], user=USER)
    expect(summary, "shortest")
    assert {c.name: c.estimate.value for c in summary.controls}["words"] == 10


def test_one_unread_rating_leaves_overall_open_and_is_three_upstream() -> None:
    ratings: dict[str, int | None] = {**dict.fromkeys(DIMENSIONS, 4), "role consistency": None}
    _, summary = examined(DYNSESS, good(), judges=[judge(ratings)], user=USER)
    assert values(summary) == {
        OVERALL: (None, 14), "interactive ability": (4.0, 0), "human-likeness": (4.0, 0),
        "role consistency": (None, 14), "contextual coherence": (4.0, 0),
    }  # fmt: skip
    _, summary = examined(
        DYNSESS, good(), judges=[judge(ratings)], settings=settled(DYNSESS, profile="upstream"), user=USER
    )
    assert values(summary)[OVERALL] == (3.75, 0)


def test_a_runaway_reply_ends_the_session_upstream_alone() -> None:
    for text in ("x" * 501 + " and so on", "aaa"):
        for profile, turns in (("upstream", 1), ("fixed", 10)):
            settings = settled(DYNSESS, profile=profile, limit=1)
            exam = mini(DYNSESS, settings).limited(1, seed=0, whole_clusters=False)
            scores, _ = examined(
                DYNSESS, ScriptedModel([text]), exam=exam, judges=[judge(BRIEF)], settings=settings, user=USER
            )
            assert {c.name: c.value for c in scores[0].controls}["turns"] == turns


def test_profiles_ask_plainly_or_in_hers_form() -> None:
    for profile, asked in (("fixed", True), ("upstream", False)):
        player, settings = good(), settled(DYNSESS, profile=profile)
        examined(DYNSESS, player, judges=[judge(BRIEF)], settings=settings, user=USER)
        first = player.requests[0].messages
        assert ("<system_thinking>" in first[0].content) == asked
        assert "Marta is sixty-seven" in first[0].content
        assert first[-1].content.endswith("Why do all your clocks show other times?")
        assert (player.requests[0].temperature, player.requests[0].max_tokens) == (0.7, 1024)
        assert all("what I hid" in r.messages[-2].content for r in player.requests[1:2]) == asked  # its own thought


def test_who_begins_follows_from_the_prefix_and_asides_of_the_user_are_taken_out() -> None:
    items = {i.character: i for i in mini(DYNSESS).items}
    exam = Exam(items=(items["Mr. Featherstone"],), refused=(), data=mini(DYNSESS).data)
    user = ScriptedModel(["（waves）Good day.【end】"])  # noqa: RUF001 -- the brackets that upstream takes out
    player = good()
    examined(DYNSESS, player, exam=exam, judges=[judge(BRIEF)], user=user)
    assert user.requests[0].messages[-1].content == "(The conversation begins.)"
    assert player.requests[0].messages[-1].content.endswith("User: Good day.")


def test_a_lost_session_is_unscored_in_both_profiles() -> None:
    for profile in ("fixed", "upstream"):
        settings = settled(DYNSESS, profile=profile)
        exam = mini(DYNSESS, settings).limited(1, seed=0, whole_clusters=False)
        _, summary = examined(DYNSESS, Dying(1), exam=exam, judges=[judge(BRIEF)], settings=settings, user=USER)
        assert summary.reasons == {"player lost:dead_letter:spent": 5}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("4", "not_an_object"),
        ('{"score": 6, "deductions": []}', "no_score_from_1_to_5"),
        ('{"score": "4", "deductions": []}', "no_score_from_1_to_5"),
        ('{"score": 3.5, "deductions": []}', "no_score_from_1_to_5"),
        ('{"score": true, "deductions": []}', "no_score_from_1_to_5"),
        ('{"score": 4, "deductions": "none"}', "bad_deductions"),
        ('{"score": 4, "score": 5}', "repeated_key"),
    ],
)
def test_what_is_no_rating_is_none(text: str, why: str) -> None:
    assert read_rating(response(text)) == why


def test_a_rating_keeps_its_deductions() -> None:
    text = '{"deductions": [{"line": 2, "why": "stock phrase"}, {"line": "x", "why": "flat"}, {"why": ""}], "score": 4}'
    assert read_rating(response(text)) == Rating(score=4, deductions=((2, "stock phrase"), (None, "flat")))


def test_names_are_read_off_the_first_line_of_a_persona() -> None:
    zhongli = "请你扮演以下人设：钟离（内圣外王）【原神】\n钟离，岩神"  # noqa: RUF001
    assert name_of(zhongli) == "钟离"
    assert name_of("Play this persona: Dov (a golem)\nDov was made") == "Dov"
    assert name_of("\n(no name)") == "Character"
    assert name_of("（无名）") == "角色"  # noqa: RUF001
    assert all(i.character not in ("Character", "角色") for i in mini(DYNSESS).items)


def load(tmp_path: Path, *records: object) -> Exam[Any]:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return DYNSESS.load(path, settled(DYNSESS))


def record(**changes: object) -> dict[str, object]:
    line = {"role": "user", "content": "Hello."}
    return {"persona_info": "Ann (x)", "user_system_prompt": "You visit.", "dialogue": [line], **changes}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({k: v for k, v in record().items() if k != "persona_info"}, "field 'persona_info' is missing"),
        (record(dialogue=[{"role": "system", "content": "x"}]), "field 'dialogue.0.role' is wrong"),
        (record(dialogue=[{"role": "user"}]), "field 'dialogue.0.content' is missing"),
        (record(dialogue="hello"), "field 'dialogue' is wrong"),
    ],
)
def test_a_wrong_or_missing_field_names_file_record_and_field(tmp_path: Path, bad: object, said: str) -> None:
    with pytest.raises(InputError, match=f"data.jsonl:2: {said}"):
        load(tmp_path, record(), bad)


def test_a_persona_named_as_the_user_is_refused(tmp_path: Path) -> None:
    exam = load(tmp_path, record(), record(persona_info="User (who else)"))
    assert (len(exam.items), [r.where for r in exam.refused]) == (1, ["data.jsonl:2"])


def test_the_published_sample_loads(shared_data: Path) -> None:
    (item,) = DYNSESS.load(shared(shared_data, "dynsess/sample_1_of_100_shortened.jsonl"), settled(DYNSESS)).items
    assert (item.character, item.user, len(item.prefix)) == ("钟离", "用户", 7)


def response(text: str) -> Response:
    return Response(text=text, reasoning=None, finish_reason="stop", prompt_tokens=1, completion_tokens=1)
