"""System thinking of a strong teacher: where a draft comes from, what a plan must be, and what no request may hold."""
# ruff: noqa: RUF001  (Chinese marks are what is read here)

import asyncio
import json
import re

import pytest
from strong_teacher import Strong, plan_text, said, talk

from her.errors import TeacherError
from her.llm import Reply, Request
from her.schema import Character, Dialogue, Part, Scene, Turn
from her.synthesis.result import SynthConfig
from her.synthesis.stages.plan import draft_ask, draft_kind, read_draft, rewrite_ask, target_words
from her.synthesis.worked import Task, Worked, work

FREE = SynthConfig(guided=False, seed=3)


def worked(model: Strong, dialogue: Dialogue, **changes: object) -> Worked:
    config = SynthConfig.model_validate({**FREE.model_dump(), **changes})
    return asyncio.run(work(model, Task(dialogue=dialogue, passage=None), config=config))


def test_a_reasoning_teacher_s_own_thinking_is_the_draft() -> None:
    model = Strong(reasoning=True)
    done = worked(model, talk())
    assert done.tally.drafts == {"harvested": 10}
    played = [r for kind, r in model.requests if kind == "played"]
    plans = [r.messages[-1].content for kind, r in model.requests if kind == "plan"]
    assert len(played) == len(plans) == 10
    for request in played:
        thought = plan_text(f"{name_in(request)}/{request.messages[-1].content}", name_in(request), words=60)
        assert sum(f"First plan: {thought}\n" in plan for plan in plans) == 1
    assert not any("Well." in plan for plan in plans), "the turn it played is thrown away"


def test_a_draft_is_made_from_the_prompt_that_a_trained_model_gets() -> None:
    from her.renderers import chat

    dialogue = talk()
    for turn in dialogue.turns:
        ask = draft_ask(FREE, dialogue, turn_id=turn.id)
        assert ask.messages("") == chat(
            dialogue.scene,
            dialogue.before(turn.id),
            turn.speaker,
            history_policy="drop_own_system",
            system_thinking=True,
        )


def name_in(request: Request) -> str:
    found = re.search(r"You are ([^\n.]+?)\.", request.messages[0].content)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("reply", "text", "harvested"),
    [
        (Reply(text="Anna: Go.", reasoning="She would go.", finish_reason="stop"), "She would go.", True),
        (Reply(text="<think>She would go.</think>Anna: Go.", finish_reason="stop"), "She would go.", True),
        (Reply(text="She would go.</think>\nAnna: Go.", finish_reason="stop"), "She would go.", True),
        (
            Reply(text="<system_thinking>Anna goes.</system_thinking>Anna: Go.", finish_reason="stop"),
            "Anna goes.",
            False,
        ),
        (Reply(text="Anna: Go, I sa", reasoning="She would go.", finish_reason="length"), "She would go.", True),
    ],
)
def test_drafts_are_harvested_or_asked_for(reply: Reply, text: str, harvested: bool) -> None:
    draft = read_draft(reply, speaker="Anna")
    assert (draft.text, draft.harvested) == (text, harvested)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(text="", reasoning="She would", finish_reason="length"), "truncated"),
        (Reply(text="<system_thinking>Anna is", finish_reason="length"), "truncated"),
        (Reply(text="Anna: Go.", finish_reason="stop"), "no_plan"),
        (Reply(text="", finish_reason="stop"), "no_plan"),
        (Reply(text="", finish_reason="content_filter"), "filtered"),
    ],
)
def test_what_is_no_draft_says_why(reply: Reply, reason: str) -> None:
    with pytest.raises(TeacherError) as refused:
        read_draft(reply, speaker="Anna")
    assert refused.value.reason == reason


def test_without_a_draft_a_plan_is_made_all_the_same_and_the_loss_is_counted() -> None:
    class Mute(Strong):
        def played(self, last: str, request: Request) -> Reply:
            return said("Well.")

    model = Mute()
    done = worked(model, talk(), retries=0)
    assert {r.reason for r in done.rejects if r.stage == "system_thinking"} == {"no_draft"}
    assert all(t.system_thinking for t in done.dialogue.turns)
    plans = [r.messages[-1].content for kind, r in model.requests if kind == "plan"]
    assert all("There is no first plan." in p and "First plan: (None.)" in p for p in plans)


def test_where_no_rewrite_passes_there_is_no_plan() -> None:
    class Headstrong(Strong):
        def plan(self, last: str, request: Request) -> Reply:
            words = re.search(r"Write about (\d+) words", last)
            assert words is not None
            return said(json.dumps({"plan": "I say that " + plan_text(last, "Anna", words=int(words[1]))}))

    done = worked(Headstrong(), talk(), retries=1)
    assert all(t.system_thinking is None for t in done.dialogue.turns)
    reasons = [r.reason for r in done.rejects if r.stage == "system_thinking"]
    assert reasons == ["not_third_person"] * 10
    assert [r.item_id for r in done.rejects if r.stage == "system_thinking"] == [f"d1/t{k}" for k in range(10)]


