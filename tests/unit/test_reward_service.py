"""The scoring service over HTTP: the same bits as in process, whoever came by the deadline, no number for bad input."""

import asyncio
import json
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from reward_cases import RuleJudge, prompt, text, turn

from her.errors import ConfigError, EndpointError
from her.llm import Ledger
from her.reward.gates import GateConfig
from her.reward.group import GroupConfig, GroupReward
from her.reward.judge import Judge
from her.reward.names import open_judge
from her.reward.pack import load_pack
from her.reward.score import read_schedule
from her.reward.service import Cohorts, GroupIn, GroupOut, MemberIn, ReplyIn, Scoring
from her.reward.service.wire import group_out
from her.schema import Comparison, Verdict, Winner
from her.serve import ServeSettings
from her.serve.carrier import create_carrier

GATES = GateConfig(system_thinking=False)
WORDS = ("mill", "stone", "list", "father", "ledger", "rain", "night", "wheel", "flour", "river", "pedlar", "coins")


def _moody(c: Comparison) -> Winner | None:
    """Deterministic and opinionated; silent on one question in five."""
    dice = random.Random(f"{c.id}/{c.cand_1.speech()}/{c.cand_2.speech()}")
    return dice.choice(["cand_1", "cand_2", "cand_1", "tie", None])  # type: ignore[return-value]


def _reward(judge: Judge, config: GroupConfig | None = None) -> GroupReward:
    return GroupReward(judge, gates=GATES, config=config)


@contextmanager
def service(
    judge: Judge, *, config: GroupConfig | None = None, key: str | None = None, **options: Any
) -> Iterator[httpx2.Client]:
    """A server on a free port; gives a client."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    scoring = Scoring(Cohorts(_reward(judge, config), **options), judge=judge.name)
    settings = ServeSettings(port=port, api_key=key, max_body_bytes=32 << 20)
    posts = {"/v1/groups": scoring.groups, "/v1/members": scoring.members}
    app = create_carrier(posts, {"/v1/tally": scoring.tally}, settings, close=scoring.close)
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()


def member(index: int, *, size: int = 3, cohort: str = "c", said: str | None = None, **rest: Any) -> dict[str, Any]:
    reply = {"text": said or text(turn(WORDS[index])), "finish_reason": "stop"}
    body = {"cohort": cohort, "size": size, "index": index, "prompt": prompt().model_dump(mode="json"), "reply": reply}
    return {**body, **rest}


def together(client: httpx2.Client, bodies: Sequence[dict[str, Any]]) -> list[httpx2.Response]:
    """Members that are sent at the same time, answered in the order of `bodies`."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(lambda body: client.post("/v1/members", json=body), bodies))


def _random_group(number: int) -> GroupIn:
    dice = random.Random(number)
    replies = []
    for _ in range(dice.randint(1, 9)):
        said = " ".join(dice.choices(WORDS, k=dice.randint(1, 12)))
        broken = dice.random() < 0.15
        replies.append(ReplyIn(text="<role_action>" if broken else text(turn(said)), finish_reason="stop"))
    return GroupIn(prompt=prompt().model_copy(update={"id": f"p{number}"}), replies=tuple(replies))


def _in_process(asked: Sequence[GroupIn], config: GroupConfig) -> list[GroupOut]:
    rewarder = _reward(RuleJudge(_moody), config)

    async def all_of_them() -> list[GroupOut]:
        outs = []
        for g in asked:
            scored = await rewarder.score(g.prompt, [r.text for r in g.replies], [r.finish_reason for r in g.replies])
            outs.append(group_out(scored, range(len(g.replies)), cohort=None, size=len(g.replies)))
        return outs

    return asyncio.run(all_of_them())


