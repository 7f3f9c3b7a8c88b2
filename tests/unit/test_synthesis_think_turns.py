"""What a strong teacher may make of a turn: what each rule lets through and what it refuses, in two languages."""
# ruff: noqa: RUF001  (Chinese marks are what is read here)

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her.errors import TeacherError
from her.renderers import read_strict
from her.schema import Part, Span, Turn
from her.synthesis.stages.enriched import Standing, accept, added_words
from her.synthesis.text.fidelity import difference, relaid, similarity
from her.synthesis.text.language import language, mixes
from her.synthesis.text.passage import Passage
from her.synthesis.text.voice import action_fault, thought_fault

EN = Turn(id="t1", speaker="Anna", parts=(Part(kind="speech", text="It was one when I said it. Sit down and eat."),))
EN_FULL = Turn(
    id="t1",
    speaker="Anna",
    parts=(Part(kind="thought", text="He counts well"), Part(kind="action", text="sits"), EN.parts[0]),
)
ZH = Turn(id="t1", speaker="林黛玉", parts=(Part(kind="speech", text="你来做什么？这里没有你要找的人。"),))
ZH_FULL = Turn(
    id="t1",
    speaker="林黛玉",
    parts=(Part(kind="thought", text="我不想见他"), Part(kind="action", text="转过身去"), ZH.parts[0]),
)


def standing(*, chinese: bool, added: tuple[int, ...] = ()) -> Standing:
    """A scene with one secret and one earlier thought of the speaker's own."""
    if chinese:
        made = Standing(
            language="zh",
            forms=("林黛玉", "颦儿"),
            others=("贾宝玉", "紫鹃"),
            hidden=("昨夜我把那方旧帕子悄悄烧掉了",),
            known="潇湘馆 竹子 贾宝玉 紫鹃",
            earlier=("我这一生的眼泪怕是要还尽在这里了罢",),
            added=(),
            most_added=70,
            least_similar=0.9,
            example="I am tired of waiting for him to begin",
        )
    else:
        made = Standing(
            language="en",
            forms=("Anna", "Annie"),
            others=("Paul", "Ruth"),
            hidden=("Paul pawned the silver clock in the spring and told nobody.",),
            known="Two barrels are owed to the harbour master. Paul. Ruth.",
            earlier=("My mother would have thrown the barrels into the river by now",),
            added=(),
            most_added=70,
            least_similar=0.9,
            example="I am tired of waiting for him to begin",
        )
    return replace(made, added=added)


def think(text: str) -> str:
    return f"<role_thinking>{text}</role_thinking>"


def act(text: str) -> str:
    return f"<role_action>{text}</role_action>"


