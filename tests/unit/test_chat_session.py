"""The chat without a terminal: what is kept, taken back, changed and saved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import SCENE

from her.errors import InputError
from her.renderers.display import render_display
from her.renderers.tags import read_strict, render_turn
from her.schema import Dialogue, Part, Turn, Viewer
from her.serve import ChatSession, companion
from her.serve.said import read_said


def session() -> ChatSession:
    return ChatSession(scene=SCENE, character="Mara", user="Edmund")


def reply(chat: ChatSession, text: str) -> Turn:
    return read_strict(f"<role_thinking>hm</role_thinking>{text}", speaker="Mara", turn_id=chat.reply_id)


def test_retry_replaces_the_last_reply_only_once_another_is_kept() -> None:
    chat = session()
    chat.say("Hello.")
    chat.keep(reply(chat, "One."))
    before = list(chat.turns)
    assert [t.speech() for t in chat.before_reply(retry=True)] == ["Hello."]
    assert chat.turns == before
    chat.keep(reply(chat, "Two."), retry=True)
    assert [t.speech() for t in chat.turns] == ["Hello.", "Two."]
    assert len({t.id for t in chat.turns} | {before[1].id}) == 3


def test_retry_after_an_unread_reply_keeps_the_persons_words() -> None:
    chat = session()
    chat.say("Hello.")
    assert [t.speech() for t in chat.before_reply(retry=True)] == ["Hello."]


def test_edit_keeps_the_place_and_drops_the_thought() -> None:
    chat = session()
    chat.say("Hello.")
    with pytest.raises(InputError, match="has not spoken"):
        chat.edit("x")
    chat.keep(reply(chat, "One."))
    chat.say("And?")
    chat.edit("*turns away* Two. <role_thinking>I lie</role_thinking>")
    edited = chat.turns[1]
    assert [p.kind for p in edited.parts] == ["action", "speech"]
    assert edited.speaker == "Mara"
    chat.edit("Good day.", number=1)
    assert chat.turns[0].speech() == "Good day."
    for number in (0, 4):
        with pytest.raises(InputError, match="there is no turn"):
            chat.edit("x", number=number)


def test_a_guest_joins_and_the_chat_is_a_dialogue() -> None:
    chat = ChatSession(scene=SCENE, character="Mara", user="Odo")
    chat.say("Hello.")
    chat.keep(reply(chat, "One."))
    saved = chat.dialogue("chat-1")
    assert saved.provenance == "policy"
    assert Dialogue.model_validate_json(saved.model_dump_json()) == saved
    assert "Odo" in saved.scene.names()
    chat.switch(SCENE)
    assert chat.turns == []
    assert companion(SCENE, "Mara") == "Edmund"
    for user in ("Mara", "a:b", "<i>"):
        with pytest.raises(InputError):
            ChatSession(scene=SCENE, character="Mara", user=user)
    with pytest.raises(InputError, match="is not in scene"):
        ChatSession(scene=SCENE, character="Zed", user="Odo")


@given(st.text(st.sampled_from(list("<>/role_thinkingRsyemact*“” \n&lt;ab:")), max_size=60) | st.text(max_size=60))
def test_whatever_is_typed_is_speech_or_action_and_can_be_shown_to_the_model(text: str) -> None:
    try:
        turn = read_said(text, speaker="Edmund", turn_id="t")
    except InputError:
        assert not text.strip().strip("*“”").strip() or set(text) <= set("*“” \n")
        return
    assert {p.kind for p in turn.parts} <= {"action", "speech"}
    again = read_strict(render_turn(turn), speaker="Edmund", turn_id="t")
    assert again.system_thinking is None
    assert {p.kind for p in again.parts} <= {"action", "speech"}


@given(
    st.lists(
        st.tuples(st.sampled_from(["action", "speech"]), st.sampled_from(["Nine, sir.", "a  b", "3 < 5", "It's late"])),
        min_size=1,
        max_size=5,
    )
)
def test_display_text_sent_back_is_the_turn_again(kinds: list[tuple[str, str]]) -> None:
    parts: list[Part] = []
    for kind, text in kinds:
        if parts and parts[-1].kind == kind == "speech":
            continue
        parts.append(Part(kind=kind, text=text))
    turn = Turn(id="t", speaker="Mara", parts=tuple(parts))
    assert read_said(render_display(turn.seen_by(Viewer.reader()), name=False), speaker="Mara", turn_id="t") == turn
