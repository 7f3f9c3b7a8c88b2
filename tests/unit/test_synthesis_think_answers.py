"""Imperfect answers of a strong teacher: what is forgiven around one, and what is asked for again."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strong_teacher import Strong, asked_rows, talk

from her.errors import DeadLetterError, ReplyError, TeacherError
from her.llm import Reply, Request, Usage
from her.renderers import read_strict
from her.schema import Message, Turn
from her.synthesis.reading import parted, read_object, read_texts
from her.synthesis.result import SynthConfig
from her.synthesis.stages.enriched import Standing, accept
from her.synthesis.teacher import Answer, Ask, Choice, FreeAsk, Teacher, Text, fill
from her.synthesis.text.voice import plan_fault
from her.synthesis.text.wording import ends_properly, shares_run
from her.synthesis.worked import Task, work

FREE = SynthConfig(guided=False, retries=2, tell_faults=True)


@pytest.mark.parametrize(
    "text",
    [
        '{"plan": "Go \\"now\\"."}',
        '```json\n{"plan": "Go \\"now\\"."}\n```',
        'Sure! Here it is:\n\n{"plan": "Go \\"now\\"."}\n\nShall I go on?',
        '<think>{"plan": "no"} is too short</think>{"plan": "Go \\"now\\"."}',
        'Well, {"plan": "no"} is short.</think>\n{"plan": "Go \\"now\\"."}',
        'A first try: {"plan": "no"}. Better: {"plan": "Go \\"now\\"."}',
        '{"plan": "Go \\"now\\".", "note": {"plan": "inner"}}',
        '{not json} {"plan": "Go \\"now\\"."}',
    ],
)
def test_one_object_is_read_whatever_stands_around_it(text: str) -> None:
    assert read_texts(Reply(text=text, finish_reason="stop"), ("plan",)) == {"plan": 'Go "now".'}


def test_raw_line_breaks_in_a_text_are_forgiven() -> None:
    assert read_texts(Reply(text='{"plan": "Go.\nNow."}', finish_reason="stop"), ("plan",)) == {"plan": "Go.\nNow."}


@pytest.mark.parametrize(
    ("text", "finish", "reason"),
    [
        ('{"plan": "Go', "length", "truncated"),
        ('{"plan": "Go."}', "length", "truncated"),
        ('{"plan": "Go', "stop", "not_json"),
        ('{"turns": [{"plan": "inner"}, {"pl', "stop", "not_json"),
        ('{"plan": "She says "go"."}', "stop", "not_json"),
        ('["plan"]', "stop", "not_json"),
        ("", "stop", "not_json"),
        ('{"other": "x"}', "stop", "not_json"),
        ('{"plan": ["x"]}', "stop", "not_json"),
        ('{"plan": true}', "stop", "not_json"),
        ('{"plan": " "}', "stop", "empty"),
        ('{"plan": "Go."}', "content_filter", "filtered"),
        ("<think>It never ends", "stop", "not_json"),
    ],
)
def test_a_broken_answer_is_never_mended(text: str, finish: str, reason: str) -> None:
    with pytest.raises(TeacherError) as refused:
        read_texts(Reply.model_validate({"text": text, "finish_reason": finish}), ("plan",))
    assert refused.value.reason == reason


@given(st.text(alphabet='{}[]":,\\ abplan', max_size=400))
@settings(max_examples=200, deadline=500)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_object(Reply(text=text, finish_reason="stop"), ("plan",))
    except TeacherError:
        return
    assert "plan" in found


@pytest.mark.parametrize("text", ["{" * 100_000, '{"a":' * 50_000, '{"plan": "' + "x" * 1_000_000])
def test_a_hostile_answer_costs_no_time(text: str) -> None:
    with pytest.raises(TeacherError):
        read_object(Reply(text=text, finish_reason="stop"), ("plan",))


@pytest.mark.parametrize(
    ("reply", "thinking", "text"),
    [
        (Reply(text="Go.", finish_reason="stop"), None, "Go."),
        (Reply(text="Go.", reasoning="Hm.", finish_reason="stop"), "Hm.", "Go."),
        (Reply(text="<think>Hm.</think>\nGo.", reasoning="Ah.", finish_reason="stop"), "Ah.\n\nHm.", "Go."),
        (Reply(text="\n<Thinking> Hm. </THINKING>Go.", finish_reason="stop"), "Hm.", "Go."),
        (Reply(text="<role_action>I</role_action>", finish_reason="stop"), None, "<role_action>I</role_action>"),
        (Reply(text="<think></think>Go.", finish_reason="stop"), None, "Go."),
        (Reply(text="I <think> so.", finish_reason="stop"), None, "I <think> so."),
    ],
)  # fmt: skip
def test_thinking_is_parted_from_the_answer(reply: Reply, thinking: str | None, text: str) -> None:
    assert parted(reply) == (thinking, text)


class Replies(Strong):
    """Gives the replies it was given, one after the other, whatever it is asked."""

    def __init__(self, *replies: Reply | Exception) -> None:
        super().__init__()
        self.asked: list[Request] = []
        self._replies: Sequence[Reply | Exception] = replies

    async def reply(self, request: Request) -> Reply:
        self.asked.append(request)
        found = self._replies[min(len(self.asked), len(self._replies)) - 1]
        if isinstance(found, Exception):
            raise found
        return found


CUT = Reply(text='{"plan": "Anna goes', finish_reason="length", usage=Usage(prompt_tokens=5, completion_tokens=4))
WHOLE = Reply(text='{"plan": "Anna goes to sleep."}', finish_reason="stop")
QUESTION = Ask(
    stage="system_thinking",
    item_id="d/t",
    prompt="pick",
    values={"sentences": "1. A.", "name": "Anna"},
    fields={"plan": Text(chars=40, opening="Anna "), "mood": Choice(options=("calm", "angry"))},
    check=lambda fields: fields["plan"],
)


def free(max_tokens: int = 100) -> FreeAsk[str]:
    return FreeAsk(
        stage="system_thinking",
        item_id="d/t",
        messages=lambda fault: (Message(role="user", content=f"Go on.{fault}"),),
        read=lambda reply: read_texts(reply, ("plan",))["plan"],
        max_tokens=max_tokens,
    )


def asked(model: Replies, ask: FreeAsk[str], config: SynthConfig = FREE) -> tuple[Answer[str], Teacher]:
    teacher = Teacher(model, config=config)
    return asyncio.run(teacher.ask_free(ask)), teacher


def test_a_cut_off_answer_is_asked_for_again_once_with_twice_the_room() -> None:
    model = Replies(CUT, WHOLE)
    answer, teacher = asked(model, free(), FREE.model_copy(update={"retries": 0}))
    assert answer.value == "Anna goes to sleep."
    assert [r.max_tokens for r in model.asked] == [2048, 4096]
    assert [r.sample_index for r in model.asked] == [0, 1]
    assert (teacher.counts.retries, dict(teacher.counts.refused)) == (1, {"system_thinking.truncated": 1})


def test_more_room_is_given_once_and_then_the_attempts_run_out() -> None:
    model = Replies(CUT)
    answer, _ = asked(model, free(max_tokens=3000), FREE.model_copy(update={"retries": 1}))
    assert answer.reject is not None
    assert (answer.reject.reason, answer.reject.item_id) == ("truncated", "d/t")
    assert [r.max_tokens for r in model.asked] == [3000, 6000, 6000]


def test_a_refused_answer_is_asked_for_again_with_its_fault() -> None:
    model = Replies(Reply(text="Hm.", finish_reason="stop"), ReplyError("bad schema"), WHOLE)
    answer, teacher = asked(model, free())
    assert answer.value == "Anna goes to sleep."
    assert model.asked[0].messages[-1].content == "Go on."
    assert all("refused: not json" in r.messages[-1].content for r in model.asked[1:])
    assert teacher.counts.unmetered["system_thinking"] == 2


def test_a_dead_letter_ends_the_item_and_says_which_kind() -> None:
    model = Replies(DeadLetterError("400: too many tokens", reason="too_long", attempts=2))
    answer, teacher = asked(model, free())
    assert answer.reject is not None
    assert (answer.reject.reason, answer.reject.detail) == ("dead_letter", "too_long: 400: too many tokens")
    assert len(model.asked) == 1
    assert teacher.counts.retries == 0
    led = Teacher(Replies(DeadLetterError("x", reason="spent", attempts=5)), config=SynthConfig())
    guided = asyncio.run(led.ask(QUESTION))
    assert guided.reject is not None
    assert guided.reject.reason == "dead_letter"


def test_a_small_question_to_a_strong_teacher_is_read_strictly_and_not_forced() -> None:
    model = Replies(Reply(text='{"plan": "Anna goes. Anna sl', finish_reason="length"), Reply(
        text='Here: {"plan": "Anna goes.", "mood": "calm"}', finish_reason="stop"))  # fmt: skip
    answer = asyncio.run(Teacher(model, config=FREE).ask(QUESTION))
    assert answer.value == "Anna goes."
    schema = json.loads(model.asked[0].json_schema or "")
    assert schema["properties"] == {"plan": {"type": "string"}, "mood": {"type": "string", "enum": ["calm", "angry"]}}
    led = Replies(Reply(text='{"plan": "Anna goes. Anna sl", "mood": "calm"', finish_reason="length"))
    guided = asyncio.run(Teacher(led, config=SynthConfig(retries=0)).ask(QUESTION))
    assert guided.value == "Anna goes. Anna sl"
    assert "pattern" in (led.asked[0].json_schema or "")
    assert len(led.asked) == 1


def test_fences_thinking_and_prose_cost_a_whole_scene_nothing() -> None:
    class Untidy(Strong):
        async def reply(self, request: Request) -> Reply:
            reply = await super().reply(request)
            return reply.model_copy(
                update={"text": f"<think>Let me see. {{}}</think>Of course!\n```json\n{reply.text}\n```\nDone."}
                if request.json_schema
                else {}
            )

    config = FREE.model_copy(update={"seed": 3})
    tidy = asyncio.run(work(Strong(), Task(dialogue=talk(), passage=None), config=config))
    untidy = asyncio.run(work(Untidy(), Task(dialogue=talk(), passage=None), config=config))
    assert untidy == tidy


def test_a_teacher_that_answers_in_another_language_is_refused_and_counted() -> None:
    class Foreign(Strong):
        def turn(self, seed: str, speaker: str, text: str) -> str:
            return f"<role_thinking>我不知道该怎么办才好</role_thinking>{text}"

        def plan(self, last: str, request: Request) -> Reply:
            text = (
                "Anna n'est pas contente de tout cela et ne sait pas quoi dire à Paul, qui la regarde sans rien dire. "
            )
            return Reply(text=json.dumps({"plan": text * 3}), finish_reason="stop")

    done = asyncio.run(work(Foreign(), Task(dialogue=talk(turns=4), passage=None), config=FREE))
    assert done.tally.refused["role_thinking.other_language"] == 8
    assert {r.reason for r in done.rejects if r.stage == "role_thinking"} == {"other_language"}
    assert {r.reason for r in done.rejects if r.stage == "system_thinking"} <= {"mixes_languages", "length", "loops"}
    assert [t.parts for t in done.dialogue.turns] == [t.parts for t in talk(turns=4).turns]


def example(prompt: str) -> tuple[str, Any]:
    """The worked example of a prompt file: what is asked and what is answered."""
    empty = dict.fromkeys(
        ("rules", "scenario", "cast", "before", "turns", "name", "self", "others", "history", "turn", "reply", "draft",
         "task", "first", "words", "language", "fault", "source", "dialogue"), ""
    )  # fmt: skip
    _, question, answer, _ = fill(prompt, empty)
    return question.content, json.loads(answer.content)


def test_the_examples_of_the_prompts_keep_their_own_rules() -> None:
    question, answer = example("enrich")
    given = {row["id"]: row for row in asked_rows(question)}
    alone = example("enrich_turn")[1]["turn"]
    rows = [*answer["turns"], {"id": "a2", "speaker": "Nora", "turn": alone}]
    scene = Standing(
        language="en", forms=("Nora",), others=("Will",), hidden=(), known="", earlier=(), added=(), most_added=70,
        least_similar=1.0, example="",
    )  # fmt: skip
    for row in rows:
        source = read_strict(given[row["id"]]["turn"], speaker=row["speaker"], turn_id=row["id"])
        if row["turn"] == alone:
            source = Turn(id="a2", speaker="Nora", parts=tuple(p for p in source.parts if p.kind == "speech"))
        forms = (row["speaker"],)
        kept = accept(row["turn"], source=source, standing=replace(scene, forms=forms, others=()), passage=None)
        assert kept.speech() == source.speech()
    plan = str(example("plan")[1]["plan"])
    assert plan_fault(plan, forms=("Nora",), language="en") is None
    assert ends_properly(plan)
    assert not shares_run(plan, "I could not sleep. Is there any tea left?", length=4)
    question, answer = example("demand")
    (addition,) = answer["additions"]
    assert addition["quote"] in question
    assert addition["turn"] in question