CASES: list[tuple[str, Turn, str, str]] = [
    # reason, source, what passes, what is refused; `|` stands for the spoken words
    ("grammar", EN, think("I fed him for years") + "|", "<role_thinking>I fed him for years|"),
    ("grammar", ZH, think("我早该走了") + "|", think("我早该走了") + "|</role_action>"),
    ("nested", EN, think("I must") + act("sits") + "|", f"<role_thinking>I must {act('sits')}</role_thinking>|"),
    ("nested", ZH, think("我怕") + act("坐下") + "|", f"<role_thinking>我怕{act('坐下')}</role_thinking>|"),
    ("speaker", EN, "Anna: |", "|\nPaul: No."),
    ("speaker", ZH, "林黛玉: |", "|\n贾宝玉: 是我。"),
    ("adjacent", EN, think("I wait") + act("sits") + "|", think("I wait") + think("I sit") + "|"),
    ("adjacent", ZH, think("我等") + act("坐下") + "|", act("坐下") + act("抬头") + "|"),
    ("speech_changed", EN, "It was one when I said it. Sit down, and eat!", "It was one. Sit down and eat your soup."),
    ("speech_changed", ZH, "你来做什么？这里没有你要找的人！", "你来做什么？快走吧，这里不欢迎你。"),
    ("lost_thought", EN_FULL, think("He counts better than I do") + act("sits") + "|", act("sits") + "|"),
    ("lost_thought", ZH_FULL, act("转身") + think("我不愿见他") + "|", act("转过身去") + "|"),
    ("lost_action", EN_FULL, act("sits") + "|" + think("He counts"), think("He counts well") + "|"),
    ("lost_action", ZH_FULL, act("转身") + "|" + think("我不见"), think("我不想见他") + "|"),
    ("markup", EN, think("I will, I must") + "|", think("I *will*, I must") + "|"),
    ("markup", ZH, act("低下头") + "|", act("[低下头]") + "|"),
    ("talks_of_user", EN, think("I used to count too") + "|", think("I must please the user now") + "|"),
    ("talks_of_user", ZH, think("我用不着他") + "|", think("我要让用户满意") + "|"),
    ("other_language", EN, think("I owe him") + "|", think("I owe him 两桶") + "|"),
    ("mixes_languages", ZH, think("我欠他OK") + "|", think("我觉得 really nothing matters") + "|"),
    (
        "loops",
        EN,
        think("I owe and I owe") + "|",
        think("I owe him two barrels of ale, I owe him two barrels of ale") + "|",
    ),
    ("loops", ZH, think("我等，我只是等") + "|", think("我在这里等他回来，我在这里等他回来") + "|"),
    (
        "not_first_person",
        EN,
        think("Two barrels, and he counts only one of them, my poor fool") + "|",
        think("She is afraid that the harbour master will come for the barrels") + "|",
    ),
    (
        "not_first_person",
        ZH,
        think("这竹子的影子比去年又长了些，我却瘦了") + "|",
        think("这竹子的影子比去年又长了许多，人却一天天瘦了下去") + "|",
    ),
    ("third_person", EN, think("Anna, I must not cry") + "|", think("Anna wants me to leave him be") + "|"),
    ("third_person", ZH, think("颦儿啊颦儿，我何苦呢") + "|", think("林黛玉心想，我不该来") + "|"),
    (
        "copies_speech",
        EN,
        think("One was true once, I told him") + "|",
        think("I know it was one when I said it") + "|",
    ),
    ("copies_speech", ZH, think("我盼的人偏不来") + "|", think("我知道这里没有你要找的人") + "|"),
    (
        "reads_minds",
        EN,
        think("Paul hides something of silver from me") + "|",
        think("I know he pawned the silver clock in the spring") + "|",
    ),
    ("reads_minds", ZH, think("我猜那旧帕子还在他那里") + "|", think("我知道他把那方旧帕子悄悄烧掉了") + "|"),
    (
        "repeats",
        EN,
        think("My mother would have laughed") + "|",
        think("I say my mother would have thrown the barrels into the river by now") + "|",
    ),
    ("repeats", ZH, think("我的眼泪还有多少") + "|", think("我这一生的眼泪怕是要还尽在这里了") + "|"),
    ("copies_example", EN, think("I am tired") + "|", think("I am tired of waiting for him") + "|"),
    ("names_actor", EN, act("pushes the bowl across to him") + "|", act("Anna pushes the bowl across") + "|"),
    ("names_actor", ZH, act("把碗推到他面前") + "|", act("林黛玉把碗推开") + "|"),
    ("speech_in_action", EN, act("clears the table") + "|", act("says nothing and sits") + "|"),
    ("speech_in_action", ZH, act("轻轻叹气") + "|", act("轻声说道") + "|"),
    (
        "length",
        EN,
        act("wipes the table with one slow hand") + "|",
        act("goes on to a fire, to a bed, to a chair, to a wall, to it, up to it, and at it, and by it") + "|",
    ),
    ("length", ZH, think("我等春天") + "|", think("我" + "".join(chr(0x4E00 + 7 * k) for k in range(120))) + "|"),
]


