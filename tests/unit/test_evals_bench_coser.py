"""CoSER Test on models of known behaviour, its overlap against recorded oracle values, hostile files, real scenes."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from exam_cases import Answering, examined, mini, settled
from hypothesis import given
from hypothesis import strategies as st

from her.errors import ConfigError, DeadLetterError, InputError
from her.evals.benchmarks import Cast, ItemScore, Scored, Summary
from her.evals.benchmarks.asked import Response
from her.evals.benchmarks.coser import COSER
from her.evals.benchmarks.coser_judging import DIMENSIONS, line_of, read, score
from her.evals.benchmarks.coser_overlap import coser_bleu, coser_rouge_l
from her.evals.benchmarks.coser_play import play_scene
from her.evals.benchmarks.coser_scene import without_thoughts
from her.evals.benchmarks.coser_tokens import coser_tokens
from her.evals.benchmarks.data import mini_set
from her.evals.benchmarks.play import Line
from her.llm import Reply, Request

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evals" / "coser.json").read_text(encoding="utf-8"))
ITEMS = mini(COSER).items
SCENES = json.loads(mini_set(COSER.card).read_text(encoding="utf-8"))
PLAN, SECRET = "Keep her back to the door.", "I have the letter in my sleeve."
TURN = f"<system_thinking>{PLAN}</system_thinking><role_thinking>{SECRET}</role_thinking>It was the damp, and I say so."


def caller() -> Answering:
    """Calls the first who may speak, and never the Environment."""

    def call(request: Request) -> str:
        named = re.search(r"Allowed names: (\[.*\])", request.messages[-1].content)
        if named is None:
            return "Next Speaker: nobody in particular"
        return json.dumps({"next_speaker": json.loads(named[1])[0]})

    return Answering(call)


def dimension_of(request: Request) -> str:
    return next(d for d in DIMENSIONS if f"faults of one kind: {d}." in request.messages[0].content)


def judge(severities: Sequence[object] | dict[str, Sequence[object]]) -> Answering:
    """A judge who finds flaws of these severities."""

    def answer(request: Request) -> str:
        dimension = dimension_of(request)
        given = severities[dimension] if isinstance(severities, dict) else severities
        flaws = [{"instance": "It was the damp", "type": "Language", "severity": s} for s in given]
        return json.dumps({dimension: {"flaws": flaws}})

    return Answering(answer)


def held(
    judged: Answering, *, says: Callable[[Request], str] = lambda _: TURN, **settings: object
) -> tuple[tuple[ItemScore, ...], Summary]:
    parts = {"environment": Answering(lambda _: "Rain."), "next_speaker": caller()}
    chosen = settled(COSER, **settings)
    return examined(COSER, Answering(says), judges=[judged], settings=chosen, **parts)


def value(summary: Summary, metric: str) -> tuple[float | None, int, int]:
    figure = summary.figure(metric)
    assert figure is not None
    return figure.estimate.value, figure.estimate.n, figure.unscored


def control(summary: Summary, name: str) -> float | None:
    return next(c.estimate.value for c in summary.controls if c.name == name)


def test_perfect() -> None:
    scores, summary = held(judge([]))
    assert [value(summary, d) for d in (*DIMENSIONS, "average")] == [(100.0, 12, 0)] * 5
    assert (control(summary, "turns"), summary.items, summary.clusters) == (20.0, 12, 12)
    assert all(not s.findings for s in scores)


def test_adversarial() -> None:
    scores, summary = held(judge([5] * 6))
    assert [value(summary, d) for d in (*DIMENSIONS, "average")] == [(0.0, 12, 0)] * 5
    (first, *_) = scores[0].findings
    assert (first.kind, first.severity, first.line, len(scores[0].findings)) == ("Language", 5.0, 0, 24)


def test_never_parses() -> None:
    prose = Answering(lambda _: "A fine scene, on the whole; seven out of ten.")
    _, summary = held(prose)
    assert value(summary, "average") == (None, 0, 12)
    assert (summary.reasons, summary.marks, summary.unscored, summary.marked) == ({"no_json": 60}, 60, 60, True)
    assert len(prose.requests) == 12 * 4 * 3
    silent = judge([])
    _, summary = held(silent, says=lambda _: "<system_thinking>I shall say nothing.</system_thinking>")
    assert (summary.reasons, silent.requests) == ({"nothing was said": 60}, [])
    _, summary = held(judge([]), says=lambda _: "[hm]", profile="coser")
    assert value(summary, "average") == (100.0, 12, 0)
    _, summary = held(Answering(lambda _: "Seven."), profile="her")
    assert value(summary, "average") == (50.0, 12, 0)


def test_always_shortest_is_forgiven_by_length() -> None:
    _, summary = held(judge([1, 2, 3]), says=lambda _: "No.")
    assert (value(summary, "average"), control(summary, "words")) == ((100.0, 12, 0), 20.0)
    _, summary = held(judge([1, 2, 3]), says=lambda _: "No.", options={"rounds": "10"})
    assert value(summary, "average") == (85.0, 12, 0)
    assert summary.figure("average", "rounds: 10 of 20") is not None


def test_middling() -> None:
    _, summary = held(judge([4, 3, 2, 1]))
    assert value(summary, "average") == (80.0, 12, 0)
    by_dimension = dict(zip(DIMENSIONS, ([4], [5, 5], [5, 5, 5, 1], [5, 5, 5, 5, 5, 1]), strict=True))
    _, summary = held(judge(by_dimension))
    assert [value(summary, d)[0] for d in (*DIMENSIONS, "average")] == [100.0, 80.0, 50.0, 0.0, 57.5]


@pytest.mark.parametrize("severity", [None, 0, 6, 2.5, "3"])
def test_a_flaw_without_a_sound_severity_is_asked_for_again_and_unscored(severity: object) -> None:
    asked = judge([severity])
    _, summary = held(asked)
    assert (summary.reasons, len(asked.requests)) == ({"no_severity": 60}, 144)


def test_thoughts_reach_nobody_else() -> None:
    for profile in ("fixed", "coser", "her"):
        turn = TURN if profile != "coser" else f"[{SECRET}] It was the damp, and I say so."
        player, called, world, judging = (
            Answering(lambda _, t=turn: t),
            caller(),
            Answering(lambda _: "Rain."),
            judge([]),
        )
        scores, _ = examined(
            COSER,
            player,
            judges=[judging],
            settings=settled(COSER, profile=profile),
            next_speaker=called,
            environment=world,
        )
        assert all(s.marks for s in scores)
        heard = [m.content for r in (*called.requests, *world.requests) for m in r.messages]
        heard += [m.content for r in player.requests for m in r.messages if m.role == "user"]
        assert all(SECRET not in text and PLAN not in text for text in heard)
        shown = [m.content for r in judging.requests for m in r.messages]
        assert any(SECRET in text for text in shown) == (profile == "her")  # HER's evaluator shows role thinking
        assert all(PLAN not in text for text in shown)
        plans = [PLAN in m.content for r in player.requests for m in r.messages]
        assert any(plans) == (profile == "her")  # and feeds back an actor's own past plans


def test_thoughts_are_shown_to_the_judge_on_request() -> None:
    judging = judge([])
    held(judging, thoughts="shown")
    scene, acted = (m.content for m in judging.requests[0].messages)
    assert f"[{SECRET}]" in acted
    assert "[Begin with the figures. Figures are safe.]" in scene


def test_what_profiles_tell_and_ask() -> None:
    prompts = {}
    for profile in ("fixed", "coser", "her"):
        player, judging = Answering(lambda _: "Yes."), judge([])
        parts = {"environment": Answering(lambda _: "Rain."), "next_speaker": caller()}
        examined(COSER, player, judges=[judging], settings=settled(COSER, profile=profile), **parts)
        prompts[profile] = (player.requests[0], judging.requests[2])
    motive = SCENES[0]["key_characters"][0]["thought"]
    assert [motive in prompts[p][0].messages[0].content for p in prompts] == [True, False, False]
    assert [r.temperature for r, _ in prompts.values()] == [0.7, 0.0, 0.7]
    assert [r.max_tokens for r, _ in prompts.values()] == [1024, 512, 4096]
    assert ["{major_characters}" in j.messages[0].content for _, j in prompts.values()] == [False, True, True]
    assert "Judge only: Brother Anselm, Ysolde." in prompts["fixed"][1].messages[0].content
    assert [j.messages[1].content.startswith("Brother Anselm: Yes.") for _, j in prompts.values()] == [
        True,
        False,
        False,
    ]
    assert [j.json_schema is None for _, j in prompts.values()] == [False, True, True]


class Dead(Answering):
    """A model whose calls are all given up."""

    async def reply(self, request: Request) -> Reply:
        raise DeadLetterError("given up", reason="spent", attempts=3)


def test_a_call_that_failed_is_no_number() -> None:
    parts = {"environment": Answering(lambda _: "Rain."), "next_speaker": caller()}
    dead = Dead(lambda _: "")
    scores, summary = examined(COSER, dead, judges=[judge([])], **parts)
    assert summary.reasons == {"lost:dead_letter:spent": 60}
    assert not scores[0].findings
    _, summary = examined(COSER, Answering(lambda _: TURN), judges=[dead], **parts)
    assert summary.reasons == {"lost:dead_letter:spent": 60}
    her = settled(COSER, profile="her")
    _, summary = examined(COSER, Answering(lambda _: TURN), judges=[dead], settings=her, **parts)
    assert value(summary, "average") == (0.0, 12, 0)


def test_the_same_seed_plays_the_same_whatever_was_played_before() -> None:
    settings = settled(COSER, options={"rounds": "8"})
    nobody = Answering(lambda _: "whoever likes")

    def cast() -> Cast:
        return Cast(player=Answering(lambda _: "Yes."), environment=Answering(lambda _: "Rain."), next_speaker=nobody)

    alone = asyncio.run(play_scene(ITEMS[5], cast(), settings, repeat=0))
    asyncio.run(play_scene(ITEMS[1], cast(), settings, repeat=0))
    again = asyncio.run(play_scene(ITEMS[5], cast(), settings, repeat=0))
    assert alone == again
    assert alone.counts["drawn_speakers"] == 7  # all but the opening one
    other = asyncio.run(play_scene(ITEMS[5], cast(), settings, repeat=1))
    assert [line.speaker for line in other.lines] != [line.speaker for line in alone.lines]


@given(st.lists(st.integers(1, 5), max_size=30), st.integers(0, 40))
def test_a_score_is_between_0_and_100_and_falls_with_every_flaw(severities: list[int], n: int) -> None:
    assert 0 <= score([*severities, 1], n) <= score(severities, n) <= 100
    assert score(severities, n) <= score(severities, n + 1)


@pytest.mark.parametrize("case", GOLDEN["tokens"], ids=lambda c: c["text"][:20])
def test_tokens_are_the_oracles(case: dict[str, object]) -> None:
    assert coser_tokens(str(case["text"])) == case["tokens"]


def test_overlap_is_the_oracles() -> None:
    for case in GOLDEN["overlap"]:
        assert coser_bleu(case["reference"], case["simulated"]) == pytest.approx(case["bleu"], abs=1e-12)
        assert coser_rouge_l(case["reference"], case["simulated"]) == pytest.approx(case["rouge_l"], abs=1e-12)
    by_title = {s["book"]: s for s in SCENES}
    for case in GOLDEN["scenes"]:
        there = said(by_title[case["reference"]], named=True)
        here = said(by_title[case["simulated"]], named=False)
        tokens = coser_tokens(there)
        assert (len(tokens), sha256("\n".join(tokens).encode()).hexdigest()) == (case["tokens"], case["sha256"])
        assert coser_bleu(there, here) == pytest.approx(case["bleu"], rel=1e-9, abs=1e-300)
        assert coser_rouge_l(there, here) == pytest.approx(case["rouge_l"], abs=1e-12)
    assert (coser_bleu("a b", "..."), coser_rouge_l("a b", "...")) == (0.0, None)


def said(scene: dict[str, list[dict[str, str]]], *, named: bool) -> str:
    lines = [(d["character"], d["message"]) for d in scene["dialogues"]]
    plain = [(who, text if who == "Environment" else without_thoughts(text)) for who, text in lines]
    return "\n\n".join(f"{who}: {text}" if named else text for who, text in plain)


RECORDED = {
    "scores": {"avg": 92.0},
    "cases": {
        "The Salt Ledger-7-1": {
            "simulation": [
                {"role": "Ysolde", "content": "[Not Perrin.] It was the damp."},
                {"role": "NSP", "content": "Brother Anselm"},
                {"role": "Brother Anselm", "content": "The damp. (writes)"},
                {"role": "Environment", "content": "Water ticks."},
                {"role": "Ysolde", "content": "So it was."},
                {"role": "Brother Anselm", "content": "[hm]"},
            ],
            "critique": {
                "Storyline Consistency": {"flaws": [{"instance": "a", "type": "b", "severity": 3}], "score": 91.0},
                "Anthropomorphism": {"flaws": [{"severity": 2}, {"instance": "no severity"}], "score": 91.0},
                "Character Fidelity": {"flaws": [{"severity": 2.5}, {"severity": 4}], "score": 86.0},
                "Storyline Quality": {"flaws": [], "score": 100},
                "bleu": 0.1,
            },
        }
    },
}


def test_a_recorded_judgement_is_scored_again(tmp_path: Path) -> None:
    path = tmp_path / "judged.json"
    path.write_text(json.dumps(RECORDED))
    found = {
        p: json.loads(COSER.recorded(path, mini_set(COSER.card), settled(COSER, profile=p)).model_dump_json())
        for p in ("coser", "her", "fixed")
    }
    four = list(DIMENSIONS)
    assert [found["coser"][d] for d in four] == pytest.approx([91, 91, 86, 100], abs=1e-9)
    assert [found["her"][d] for d in four] == pytest.approx([91, 96, 73.5, 100], abs=1e-9)
    assert (found["coser"]["avg"], found["her"]["avg"]) == (pytest.approx(92, abs=1e-9), pytest.approx(90.125))
    simulated = "It was the damp.\n\nThe damp. (writes)\n\nWater ticks.\n\nSo it was.\n\n"
    reference = said(SCENES[0], named=True)
    assert found["coser"]["bleu"] == coser_bleu(reference, simulated)
    assert found["coser"]["rouge_l"] == coser_rouge_l(reference, simulated)
    assert found["coser"]["largest_difference"] == pytest.approx(100 * (0.1 - found["coser"]["bleu"]))
    assert (found["coser"]["turns"], found["fixed"]["turns"]) == (4.0, 3.0)  # one message was a thought alone
    assert found["fixed"]["avg"] is None
    assert found["fixed"]["Storyline Consistency"] == pytest.approx(100 - 5 * (3 - 0.3 * 3))
    assert found["fixed"]["unscored"] == {
        "Anthropomorphism: a severity is no whole number from 1 to 5": 1,
        "Character Fidelity: a severity is no whole number from 1 to 5": 1,
    }
    alone = COSER.recorded(path, None, settled(COSER, profile="coser"))
    assert (alone.bleu, alone.unscored) == (None, {"overlap: no --test-set": 1})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"scores": {}, "cases": {}}, "holds no case"),
        ({"cases": {}}, "field 'scores' is missing"),
        ({"scores": {}, "cases": {"a-1-1": {"critique": {"x": 1.0}}}}, "field 'cases.a-1-1.simulation' is missing"),
        (
            {"scores": {}, "cases": {"a-1-1": {"simulation": [], "critique": {"x": 1.0}}}},
            "no case of judged.json is in",
        ),
    ],
)
def test_hostile_judgement_files_are_named(tmp_path: Path, bad: object, message: str) -> None:
    path = tmp_path / "judged.json"
    path.write_text(json.dumps(bad))
    with pytest.raises(InputError, match=re.escape(message)):
        COSER.recorded(path, mini_set(COSER.card), settled(COSER, profile="coser"))


def changed(**fields: object) -> dict[str, object]:
    return {**SCENES[0], **fields}


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        ({k: v for k, v in SCENES[0].items() if k != "plot"}, "record 0: field 'plot' is missing"),
        (changed(dialogues=[{"character": "Ysolde"}]), "field 'dialogues.0.message' is missing"),
        (changed(i_p="seven"), "field 'i_p' is wrong"),
        (changed(dialogues=[]), "the book's own conversation is missing"),
        (changed(speaking_characters_w_env=["Environment"]), "nobody but the Environment speaks"),
        (changed(speaking_characters_w_env=["A: <b>"]), "cannot be a speaker's name"),
    ],
)
def test_hostile_scenes_are_named(tmp_path: Path, scene: object, message: str) -> None:
    path = tmp_path / "scenes.json"
    path.write_text(json.dumps([scene]))
    with pytest.raises(InputError, match=re.escape(message)):
        COSER.load(path, settled(COSER))


@pytest.mark.parametrize("option", [{"rounds": "0"}, {"rounds": "many"}, {"max_tokens": "-1"}, {"temperature": "hot"}])
def test_options_that_are_no_numbers_are_refused(option: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="coser: "):
        held(judge([]), options=option)


@pytest.mark.parametrize("profile", ["fixed", "coser", "her"])
@pytest.mark.parametrize("text", ["", "{", "[" * 50_000, '{"a":' * 50_000, "null", '{"Anthropomorphism": 3}', "`" * 9])
def test_hostile_judgements_are_unread(text: str, profile: str) -> None:
    reply = Response(text=text, reasoning=None, finish_reason="stop", prompt_tokens=None, completion_tokens=None)
    assert read(reply, "Anthropomorphism", profile).__class__.__name__ == "Unread"


def test_a_judge_that_hands_the_prompts_example_back_has_not_judged() -> None:
    def parrot(request: Request) -> str:
        return request.messages[0].content.rsplit("\n", 1)[1]

    _, summary = held(Answering(parrot), options={"rounds": "2"})
    assert summary.reasons == {"copied_example": 60}


def test_a_flaw_is_shown_at_the_line_it_quotes() -> None:
    lines = [Line(speaker="A", by="player", visible=v, turn=None) for v in ("(bows) Good morning.", "It was the damp.")]
    assert line_of("it was  THE damp", lines) == 1
    assert line_of('A says "Good morning." to nobody', lines) == 0
    assert line_of("something else", lines) is None


@pytest.mark.parametrize("profile", ["fixed", "coser", "her"])
def test_published_scenes_load_and_run(shared_data: Path, profile: str) -> None:
    settings = settled(COSER, profile=profile, options={"rounds": "6"})
    exam = COSER.load(shared_data / "coser" / "test_set_sample.json", settings)
    assert (len(exam.items), exam.refused) == (18, ())
    assert all(r.thought and not r.motivation for i in exam.items for r in i.roles if r.name in i.majors)
    parts = {"environment": Answering(lambda _: "Rain."), "next_speaker": caller()}
    scores, _ = examined(
        COSER, Answering(lambda _: "Yes, I know."), exam=exam, judges=[judge([2])], settings=settings, **parts
    )
    assert all(isinstance(m, Scored) for s in scores for m in s.marks)


def test_a_book_scored_against_itself_is_a_perfect_overlap(tmp_path: Path) -> None:
    simulation = [{"role": d["character"], "content": d["message"]} for d in SCENES[0]["dialogues"]]
    case = {"simulation": simulation, "critique": {d: {"flaws": []} for d in DIMENSIONS}}
    path = tmp_path / "judged.json"
    path.write_text(json.dumps({"scores": {}, "cases": {"The Salt Ledger-7-1": case}}))
    found = COSER.recorded(path, mini_set(COSER.card), settled(COSER))
    assert (found.bleu, found.rouge_l, found.avg) == (pytest.approx(1.0), pytest.approx(1.0), 100.0)
    assert isinstance(found.model_dump(mode="json")["avg"], float)