LONG = (
    "Anna waits for the ferry and is sorry that the barrels were two. She means to tell Paul, but not before he eats. "
)


@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        (None, "none"),
        ("Anna waits.", "none"),
        (LONG, "plan"),
        ("I wait for the ferry, and I am sorry that the barrels were two. I mean to tell Paul when he eats.", "voice"),
        ("The user wants Anna to be sorry; Anna should tell Paul about the barrels before he eats.", "voice"),
        ("You are waiting for the ferry with Anna, and you are sorry that the barrels were two of them.", "voice"),
        ("The ferry is late and the barrels were two, which is a pity, and it ought to be told soon to all.", "voice"),
        ('Anna waits for the ferry. She might say "I owe him two, I told you one" and look at her hands.', "plan"),
    ],
)
def test_drafts_are_of_three_kinds(draft: str | None, kind: str) -> None:
    assert draft_kind(draft, forms=("Anna",), spoken="en") == kind


@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        ("林黛玉听见宝玉进来，心里一喜，却又想起昨夜的话来，便打定主意不先开口，只等他来赔不是。", "plan"),
        ("我听见宝玉进来，心里一喜，却又想起昨夜的话来，便打定主意不先开口，只等他来赔不是。", "voice"),
        ("用户希望林黛玉生气，所以这里应当让她先不开口，只等宝玉来赔不是，然后再流泪。", "voice"),
    ],
)
def test_drafts_are_of_three_kinds_in_chinese(draft: str, kind: str) -> None:
    assert draft_kind(draft, forms=("林黛玉",), spoken="zh") == kind


def test_a_good_draft_keeps_its_length_and_others_get_what_the_turn_needs() -> None:
    short, long = (
        talk().turns[0],
        Turn(id="t", speaker="Anna", parts=(Part(kind="speech", text="word " * 300 + "end."),)),
    )
    assert target_words("plan", draft="word " * 100, reply=short, first=True, most=450) == 100
    assert target_words("plan", draft="word " * 900, reply=short, first=True, most=450) == 450
    plain = target_words("voice", draft="word " * 900, reply=short, first=False, most=450)
    assert 80 < plain < target_words("none", draft=None, reply=short, first=True, most=450)
    assert target_words("none", draft=None, reply=long, first=True, most=450) == 250


def plan_of(text: str, *, turn_id: str = "t4", earlier: tuple[str, ...] = (), draft: str | None = None) -> str:
    """What becomes of a plan for a turn whose scene is `talk`, with a thought of Paul's before it."""
    dialogue = talk()
    thought = Part(kind="thought", text="I will tell the harbour master of her debt before the lamps are lit")
    turns = tuple(t.model_copy(update={"parts": (thought, *t.parts)}) if t.id == "t3" else t for t in dialogue.turns)
    whole = Dialogue(id="d1", scene=dialogue.scene, turns=turns, provenance="teacher")
    ask = rewrite_ask(FREE, whole, turn_id=turn_id, draft=draft, earlier=earlier)
    return ask.read(said(json.dumps({"plan": text})))


GOOD = (
    "Anna hears that Paul calls her afraid, and it is near enough to the truth to sting. The debt has weighed on her "
    "since spring, and Paul is the one person before whom she would rather be hard than ashamed. So Anna chooses to "
    "say the number before anybody can ask for it, as if it were the price of salt, and watches his face."
)


def test_a_good_plan_passes() -> None:
    assert plan_of(GOOD) == GOOD
    assert plan_of(GOOD.replace("So Anna", "\n\nSo Anna")).count("\n") == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("So Anna chooses", "So I choose"), "not_third_person"),
        (GOOD.replace("So Anna chooses", "So you choose, Anna,"), "not_third_person"),
        (GOOD.replace("Anna", "She"), "not_about_character"),
        (GOOD.replace("Paul calls", "the user calls"), "talks_of_user"),
        (GOOD.replace("as if it", "**as if** it"), "markup"),
        (GOOD.removesuffix("face."), "unfinished"),
        ("Anna is sorry about the barrels.", "length"),
        (" ".join([GOOD] * 2), "loops"),
        (
            GOOD + " Anna must stop Paul, who will tell the harbour master of her debt before the lamps are lit.",
            "reads_minds",
        ),
        (GOOD + " Anna knows that Paul means to sail in May and hides it from her.", "reads_minds"),
        (GOOD + " 她想知道他怎么看。", "other_language"),
    ],
)
def test_a_plan_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(TeacherError) as refused:
        plan_of(text)
    assert refused.value.reason == reason


