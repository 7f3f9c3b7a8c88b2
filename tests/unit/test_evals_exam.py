"""The exam on policies of known behaviour: each gets the figures it deserves."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from her.errors import EndpointError, InputError, VerdictError
from her.evals import ExamConfig, ExamResult, examine
from her.llm.model import Reply, Request
from her.llm.scripted import ScriptedModel
from her.renderers.roleplay import chat
from her.schema import Comparison, Decided, Part, RLPrompt, Turn, Unparsed, Verdict
from her.stats import share
from her.story import load_scenes

SCENES = load_scenes()[:4]
CONFIG = ExamConfig(samples=2, rounds=2, seed=5, max_tokens=100, system_thinking=False)


def prompts(split: str = "test") -> list[RLPrompt]:
    return [
        RLPrompt.model_validate(
            {
                "id": f"{s.id}.p",
                "dialogue_id": s.id,
                "turn_id": "t1",
                "character": s.names()[0],
                "scene": s,
                "history": (),
                "messages": chat(s, (), s.names()[0], history_policy="drop_own_system", system_thinking=False),
                "reference": Turn(id="t1", speaker=s.names()[0], parts=(Part(kind="speech", text="GOLDEN LINE"),)),
                "split": split,
                "provenance": "gold",
                "history_policy": "drop_own_system",
                "system_thinking": False,
            }
        )
        for s in SCENES
    ]


class Named(ScriptedModel):
    """Answers in the name of whoever it plays."""

    async def reply(self, request: Request) -> Reply:
        reply = await super().reply(request)
        who = request.messages[0].content.partition("You are ")[2].partition(".")[0]
        return reply.model_copy(update={"text": reply.text.replace("NAME", who)})


GOOD = "NAME: <role_thinking>Careful.</role_thinking>Nine, always nine."


async def first_wins(comparisons: list[Comparison]) -> list[Verdict]:
    return [Decided(winner="cand_1") for _ in comparisons]


async def thought_wins(comparisons: list[Comparison]) -> list[Verdict]:
    def thinks(t: Turn) -> bool:
        return any(p.kind == "thought" for p in t.parts)

    assert all(t.system_thinking is None for c in comparisons for t in (c.cand_1, c.cand_2))
    return [
        Decided(winner="tie" if thinks(c.cand_1) == thinks(c.cand_2) else "cand_1" if thinks(c.cand_1) else "cand_2")
        for c in comparisons
    ]


async def unreadable(comparisons: list[Comparison]) -> list[Verdict]:
    return [Unparsed(reason="not JSON") if i == 0 else Decided(winner="tie") for i, _ in enumerate(comparisons)]


def run(
    policies: dict[str, ScriptedModel],
    judge: Callable[[list[Comparison]], Awaitable[list[Verdict]]] | None = None,
    config: ExamConfig = CONFIG,
) -> ExamResult:
    return asyncio.run(examine(policies, prompts(), SCENES, config, judge=judge))


def test_a_perfect_policy_and_a_hopeless_one() -> None:
    result = run({"good": Named([GOOD]), "mute": Named([""]), "crowd": Named(["NAME: Hm.\nEnvironment: It rains."])})
    good, mute, crowd = (result.metrics(p) for p in ("good", "mute", "crowd"))
    assert good is not None
    assert mute is not None
    assert crowd is not None
    assert good.n == mute.n == 8  # four scenes, one prompt each, two samples
    assert good.well_formed == share(8, 8)
    assert (good.unread, good.faults, good.leaks) == (0, {}, share(0, 8))
    assert (good.words.value, good.layouts.top_layout) == (3.0, "thought>speech")
    assert (mute.unread, mute.well_formed, mute.leaks.n) == (8, share(0, 8), 0)
    assert (mute.words.value, mute.layouts.n) == (None, 0)
    assert crowd.speaks_for_others == share(8, 8)
    assert crowd.faults["foreign_speech"] == 8


def test_scenes_are_played_by_each_policy_alone() -> None:
    result = run({"good": Named([GOOD]), "mute": Named([""])})
    assert len(result.plays) == 2 * len(SCENES)
    good, mute = result.scenes
    assert (good.n, good.unread, mute.unread) == (8, 0, 8)  # four scenes of two rounds
    assert all(not p.played.dialogue.turns for p in result.plays if p.policy == "mute")


def test_forfeits_identical_replies_and_both_mute() -> None:
    asked: list[Comparison] = []

    async def spy(comparisons: list[Comparison]) -> list[Verdict]:
        asked.extend(comparisons)
        return await first_wins(comparisons)

    result = run({"mute": Named([""]), "good": Named([GOOD]), "again": Named([GOOD]), "silent": Named([""])}, spy)
    assert asked == []  # nothing here needs a judge
    won = result.against("good", "mute")
    assert won is not None
    assert (won.rate.value, won.wins, won.forfeits_against) == (1.0, 8, 8)
    assert won.rate.low is not None
    assert won.rate.low < 1.0  # four scenes are no certainty
    same = result.against("again", "good")
    assert same is not None
    assert (same.rate.value, same.identical) == (0.5, 8)
    lost = result.against("silent", "good")
    assert lost is not None
    assert (lost.rate.value, lost.forfeits) == (0.0, 8)
    neither = result.against("silent", "mute")
    assert neither is not None
    assert (neither.rate.value, neither.rate.n, neither.no_contest) == (None, 0, 8)


def test_orders_that_disagree_are_ties_and_unread_stays_out() -> None:
    two = {"plain": Named(["NAME: Nine."]), "good": Named([GOOD])}
    habit = run(two, first_wins).against("good", "plain")
    assert habit is not None
    assert (habit.rate.value, habit.ties, habit.inconsistent) == (0.5, 8, 8)
    taste = run(two, thought_wins).against("good", "plain")
    assert taste is not None
    assert (taste.rate.value, taste.wins, taste.inconsistent) == (1.0, 8, 0)
    holes = run(two, unreadable).against("good", "plain")
    assert holes is not None
    assert (holes.unread, holes.rate.n, holes.pairs) == (1, 7, 8)
    for w in (habit, taste, holes):
        assert w.wins + w.losses + w.ties + w.unread + w.no_contest == w.pairs


def test_same_seed_same_result_and_the_answer_is_shown_to_nobody() -> None:
    mixed = [GOOD, "NAME: Nine.", "", "Hello!"]
    models = [Named(mixed), Named([GOOD])]
    first = run({"a": models[0], "b": models[1]}, thought_wins)
    assert first == run({"a": Named(mixed), "b": Named([GOOD])}, thought_wins, CONFIG)
    assert first == ExamResult.model_validate_json(first.model_dump_json())
    assert not any("GOLDEN LINE" in m.content for model in models for r in model.requests for m in r.messages)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="training split"):
        asyncio.run(examine({"a": Named([GOOD])}, prompts("train"), (), CONFIG))
    other = ExamConfig(history_policy="keep_own_system")
    with pytest.raises(InputError, match="history policy"):
        asyncio.run(examine({"a": Named([GOOD])}, prompts(), (), other))
    with pytest.raises(InputError, match="without system thinking, the exam runs with it"):
        asyncio.run(examine({"a": Named([GOOD])}, prompts(), (), ExamConfig(system_thinking=True)))
    with pytest.raises(InputError, match="at least one policy"):
        asyncio.run(examine({}, prompts(), (), CONFIG))

    async def short(comparisons: list[Comparison]) -> list[Verdict]:
        return []

    with pytest.raises(VerdictError, match="0 verdicts on 16 comparisons"):
        run({"a": Named([GOOD]), "b": Named(["NAME: Nine."])}, short)


def test_a_failing_endpoint_ends_the_exam_with_its_own_error() -> None:
    class Down(ScriptedModel):
        async def reply(self, request: Request) -> Reply:
            raise EndpointError("connection refused at 127.0.0.1:9; start the endpoint, then run again")

    with pytest.raises(EndpointError, match="connection refused"):
        run({"a": Down([""])})
