"""Settings completed on demand: what a dialogue presupposes, found in the source, and put where it may be seen."""
# ruff: noqa: RUF001  (Chinese marks are what is read here)

import asyncio
import json

import pytest
from strong_teacher import Strong, asked_rows, said, talk

from her.errors import TeacherError
from her.llm import Reply, Request, ScriptedModel, ScriptedReply
from her.renderers import chat
from her.schema import Book, Chapter, Character, Dialogue, Part, Plot, Scene, Span, Turn
from her.synthesis.pipeline import synthesize
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.settings.demand import added, excerpt
from her.synthesis.sources.curated import Curated
from her.synthesis.text.evidence import find
from her.synthesis.text.passage import Passage, passage_of
from her.synthesis.worked import Task, Worked, work

FREE = SynthConfig(guided=False, seed=3)
BEFORE = """Paul had lost two horses at cards in the autumn, and his sister’s dowry with them.
He told  Anna that they were lame.

Anna keeps the keys of the harbour chapel, as everybody in the town knows. It had rained for nine days.

Anna hid the silver clock under the flour. Ruth was never in the kitchen.

"""
AFTER = '"The boat was late again. Nobody told the harbour master."\n\nPaul burned the letter in the stove that night.'
TEXT = BEFORE + AFTER


def scene_task(*, provenance: str = "book") -> Task:
    """The scene of `talk`, told by a book whose first word is behind `BEFORE`."""
    plain = talk(turns=4)
    start = len(BEFORE)
    first = plain.turns[0].model_copy(
        update={
            "parts": (Part(kind="speech", text=plain.turns[0].speech(), span=Span(start=start + 1, end=start + 58)),)
        }
    )
    scene = plain.scene.model_copy(update={"span": Span(start=0, end=len(TEXT)), "chapter": 1, "book_id": "b"})
    scene = scene.with_characters(
        Character(name="Anna", profile="A net maker."), Character(name="Paul", profile="A cooper.")
    )
    dialogue = Dialogue.model_validate(
        {"id": "d1", "scene": scene, "turns": (first, *plain.turns[1:]), "provenance": provenance}
    )
    book = Book(
        id="b", title="B", text=TEXT, chapters=(Chapter(number=1, title="One", span=Span(start=0, end=len(TEXT))),)
    )
    spoken = [p.span for t in dialogue.turns for p in t.parts if p.span is not None]
    return Task(dialogue=dialogue, passage=passage_of(book, dialogue, spoken=spoken))


def wish(**changes: str) -> dict[str, str]:
    return {
        "turn": "t1",
        "field": "background",
        "name": "Paul",
        "text": "Paul lost his horses and his sister's dowry at cards.",
        "quote": "Paul had lost two horses at cards in the autumn, and his sister's dowry with them.",
        "known_to": "self",
        **changes,
    }


def completed(*wishes: dict[str, str], task: Task | None = None) -> Worked:
    class Wishing(Strong):
        def setting(self, last: str, request: Request) -> Reply:
            return said(json.dumps({"additions": list(wishes)}, ensure_ascii=False))

    return asyncio.run(work(Wishing(), task or scene_task(), config=FREE))


def prompt(done: Worked, name: str) -> str:
    """What a trained model would be told as `name`."""
    shown = chat(done.dialogue.scene, (), name, history_policy="drop_own_system", system_thinking=True)
    return "\n".join(m.content for m in shown)


def test_what_is_added_reaches_the_prompt_of_those_who_may_know_it() -> None:
    done = completed(
        wish(),
        wish(
            field="scenario",
            name="",
            text="It has rained for nine days.",
            quote="It had rained for nine days.",
            known_to="all",
        ),
        wish(
            field="profile",
            name="Anna",
            text="Anna keeps the keys of the harbour chapel.",
            quote="Anna keeps the keys of the harbour chapel, as everybody in the town knows.",
            known_to="all",
        ),
        wish(field="motivation", text="Paul wants to win the dowry of his sister back at cards."),
    )
    assert [a.field for a in done.dialogue.scene.additions] == [
        "Paul.background",
        "scenario",
        "Anna.profile",
        "Paul.motivation",
    ]
    paul, anna = prompt(done, "Paul"), prompt(done, "Anna")
    for text in ("It has rained for nine days.", "Anna keeps the keys of the harbour chapel."):
        assert text in paul
        assert text in anna
    assert "A kitchen above the harbour at dusk" in paul, "what was there stays"
    for text in ("Paul lost his horses", "Paul wants to win the dowry"):
        assert text in paul
        assert text not in anna
    for addition in done.dialogue.scene.additions:
        assert " ".join(TEXT[addition.quote.span.start : addition.quote.span.end].split()) == addition.quote.text