CHINESE = (
    "贾宝玉一进门便问冷问热，林黛玉听了只觉得心里发酸。林黛玉记得昨夜的话，也知道他并无恶意，可若就这样笑脸相迎，"
    "倒像是自己先认了错。于是林黛玉决定先把门关上一半，拿话刺他一刺，看他是走还是留；他若留下，林黛玉自有话要慢慢问他。"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CHINESE, None),
        (CHINESE.replace("于是林黛玉", "于是我"), "not_third_person"),
        (CHINESE.replace("林黛玉", "她"), "not_about_character"),
        (CHINESE.replace("贾宝玉一进门", "用户一进门"), "talks_of_user"),
        (CHINESE + "林黛玉知道他把那方旧帕子悄悄烧掉了。", "reads_minds"),
        (CHINESE + "She does not know what to say to him and she waits.", "mixes_languages"),
        (CHINESE.removesuffix("问他。"), "unfinished"),
        ("林黛玉不高兴。", "length"),
    ],
)
def test_plans_in_chinese(text: str, reason: str | None) -> None:
    cast = (
        Character(name="林黛玉", profile="寄居贾府。"),
        Character(name="贾宝玉", background="我把那方旧帕子悄悄烧掉了。"),
    )
    scene = Scene(id="d", book_id=None, chapter=None, scenario="潇湘馆，午后，贾宝玉来访。", characters=cast)
    spoken = (("贾宝玉", "妹妹今日可好些了？外头风大，仔细着凉。"), ("林黛玉", "你来做什么？这里没有你要找的人。"))
    turns = tuple(
        Turn(id=f"t{k}", speaker=who, parts=(Part(kind="speech", text=line),)) for k, (who, line) in enumerate(spoken)
    )
    dialogue = Dialogue(id="d", scene=scene, turns=turns, provenance="imported")
    ask = rewrite_ask(FREE, dialogue, turn_id="t1", draft=None, earlier=())
    assert "in Chinese." in ask.messages("")[-1].content
    answer = said(json.dumps({"plan": text}, ensure_ascii=False))
    if reason is None:
        assert ask.read(answer) == text
        return
    with pytest.raises(TeacherError) as refused:
        ask.read(answer)
    assert refused.value.reason == reason


def test_a_plan_neither_recites_its_turn_nor_repeats_an_earlier_plan() -> None:
    speech = "It was one when I said it. Sit down and eat. How can anyone eat with that hanging over the house"
    whole = talk()
    turns = tuple(
        Turn(id=t.id, speaker=t.speaker, parts=(Part(kind="speech", text=speech + "?"),)) if t.id == "t4" else t
        for t in whole.turns
    )
    dialogue = Dialogue(id="d1", scene=whole.scene, turns=turns, provenance="teacher")
    ask = rewrite_ask(FREE, dialogue, turn_id="t4", draft=None, earlier=())
    assert ask.read(said(json.dumps({"plan": f'{GOOD} Anna will say "{speech[:40]}".'})))
    with pytest.raises(TeacherError) as refused:
        ask.read(said(json.dumps({"plan": f'{GOOD} Anna will say "{speech}".'})))
    assert refused.value.reason == "quotes_reply"
    with pytest.raises(TeacherError) as again:
        plan_of(GOOD, earlier=(GOOD.replace("salt", "fish"),))
    assert again.value.reason == "repeats"


def test_the_first_plan_of_a_character_starts_from_the_scene() -> None:
    ask = rewrite_ask(FREE, talk(), turn_id="t0", draft=None, earlier=())
    shown = ask.messages("")[-1].content
    assert "It is Anna's first turn here" in shown
    assert (
        "first turn here"
        not in rewrite_ask(FREE, talk(), turn_id="t2", draft=None, earlier=()).messages("")[-1].content
    )
    nowhere = re.sub("Paul", "Somebody", GOOD)
    with pytest.raises(TeacherError) as refused:
        ask.read(said(json.dumps({"plan": nowhere})))
    assert refused.value.reason == "no_scene"
    somewhere = f"The storm is over, the kitchen above the harbour is dark. {nowhere}"
    assert ask.read(said(json.dumps({"plan": somewhere}))) == somewhere


def test_a_type_a_draft_is_kept_near_its_length() -> None:
    draft = " ".join([LONG] * 5)
    shown = rewrite_ask(FREE, talk(), turn_id="t4", draft=draft, earlier=()).messages("")[-1].content
    assert f"Write about {len(draft.split())} words" in shown
    with pytest.raises(TeacherError) as refused:
        plan_of("Anna has had enough of barrels and of spring, and shows Paul nothing but the number of them. "
                "She would like him to laugh.", draft=draft)  # fmt: skip
    assert refused.value.reason == "length"


def test_only_the_end_of_a_very_long_draft_is_shown() -> None:
    thinking = "".join(f"Anna weighs reason number {k} with care. " for k in range(400)) + "Anna decides."
    draft = read_draft(Reply(text="Anna: Go.", reasoning=thinking, finish_reason="stop"), speaker="Anna")
    assert len(draft.text) <= 6000
    assert draft.text.startswith("Anna weighs reason number")
    assert draft.text.endswith("Anna decides.")