def test_200_random_groups_are_the_same_bits_over_http() -> None:
    """Whole groups and cohorts whose members arrive in any order; games are missing, replies are gated."""
    unread = unknown = gated = 0
    for schedule, numbers in (("circulant:2", range(80)), ("knockout", range(80, 130)), ("anchor:2", range(130, 200))):
        config = read_schedule(schedule)
        asked = [_random_group(n) for n in numbers]
        expected = _in_process(asked, config)
        with service(RuleJudge(_moody), config=config) as client:

            async def send(asked: list[GroupIn], base: httpx2.URL) -> list[GroupOut]:
                async with httpx2.AsyncClient(base_url=base, timeout=60) as http:

                    async def whole(g: GroupIn) -> GroupOut:
                        answer = await http.post("/v1/groups", json=g.model_dump(mode="json"))
                        assert answer.status_code == 200, answer.text
                        return GroupOut.model_validate_json(answer.content)

                    async def pieces(g: GroupIn, number: int) -> GroupOut:
                        order = random.Random(number).sample(range(len(g.replies)), len(g.replies))
                        bodies = [
                            MemberIn(
                                cohort=f"c{number}",
                                size=len(g.replies),
                                index=i,
                                prompt=g.prompt,
                                reply=g.replies[i],
                                deadline_s=60,
                            )
                            for i in order
                        ]
                        answers = await asyncio.gather(
                            *(http.post("/v1/members", json=b.model_dump(mode="json")) for b in bodies)
                        )
                        found = {a.json()["reply"]["index"]: a.json() for a in answers}
                        games = {(x["first"], x["second"]): x for a in found.values() for x in a["games"]}
                        one = found[0]
                        return GroupOut.model_validate_json(
                            json.dumps(
                                {
                                    "cohort": None,
                                    "size": one["size"],
                                    "absent": one["absent"],
                                    "belief": one["belief"],
                                    "baseline": one["baseline"],
                                    "replies": [found[i]["reply"] for i in sorted(found)],
                                    "games": list(games.values()),
                                }
                            )
                        )

                    return [await (whole(g) if n % 2 else pieces(g, n)) for n, g in enumerate(asked)]

            got = asyncio.run(send(asked, client.base_url))
        for there, here in zip(got, expected, strict=True):
            assert there.model_copy(update={"games": ()}) == here.model_copy(update={"games": ()})
            order = {(g.first, g.second): g for g in there.games}
            assert [order[g.first, g.second] for g in here.games] == list(here.games)
        unread += sum(g.verdict.kind == "unparsed" for e in expected for g in e.games)
        unknown += sum(r.reward is None for e in expected for r in e.replies)
        gated += sum(r.gated is not None for e in expected for r in e.replies)
    assert min(unread, unknown, gated) > 10, "the groups had nothing missing, so they show nothing"


def test_whoever_arrived_is_scored_and_the_absent_are_named() -> None:
    with service(RuleJudge(_moody)) as client:
        answers = together(client, [member(i, size=4, deadline_s=0.6) for i in (3, 1)])
        assert [a.status_code for a in answers] == [200, 200]
        found = answers[0].json()
        assert found["absent"] == [0, 2]
        assert found["reply"]["index"] == 3
        assert {(g["first"], g["second"]) for g in found["games"]} == {(1, 3), (3, 1)}
        late = client.post("/v1/members", json=member(0, size=4))
        assert (late.status_code, late.json()["error"]["code"]) == (409, "late_member")
        assert late.json()["baseline"] == found["baseline"]
        again = client.post("/v1/members", json=member(3, size=4))
        assert again.json() == found, "a client that lost its connection may ask again"
        tally = client.get("/v1/tally").json()
        seen = {k: tally[k] for k in ("groups", "partial", "absent", "late", "repeated", "replies", "open")}
        assert seen == {"groups": 1, "partial": 1, "absent": 2, "late": 1, "repeated": 1, "replies": 2, "open": 0}


def test_a_group_of_one_is_counted_and_not_a_number() -> None:
    with service(RuleJudge(_moody)) as client:
        alone = GroupIn(prompt=prompt(), replies=(ReplyIn(text=text(turn("No.")), finish_reason=None),))
        found = client.post("/v1/groups", json=alone.model_dump(mode="json")).json()
        assert (found["replies"][0]["reward"], found["replies"][0]["uncertainty"], found["baseline"]) == (None,) * 3
        assert client.post("/v1/members", json=member(0, size=1)).json()["reply"]["reward"] is None
        tally = client.get("/v1/tally").json()
        assert (tally["unknown"], tally["games"]) == (2, 0)