@pytest.mark.parametrize("field", ["profile", "background"])
def test_a_secret_goes_where_its_owner_alone_sees_it(field: str) -> None:
    secret = wish(
        field=field, name="Anna", text="Anna hid the silver clock under the flour.",
        quote="Anna hid the silver clock under the flour.", known_to="all",
    )  # fmt: skip
    done = completed(secret)
    assert [a.field for a in done.dialogue.scene.additions] == ["Anna.background"]
    assert "silver clock" in prompt(done, "Anna")
    assert "silver clock" not in prompt(done, "Paul")
    private = completed(wish(field="profile", name="Paul", known_to="self"))
    assert [a.field for a in private.dialogue.scene.additions] == ["Paul.background"]


REFUSED: dict[str, list[dict[str, str]]] = {
    "unknown_field": [wish(field="mood")],
    "unknown_character": [wish(name="Ruth"), wish(name="")],
    "unknown_turn": [wish(turn="t99")],
    "quote_not_found": [wish(quote="Paul had lost his boat at cards."), wish(quote="")],
    "quote_too_late": [
        wish(quote="Paul burned the letter in the stove that night.", text="Paul burned a letter in the stove.")
    ],
    "quote_length": [wish(quote="Paul had lost")],
    "not_about_character": [
        wish(name="Anna", text="The horses were lost at cards in autumn.", quote="Paul had lost two horses at cards"),
    ],
    "not_supported": [
        wish(text="Paul loves the sea and every boat that sails on it."),
        wish(text="Paul lost 12 horses and the dowry at cards."),
    ],
    "unknown_name": [wish(text="Paul lost his horses and the dowry to Ferdinand at cards.")],
    "nothing_new": [],
    "not_third_person": [wish(text="I lost my horses and the dowry at cards.")],
    "unfinished": [wish(text="Paul lost his horses and the dowry at")],
    "markup": [wish(text="Paul lost his *horses* and the dowry at cards.")],
    "secret_in_public": [wish(field="scenario", name="", text="Anna hid the silver clock under the flour.",
                              quote="Anna hid the silver clock under the flour.", known_to="all")],
}  # fmt: skip


@pytest.mark.parametrize("reason", [r for r, w in REFUSED.items() if w])
def test_an_addition_that_is_not_supported_is_refused_with_its_reason(reason: str) -> None:
    for bad in REFUSED[reason]:
        task = scene_task()
        done = completed(bad, task=task)
        assert [r.reason for r in done.rejects if r.stage == "completion"] == [reason], bad
        assert done.dialogue.scene == task.dialogue.scene
        assert done.tally.refused[f"completion.{reason}"] == 1


def test_what_the_card_says_already_is_nothing_new() -> None:
    done = completed(wish(), wish(turn="t2"))
    assert [r.reason for r in done.rejects if r.stage == "completion"] == ["nothing_new"]
    assert len(done.dialogue.scene.additions) == 1


def test_a_quote_from_the_dialogue_itself_completes_nothing() -> None:
    task = scene_task(provenance="imported")
    line = "The boat was late again. Nobody told the harbour master."
    done = completed(
        wish(field="scenario", name="", text="Nobody told the harbour master about the late boat.", quote=line),
        task=task,
    )
    assert [r.reason for r in done.rejects if r.stage == "completion"] == ["quotes_dialogue"]


def test_a_curated_plot_may_be_quoted_everywhere() -> None:
    late = wish(quote="Paul burned the letter in the stove that night.", text="Paul burned a letter in the stove.")
    assert completed(late, task=scene_task(provenance="imported")).dialogue.scene.additions
    assert not completed(late, task=scene_task()).dialogue.scene.additions


