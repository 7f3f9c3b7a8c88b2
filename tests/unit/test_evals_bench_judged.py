"""Judged exams: nothing unread becomes a number, thoughts stay hidden, and a panel is a panel."""

import asyncio
from pathlib import Path

import pytest
from exam_cases import Answering, examined, settled
from toy_benchmark import TOY

from her.errors import DeadLetterError, EndpointError, InputError, ReplyError
from her.evals.benchmarks import Cast
from her.evals.benchmarks.asked import Lost, ask, ask_judge
from her.evals.benchmarks.mark import Scored
from her.evals.benchmarks.sitting import sit
from her.evals.benchmarks.trust.panel import panel
from her.llm import Reply, Request, ScriptedModel

EXAM = TOY.load(Path("-"), settled(TOY))
PLAYER = ScriptedModel(["Mara: <role_thinking>I counted eight.</role_thinking>Nine, always nine."])
USER = ScriptedModel(["Go on."])


class Failing(ScriptedModel):
    """Raises on its first calls, then answers."""

    def __init__(self, *errors: Exception, then: str = "4") -> None:
        super().__init__([then])
        self._errors = list(errors)

    async def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        if self._errors:
            raise self._errors.pop(0)
        return await super().reply(request)


def test_perfect_and_poor_get_what_they_deserve() -> None:
    _, summary = examined(TOY, PLAYER, exam=EXAM, judges=[ScriptedModel(["5"])], user=USER)
    figure = summary.figure("quality")
    assert figure is not None
    assert (figure.estimate.value, figure.estimate.n) == (5.0, 6)
    _, summary = examined(TOY, PLAYER, exam=EXAM, judges=[ScriptedModel(["1"])], user=USER)
    figure = summary.figure("quality", "half: 1")
    assert figure is not None
    assert (figure.estimate.value, figure.estimate.n) == (1.0, 3)


def test_a_judge_that_never_parses_scores_nothing_and_is_asked_three_times() -> None:
    judge = ScriptedModel(["I would rather not say."])
    scores, summary = examined(TOY, PLAYER, exam=EXAM, judges=[judge], user=USER)
    assert (summary.marks, summary.unscored, summary.reasons, summary.marked) == (6, 6, {"unread": 6}, True)
    assert len(judge.requests) == 18
    assert len({(r.seed, r.sample_index) for r in judge.requests}) == 18, "a judge that is asked again draws anew"
    assert [r.temperature for r in judge.requests[:3]] == [0.0, 0.7, 0.7]
    assert all(s.marks[-1].kind == "unscored" for s in scores)


def test_a_judge_that_can_be_read_later_counts() -> None:
    answers = iter(["Well...", "3", *["3"] * 5])
    judge = Answering(lambda _: next(answers))
    _scores, summary = examined(TOY, PLAYER, exam=EXAM, judges=[judge], user=USER)
    assert summary.unscored == 0
    assert len(judge.requests) == 7


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DeadLetterError("given up", reason="spent", attempts=6), "lost:dead_letter:spent"),
        (DeadLetterError("too long", reason="too_long", attempts=1), "lost:dead_letter:too_long"),
    ],
)
def test_a_lost_verdict_is_unscored_by_its_reason(error: Exception, reason: str) -> None:
    _, summary = examined(TOY, PLAYER, exam=EXAM, judges=[Failing(error)], user=USER)
    assert (summary.reasons, summary.marks) == ({reason: 1}, 6)
    figure = summary.figure("quality")
    assert figure is not None
    assert (figure.estimate.value, figure.estimate.n, figure.unscored) == (4.0, 5, 1)


def test_nonsense_is_asked_again_and_a_dead_endpoint_ends_the_run() -> None:
    _, summary = examined(TOY, PLAYER, exam=EXAM, judges=[Failing(ReplyError("not a reply"))], user=USER)
    assert summary.unscored == 0
    with pytest.raises(EndpointError, match="401"):
        examined(TOY, PLAYER, exam=EXAM, judges=[Failing(EndpointError("401", 401))], user=USER)


def test_a_lost_line_of_the_player_is_no_dialogue() -> None:
    player = Failing(DeadLetterError("x", reason="refused", attempts=1), then="Mara: Nine.")
    scores, _ = examined(TOY, player, exam=EXAM, judges=[ScriptedModel(["2"])], user=USER)
    assert {c.name: c.value for c in scores[0].controls}["turns"] == 0
    assert {c.name: c.value for c in scores[1].controls}["turns"] == 1


def test_thoughts_are_hidden_from_judges_unless_shown() -> None:
    judge = ScriptedModel(["3"])
    examined(TOY, PLAYER, exam=EXAM, judges=[judge], user=USER)
    assert all("eight" not in m.content for r in judge.requests for m in r.messages)
    judge = ScriptedModel(["3"])
    examined(TOY, PLAYER, exam=EXAM, judges=[judge], user=USER, settings=settled(TOY, thoughts="shown"))
    assert all("I counted eight." in r.messages[0].content for r in judge.requests)


def test_a_panel_has_a_mean_agreement_and_leniency() -> None:
    mild, hard = ScriptedModel(["5"], name="scripted:mild"), ScriptedModel(["2"], name="scripted:hard")
    _, summary = examined(TOY, PLAYER, exam=EXAM, judges=[mild, hard], user=USER)
    figure = summary.figure("quality")
    assert figure is not None
    assert (figure.estimate.value, figure.estimate.n) == (3.5, 6)  # (5 + 2) / 2
    (agreement,) = summary.agreement
    assert {m.judge: m.deviation.value for m in agreement.leniency} == {"scripted:mild": 3.0, "scripted:hard": -3.0}
    # Each of six units holds 5 and 2: n5 = n2 = 6, n = 12; Do = 9*12/12 = 9; De = 9*2*36/(12*11); alpha = 1 - 132/72.
    assert agreement.alpha.value == pytest.approx(1 - 132 / 72)


def test_a_judged_exam_without_a_judge_and_a_part_without_a_model_are_refused() -> None:
    with pytest.raises(InputError, match="name one with --judge"):
        examined(TOY, PLAYER, exam=EXAM, user=USER)
    with pytest.raises(InputError, match="--user or --part user=MODEL"):
        asyncio.run(sit(TOY, EXAM, Cast(player=PLAYER), settled(TOY), [PLAYER]))


def test_repeats_draw_anew_and_stay_in_their_cluster() -> None:
    player = ScriptedModel(["Mara: Nine."])
    scores, summary = examined(
        TOY, player, exam=EXAM, judges=[ScriptedModel(["3"])], user=USER, settings=settled(TOY, repeats=2)
    )
    assert (len(scores), summary.items, summary.clusters) == (12, 6, 3)
    assert len({r.seed for r in player.requests}) == 12


def test_a_question_that_was_not_asked_is_no_reply() -> None:
    request = Request(messages=(), max_tokens=1, temperature=0.0)
    assert asyncio.run(ask(Failing(ReplyError("x")), request)) == Lost(reason="no_reply")
    asked = asyncio.run(ask_judge(Failing(*[ReplyError("x")] * 9), request, key="k", readable=lambda r: True, tries=3))
    assert (asked.returned, asked.tries) == (Lost(reason="no_reply"), 3)


def test_what_code_marked_stands_once_beside_a_panel() -> None:
    marks = [
        (Scored(metric="rude", value=value, judge=judge), Scored(metric="ended", value=1.0, judge=None))
        for judge, value in (("a", 0.0), ("b", 1.0))
    ]
    found = panel(marks)
    assert [(m.metric, m.judge) for m in found] == [("rude", "a"), ("rude", "b"), ("rude", None), ("ended", None)]