def test_hostile_input_is_refused_or_counted_and_never_a_number() -> None:
    big = "Ann: " + "a" * 100_000
    place = prompt().model_dump(mode="json")
    cases: list[tuple[dict[str, Any], int, str]] = [
        (member(0, size=0), 400, "bad_request"),
        (member(0, size=10_000), 400, "bad_request"),
        (member(3, size=3), 400, "bad_index"),
        (member(-1), 400, "bad_request"),
        (member(0, cohort=""), 400, "bad_request"),
        (member(0, deadline_s=-1), 400, "bad_request"),
        (member(0, reply={"text": "x"}), 400, "bad_request"),
        (member(0, extra=1), 400, "bad_request"),
        (member(0, said="a" * 200_001), 400, "bad_request"),
        (member(0, prompt={**place, "character": "Nobody"}), 400, "bad_prompt"),
        ({k: v for k, v in member(0).items() if k != "prompt"}, 400, "bad_request"),
        (member(0, prompt={k: v for k, v in place.items() if k != "reference"}), 400, "bad_request"),
    ]
    with service(RuleJudge(_moody)) as client:
        for body, status, code in cases:
            answer = client.post("/v1/members", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), body
            assert answer.json()["baseline"] is None
        for raw in (b"", b"{", b"[]", b"\xff\xfe", json.dumps(member(0, said="a\ud800b")).encode()):
            answer = client.post("/v1/members", content=raw, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
        nobody = {**_random_group(1).model_dump(mode="json"), "replies": []}
        assert client.post("/v1/groups", json=nobody).status_code == 400
        texts = (text(turn("No.")), big, text(turn("Yes, and no.")))
        group = GroupIn(prompt=prompt(), replies=tuple(ReplyIn(text=t, finish_reason="stop") for t in texts))
        found = client.post("/v1/groups", json=group.model_dump(mode="json")).json()
        assert [r["gated"] for r in found["replies"]] == [None, "too_long", None]
        assert found["replies"][1]["objectives"]["length"] is False
        tally = client.get("/v1/tally").json()
        assert tally["gated"] == {"too_long": 1}
        assert sum(tally["refused"].values()) == len(cases) + 6
        assert client.get("/v1/nothing").status_code == 404


def test_members_must_agree_and_a_changed_one_is_refused() -> None:
    with service(RuleJudge(_moody)) as client:
        waiting = threading.Thread(target=lambda: client.post("/v1/members", json=member(0, deadline_s=5)))
        waiting.start()
        while client.get("/v1/tally").json()["open"] == 0:
            time.sleep(0.01)
        other = {**prompt().model_dump(mode="json"), "id": "another"}
        for body, code in (
            (member(1, size=4), "cohort_size"),
            (member(1, prompt=other), "cohort_prompt"),
            (member(0, said=text(turn("Something else."))), "duplicate_member"),
        ):
            answer = client.post("/v1/members", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, code)
            assert "Something" not in answer.text
        together(client, [member(1), member(2)])
        waiting.join()
        tally = client.get("/v1/tally").json()
        assert (tally["groups"], tally["partial"]) == (1, 0)
        assert tally["refused"] == {"cohort_prompt": 1, "cohort_size": 1, "duplicate_member": 1}


def test_the_door_is_the_servers_own() -> None:
    key = "correct-horse-battery-staple"
    with service(RuleJudge(_moody), key=key) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/v1/tally").status_code == 401
        assert client.get("/v1/tally", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        plain = client.post("/v1/groups", content=b"{}", headers={"Authorization": f"Bearer {key}"})
        assert plain.status_code == 415
    with service(RuleJudge(_moody)) as client:
        assert client.get("/v1/tally", headers={"Host": "evil.example"}).status_code == 421


class Down:
    """A judge whose endpoint fails on the first call."""

    name = fingerprint = "down"
    positional = True

    def __init__(self) -> None:
        self.calls = 0
        self.well = RuleJudge(_moody)

    async def judge(self, comparisons: Sequence[Comparison]) -> list[Verdict]:
        self.calls += 1
        if self.calls == 1:
            raise EndpointError("the judge is down; start it")
        return await self.well.judge(comparisons)


def test_a_judge_that_is_down_is_an_error_and_the_cohort_may_try_again() -> None:
    with service(Down()) as client:
        for expected in (502, 200):
            answers = [a.status_code for a in together(client, [member(i, size=2) for i in (0, 1)])]
            assert answers == [expected] * 2
        tally = client.get("/v1/tally").json()
        assert (tally["failed"], tally["groups"]) == (1, 1)


def test_too_many_cohorts_are_told_to_come_back_and_old_ones_are_forgotten() -> None:
    async def run() -> None:
        cohorts = Cohorts(_reward(RuleJudge(_moody)), deadline_s=0.05, most_open=2, keep=1)
        asked = [MemberIn.model_validate(member(0, size=2, cohort=f"c{i}")) for i in range(4)]
        first = [asyncio.create_task(cohorts.member(a)) for a in asked[:2]]
        await asyncio.sleep(0)
        scoring = Scoring(cohorts, judge="rule")
        assert (await scoring.members(asked[2].model_dump_json().encode())).status == 429
        await asyncio.gather(*first)
        assert (await cohorts.member(asked[3])).absent == (1,)
        assert len(cohorts._cohorts) == 2, "one finished cohort is kept beside the new one"
        await cohorts.close()

    asyncio.run(run())


def test_a_crash_never_pays_twice(tmp_path: Path) -> None:
    """A service that died half way through a group; another on the same ledger asks only what is missing."""
    script = tmp_path / "judge.jsonl"
    verdict = json.dumps({"findings": [], "better_response": "cand_1"})
    script.write_text("".join(json.dumps({"text": verdict}) + "\n" for _ in range(12)))
    asked = _random_group(12)
    texts, ends = [r.text for r in asked.replies], [r.finish_reason for r in asked.replies]

    def once(most: int) -> tuple[object, int]:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            judge = open_judge(f"scripted:{script}", load_pack(None), ledger=ledger, stage="reward")
            score = asyncio.run(_reward(judge).score(asked.prompt, texts[:most], ends[:most]))
            return score, ledger.tally("reward").calls

    _, few = once(3)
    whole, all_calls = once(len(texts))
    again, same = once(len(texts))
    assert 0 < few < all_calls == same
    assert whole == again


@pytest.mark.parametrize("bad", ["swiss", "circulant:0", "circulant:x", "anchor:3", "knockout:2", "round_robin:1", ""])
def test_a_schedule_that_is_none_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        read_schedule(bad)


def test_schedules_by_name() -> None:
    assert read_schedule("circulant:3") == GroupConfig(k=3)
    assert read_schedule("anchor:2") == GroupConfig(schedule="anchor", anchor_both_orders=True)
    assert read_schedule("knockout").schedule == "knockout"