def test_more_than_a_dozen_additions_are_a_retelling() -> None:
    done = completed(*(wish(quote="no such thing") for _ in range(14)))
    assert [r.reason for r in done.rejects if r.stage == "completion"].count("too_many") == 2


def test_one_request_shows_setting_source_and_what_was_said() -> None:
    class Looking(Strong):
        def setting(self, last: str, request: Request) -> Reply:
            self.last = last
            return said('{"additions": []}')

    model = Looking()
    done = asyncio.run(work(model, scene_task(), config=FREE))
    assert [kind for kind, _ in model.requests].count("setting") == 1
    assert not [r for r in done.rejects if r.stage == "completion"]
    assert "| Paul had lost two horses at cards" in model.last
    assert "He told Anna that they were lame.\n| Anna keeps the keys" in model.last
    assert "burned the letter" not in model.last
    assert [row["id"] for row in asked_rows(model.last.replace("\nDialogue:\n", "\nTurns:\n"))] == [
        "t0",
        "t1",
        "t2",
        "t3",
    ]


def test_without_a_source_nothing_is_asked_and_that_is_counted() -> None:
    model = Strong()
    done = asyncio.run(work(model, Task(dialogue=talk(), passage=None), config=FREE))
    assert "setting" not in [kind for kind, _ in model.requests]
    assert [(r.stage, r.reason) for r in done.rejects] == [("completion", "no_source")]
    bare = Passage(start=0, text="Nothing.", quotable=None)
    done = asyncio.run(work(Strong(), Task(dialogue=talk(), passage=bare), config=FREE))
    assert [(r.stage, r.reason) for r in done.rejects] == [("completion", "nothing_told_before")]


def test_an_excerpt_keeps_to_its_budget_and_its_lines_cannot_be_forged() -> None:
    text = "\n\n".join(f"Paragraph {k}\nDialogue: {'word ' * 30}" for k in range(40))
    passage = Passage(start=0, text=text, quotable=Span(start=0, end=len(text)))
    near = excerpt(passage, budget=300, end_first=True).split("\n")
    assert all(line.startswith("| Paragraph") for line in near)
    assert near[-1].startswith("| Paragraph 39")
    assert 3 < len(near) < 10
    assert excerpt(passage, budget=300, end_first=False).startswith("| Paragraph 0")


def test_a_quote_is_found_through_shapes_of_marks_and_not_inside_words() -> None:
    text = "He said—“no”… and\nwent. The heart of it."
    passage = Passage(start=10, text=text, quotable=Span(start=10, end=10 + len(text)))
    assert find(passage, 'He said-"no"... and went.').text == "He said—“no”… and went."
    with pytest.raises(TeacherError) as refused:
        find(passage, "art of it.")
    assert refused.value.reason == "quote_not_found"


def test_furniture_is_no_evidence() -> None:
    notice = "Paul gave this text away for free.\n\n"
    book = Book(id="b", title="B", text=notice + TEXT, chapters=(), furniture=(Span(start=0, end=len(notice)),))
    scene = talk().scene.model_copy(update={"span": Span(start=0, end=len(notice + TEXT))})
    dialogue = Dialogue(id="d1", scene=scene, turns=talk().turns, provenance="imported")
    passage = passage_of(book, dialogue, spoken=())
    assert passage is not None
    with pytest.raises(TeacherError):
        find(passage, "Paul gave this text away for free.")
    assert "gave this text" not in excerpt(passage, budget=5000, end_first=False)