@pytest.mark.parametrize(
    ("reason", "source", "good", "bad"),
    CASES,
    ids=[f"{r}-{'zh' if s.speaker != 'Anna' else 'en'}" for r, s, *_ in CASES],
)
def test_a_rule_lets_through_and_refuses(reason: str, source: Turn, good: str, bad: str) -> None:
    judged = standing(chinese=source.speaker != "Anna")
    good, bad = (text.replace("|", source.speech()) for text in (good, bad))
    kept = accept(good, source=source, standing=judged, passage=None)
    assert (kept.id, kept.speaker, kept.speech()) == (source.id, source.speaker, source.speech())
    with pytest.raises(TeacherError) as refused:
        accept(bad, source=source, standing=judged, passage=None)
    assert refused.value.reason == reason


def test_every_reason_is_documented_and_tried_in_both_languages() -> None:
    documented = set(re.findall(r"\w+", accept.__doc__ or ""))
    english, chinese = ({r for r, s, *_ in CASES if (s.speaker == "Anna") is en} for en in (True, False))
    assert english | chinese <= documented
    # A foreign script has two names: it is seen at once where the source has none of its own.
    assert english ^ chinese == {"other_language", "mixes_languages", "copies_example"}


@pytest.mark.parametrize(("source", "word"), [(EN, "I see "), (ZH, "我看")], ids=["en", "zh"])
def test_turns_do_not_grow_over_a_dialogue(source: Turn, word: str) -> None:
    chinese = source is ZH
    settled = standing(chinese=chinese, added=(10, 12, 14))
    longer = (
        "".join(chr(0x4E00 + 11 * k) for k in range(50)) if chinese else " ".join(f"and he said {k}" for k in range(12))
    )
    with pytest.raises(TeacherError) as refused:
        accept(think(word + longer) + source.speech(), source=source, standing=settled, passage=None)
    assert refused.value.reason == "grows"
    early = standing(chinese=chinese, added=(10, 12))
    kept = accept(think(word + longer) + source.speech(), source=source, standing=early, passage=None)
    assert added_words(kept, source) > 24


def test_what_passes_has_the_source_s_words_and_their_places() -> None:
    book = "“It was one\n when I said it. Sit down  and eat,” said Anna."
    span = Span(start=201, end=200 + book.index("”"))
    passage = Passage(start=200, text=book, quotable=None)
    source = Turn(
        id="t",
        speaker="Anna",
        parts=(Part(kind="speech", text="It was one when I said it. Sit down and eat.", span=span),),
    )
    text = f"{act('sits down')}it was ONE when I said it!{think('I lied to him.')}Sit down -- and eat."
    kept = accept(text, source=source, standing=standing(chinese=False), passage=passage)
    assert kept.layout() == "action>speech>thought>speech"
    assert [p.text for p in kept.parts if p.kind == "speech"] == ["It was one when I said it.", "Sit down and eat."]
    assert kept.parts[2].text == "I lied to him", "no full stop closes a tag"
    for part in kept.parts:
        if part.kind == "speech":
            assert part.span is not None
            assert " ".join((passage.at(part.span) or "").split()).rstrip(",.") == part.text.rstrip(".")


def test_invented_speech_stays_marked_and_an_action_of_the_source_may_be_reworded() -> None:
    source = Turn(
        id="t",
        speaker="Anna",
        parts=(
            Part(kind="speech", text="Go. Go now.", invented=True),
            Part(kind="action", text="she points at the door"),
        ),
    )
    kept = accept(
        f"Go.{act('points at the door')}Go now.", source=source, standing=standing(chinese=False), passage=None
    )
    assert [p.invented for p in kept.parts] == [True, False, True]


@given(
    st.lists(st.sampled_from(["I", "said", "two", "barrels", "of", "ale", "he"]), min_size=2, max_size=12), st.data()
)
def test_wherever_a_copy_cuts_its_speech_the_words_stay(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words) + "."
    cut = data.draw(st.integers(min_value=1, max_value=len(words) - 1))
    source = (Part(kind="speech", text=text, span=Span(start=5, end=5 + len(text))),)
    copy = read_strict(f"{' '.join(words[:cut])}{think('I')}{' '.join(words[cut:])}", speaker="A", turn_id="t").parts
    laid = relaid(source, copy, Passage(start=0, text="     " + text, quotable=None))
    assert laid is not None
    assert " ".join(p.text for p in laid if p.kind == "speech") == text
    assert all(
        p.span is not None and ("     " + text)[p.span.start : p.span.end] == p.text for p in laid if p.kind == "speech"
    )


