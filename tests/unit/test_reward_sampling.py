"""Pairs are sampled, gated, met by schedule and labelled; every reply and every question is accounted for."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from reward_cases import RuleJudge, preference, prompt, turn
from rich.console import Console

from her.cli.labelling import label_pairs
from her.errors import DeadLetterError, InputError
from her.llm import ScriptedModel
from her.llm.model import Delta, Reply, Request
from her.reward.gates import GateConfig
from her.reward.sampling import NO_PRINCIPLE, SampleConfig, label, sample
from her.schema import Comparison, Preference, Winner
from her.store import read_jsonl, write_jsonl

GATES = GateConfig(system_thinking=False)


class Ordered:
    """A model that gives its k-th sample the k-th text; None is a request that was given up."""

    name = "ordered"
    fingerprint = "ordered"

    def __init__(self, *texts: str | None) -> None:
        self.texts = texts

    async def reply(self, request: Request) -> Reply:
        text = self.texts[request.sample_index]
        if text is None:
            raise DeadLetterError("given up", reason="spent", attempts=6)
        return Reply(text=text, finish_reason="stop")

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        yield Delta(text=(await self.reply(request)).text)

    async def close(self) -> None:
        """Nothing to close."""


def sampled(*texts: str | None, k: int = 1) -> tuple[tuple[Comparison, ...], dict[str, int]]:
    config = SampleConfig(n=len(texts), k=k)
    made = asyncio.run(sample(Ordered(*texts), [prompt()], config=config, gates=GATES))
    return made.comparisons, made.replies


def test_replies_meet_by_schedule_and_two_meet_once() -> None:
    texts = ("Ann: One.", "Ann: Two.", "Ann: Three.", "Ann: Four.")
    comparisons, replies = sampled(*texts)
    assert replies == {"fit": 4}
    assert [(c.cand_1.speech(), c.cand_2.speech()) for c in comparisons] == [
        ("One.", "Two."),
        ("Two.", "Three."),
        ("Three.", "Four."),
        ("Four.", "One."),
    ]
    assert {c.cand_1.id for c in comparisons} == {"r"}, "a reply stands where the prompt's turn stands"
    every, _ = sampled(*texts, k=3)
    met = {frozenset((c.cand_1.speech(), c.cand_2.speech())) for c in every}
    assert len(every) == len(met) == 6
    assert len({c.id for c in every}) == 6


def test_what_fails_meets_nobody_and_is_counted() -> None:
    comparisons, replies = sampled("Ann: One.", "<role_action>nods", None, "Ann: One.", "Ann: Two.")
    assert [(c.cand_1.speech(), c.cand_2.speech()) for c in comparisons] == [("One.", "Two.")]
    assert replies["fit"] == 2
    assert replies["said_twice"] == 1
    assert replies["no_reply"] == 1
    assert sum(replies.values()) == 5
    alone, _ = sampled("Ann: One.", "<role_action>nods")
    assert alone == ()


def test_labels_ties_and_what_was_not_read() -> None:
    asked = [preference(turn("a"), turn("b"), "tie", id=i).comparison for i in ("sure", "habit", "even", "silent")]

    def rule(c: Comparison) -> Winner | None:
        first = c.cand_1.speech() == "a"
        answers: dict[str, Winner | None] = {
            "sure": "cand_1" if first else "cand_2",
            "habit": "cand_1",
            "even": "tie",
            "silent": "cand_1" if first else None,
        }
        return answers[c.id]

    made = asyncio.run(label(RuleJudge(rule), asked))
    assert made.outcomes == {"decided": 1, "inconsistent": 1, "tie": 1, "unread: silent": 1}
    assert [(p.comparison.id, p.winner) for p in made.pairs] == [
        ("sure", "cand_1"),
        ("habit", "tie"),
        ("even", "tie"),
    ]
    assert {p.labeller for p in made.pairs} == {"teacher"}
    assert {p.principle for p in made.pairs} == {NO_PRINCIPLE}
    assert [j.id for j in made.judged] == ["sure", "habit", "even", "silent"], "what was not read keeps its reason"


def test_a_policy_that_says_one_thing_makes_no_pair() -> None:
    made = asyncio.run(sample(ScriptedModel(["Ann: Same."]), [prompt()], config=SampleConfig(n=4), gates=GATES))
    assert made.comparisons == ()
    assert made.replies == {"fit": 1, "said_twice": 3}


def _labelled(source: Path, out: Path, *answers: str) -> str:
    said = iter(answers)
    screen = io.StringIO()
    label_pairs(source, out, seed=2, console=Console(file=screen, width=200), read=lambda: next(said))
    return screen.getvalue()


def test_labelling_by_hand_is_blind_goes_on_and_knows_who_was_meant(tmp_path: Path) -> None:
    source, out = tmp_path / "pairs.jsonl", tmp_path / "mine.jsonl"
    good, bad = turn("Stones walk.", plan="Ann lies"), turn("I am\x1b[2J an AI.")
    write_jsonl(source, [preference(good, bad, "cand_2", id=f"c{i}", principle="Own Voice") for i in range(6)])
    screen = _labelled(source, out, "q")
    assert "0 of 6" in screen
    for hidden in ("cand_2", "Own Voice", "by construction", "Ann lies", "\x1b", "scarcely see the figures"):
        assert hidden not in screen
    places = []
    while len(places) < 6:  # one answer a sitting: whoever stands first is looked up on the screen
        screen = _labelled(source, out, "q")
        first = "1" if "1) Ann: Stones" in screen else "2"
        places.append(first)
        _labelled(source, out, "x", first, "q")
    found = read_jsonl(out, Preference)
    assert {p.comparison.id for p in found} == {f"c{i}" for i in range(6)}
    assert {p.winner for p in found} == {"cand_1"}, "labels are about the pair as the file has it"
    assert {p.labeller for p in found} == {"human"}
    assert set(places) == {"1", "2"}, "sides are turned"
    assert "6 of 6" in _labelled(source, out)


def test_labelling_takes_pairs_without_labels_and_refuses_what_is_none(tmp_path: Path) -> None:
    source, out = tmp_path / "pairs.jsonl", tmp_path / "mine.jsonl"
    write_jsonl(source, [preference(turn("a"), turn("b"), "tie", id="c").comparison])
    assert "0 of 1" in _labelled(source, out, "s"), "what was skipped waits for the next sitting"
    assert "1 of 1" in _labelled(source, out, "t")
    assert read_jsonl(out, Preference)[0].winner == "tie"
    source.write_text('{"x": 1}\n')
    with pytest.raises(InputError, match=r"pairs\.jsonl:1: not a Comparison"):
        _labelled(source, out)