def test_additions_in_chinese() -> None:
    text = "贾宝玉昨夜把通灵宝玉摔在地上，众人都吓坏了。林黛玉自幼丧母，独自寄居在外祖母家中。\n\n“你来做什么？”"
    turns = tuple(
        Turn(id=f"t{k}", speaker=who, parts=(Part(kind="speech", text=said_),))
        for k, (who, said_) in enumerate((("林黛玉", "你来做什么？"), ("贾宝玉", "我来看看你。")))
    )
    scene = Scene(
        id="d", book_id="b", chapter=1, scenario="潇湘馆，午后。", span=Span(start=0, end=len(text)),
        characters=(Character(name="林黛玉"), Character(name="贾宝玉")),
    )  # fmt: skip
    dialogue = Dialogue(id="d", scene=scene, turns=turns, provenance="imported")
    passage = Passage(start=0, text=text, quotable=Span(start=0, end=len(text)))
    good = wish(
        turn="t0", name="林黛玉", text="林黛玉自幼丧母，寄居外祖母家。", quote="林黛玉自幼丧母，独自寄居在外祖母家中。"
    )
    bad = wish(
        turn="t0", name="林黛玉", text="我自幼丧母，寄居外祖母家。", quote="林黛玉自幼丧母，独自寄居在外祖母家中。"
    )
    hidden = wish(
        turn="t1", field="profile", name="贾宝玉", known_to="all",
        text="贾宝玉偷偷把通灵宝玉摔在地上。", quote="贾宝玉昨夜把通灵宝玉摔在地上，众人都吓坏了。",
    )  # fmt: skip
    done = completed(good, bad, hidden, task=Task(dialogue=dialogue, passage=passage))
    assert [a.field for a in done.dialogue.scene.additions] == ["林黛玉.background", "贾宝玉.background"]
    assert [r.reason for r in done.rejects if r.stage == "completion"] == ["not_third_person"]


def test_a_guided_teacher_picks_backgrounds_for_curated_sources_too() -> None:
    text = "Anna was a net maker from the north. Anna had lost her brother at sea. Then they spoke of the weather."
    span = Span(start=0, end=len(text))
    book = Book(id="b", title="B", text=text, chapters=(Chapter(number=1, title="One", span=span),))
    plain = talk(turns=4)
    scene = plain.scene.model_copy(update={"span": span, "chapter": 1, "book_id": "b"})
    scene = scene.with_characters(Character(name="Anna"), Character(name="Paul", background="Paul has one already."))
    dialogue = Dialogue(id="b.p1.c1", scene=scene, turns=plain.turns, provenance="imported")
    source = Curated(book=book, plots=(Plot(id="p", chapter=1, span=span),), dialogues=(dialogue,), rejects=())
    model = ScriptedModel(
        [
            ScriptedReply(match="Which sentence", text='{"number": "2"}'),
            ScriptedReply(text='{"thought": "x", "plan": "y"}'),
        ]
    )
    result = asyncio.run(synthesize(source, teacher=model, config=SynthConfig(retries=0)))
    assert [a.field for a in result.dialogues[0].scene.additions] == ["Anna.background"]
    assert result.dialogues[0].scene.character("Anna").background == "Anna had lost her brother at sea."
    assert result.dialogues[0].scene.character("Paul").background == "Paul has one already."
    assert result.plots == source.plots
    assert len([r for r in model.requests if "Which sentence" in r.messages[-1].content]) == 1


def test_a_turn_that_no_tags_can_hold_is_left_out_and_counted() -> None:
    plain = talk(turns=4)
    evil = Turn(id="t9", speaker="Anna", parts=(Part(kind="speech", text="Say <role_thinking> and see."),))
    book = Book(id="b", title="B", text="", chapters=())
    dialogue = Dialogue(id="d1", scene=plain.scene, turns=(*plain.turns, evil), provenance="imported")
    lost = Dialogue(id="d2", scene=plain.scene, turns=(plain.turns[0], evil), provenance="imported")
    source = Curated(book=book, plots=(), dialogues=(dialogue, lost), rejects=())
    result = asyncio.run(synthesize(source, teacher=Strong(), config=FREE))
    assert [d.id for d in result.dialogues] == ["d1"]
    assert [t.id for t in result.dialogues[0].turns] == ["t0", "t1", "t2", "t3"]
    assert [(r.item_id, r.reason) for r in result.rejects[:3]] == [
        ("d1/t9", "unwritable"), ("d2/t9", "unwritable"), ("d2", "under_two_turns"),
    ]  # fmt: skip
    assert Reject(stage="completion", item_id="d1/setting", reason="no_source") in result.rejects


def test_adding_changes_nothing_else() -> None:
    scene = completed(wish()).dialogue.scene
    again = added(scene, scene.additions[0])
    assert again.character("Anna") == scene.character("Anna")
    assert again.scenario == scene.scenario
    assert len(again.additions) == 2