def test_a_copy_with_a_stretch_of_its_own_has_no_place_to_go() -> None:
    source = (Part(kind="speech", text="Ten long and honest words that stand here all alone."),)
    copy = (*source, Part(kind="thought", text="I lie"), Part(kind="speech", text="Hm."))
    assert relaid(source, copy, None) is None
    assert relaid((), copy, None) is None
    assert relaid((Part(kind="action", text="sits"),), (Part(kind="action", text="sits"),), None) is not None


def test_similarity_and_difference_say_what_changed() -> None:
    assert similarity("Sit down, and EAT!", "Sit down and eat.") == 1
    assert similarity("", "") == 1
    assert similarity("Go.", "") == 0
    assert similarity("你来做什么", "你来做什么？") == 1
    assert difference("It was two when I said it.", "It was one when I said it.") == "it was [-one-] {+two+} when … it"
    assert len(difference("a b " * 300, "c d " * 300)) <= 160


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("turns away from her and sighs", None), ("takes his hand", None), ("watches as he leaves", None),
        ("hands the letter to Paul", None), ("She turns away", "names_actor"),
        ("turns away, and she sighs", "names_actor"), ("nods his head", "names_actor"),
        ("folds her arms", "names_actor"), ("steadies herself", "names_actor"),
        ("her eyes narrow", "names_actor"), ("I turn away", "names_actor"), ("follows Annie's gaze", "names_actor"),
        ('whispers "no"', "speech_in_action"),
    ],
)  # fmt: skip
def test_an_action_without_its_actor(text: str, fault: str | None) -> None:
    assert action_fault(text, forms=("Anna", "Annie"), language="en") == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("看着他离开", None), ("把信递给宝玉", None), ("她转过身", "names_actor"),
        ("叹了口气，她转过身", "names_actor"), ("扶住她自己", "names_actor"), ("我低下头", "names_actor"),
        ("颦儿低头", "names_actor"), ("“走开”", "speech_in_action"),
    ],
)  # fmt: skip
def test_an_action_without_its_actor_in_chinese(text: str, fault: str | None) -> None:
    assert action_fault(text, forms=("林黛玉", "颦儿"), language="zh") == fault


def test_a_language_without_rules_of_person_is_not_judged_by_them() -> None:
    assert (
        thought_fault("Elle ne sait rien de tout cela et personne ne lui dira rien", forms=("Anna",), language="other")
        is None
    )
    assert action_fault("elle se tait", forms=("Anna",), language="other") is None


@pytest.mark.parametrize(
    ("text", "source", "mixed"),
    [
        ("I owe him two barrels", "You owe him two barrels.", False),
        ("Je ne dirai rien de tout cela, ni ce soir ni demain, plus à personne", "You owe him two barrels.", True),
        ("Я ничего не скажу", "You owe him two barrels.", True),
        ("我什么也不会说", "You owe him two barrels.", True),
        ("我什么也不会说", "你欠他两桶酒。", False),
        ("I will say nothing of this to him", "你欠他两桶酒，我知道的，大家都知道。", True),
        ("Harry 说得对", "Harry 欠他两桶酒。", False),
        ("Ничего не скажу", "Ты должен ему две бочки.", False),
    ],
)  # fmt: skip
def test_mixed_languages_are_seen(text: str, source: str, mixed: bool) -> None:
    assert mixes(text, source) is mixed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("You owe him two barrels.", "en"), ("", "en"), ("你欠他两桶酒。", "zh"), ("彼に二樽の借りがある", "other"),
        ("Ты должен ему две бочки.", "other"),
        ("Je ne dirai rien de tout cela, ni ce soir ni demain, jamais plus", "other"),
    ],
)  # fmt: skip
def test_languages_are_told_apart(text: str, found: str) -> None:
    assert language(text) == found
