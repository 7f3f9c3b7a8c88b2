"""Exchange: a client's messages, turned into what the model is asked.

Owns the two ways of being used. *Persona*: the server has a scene and a character; the prompt is the one that
training and exams use (`simulation.Actor`), and the client's messages are turns in it. *Passthrough*: the client
brings its own system prompt, whose words are left alone. In both, an earlier reply that comes back with hidden layers
in it goes through the lenient reader and the history policy. No prompt text and no tag is known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from her.errors import InputError, TagError
from her.llm.model import ChatModel
from her.renderers.roleplay import CONVERSATION_START
from her.renderers.tags import read_lenient, render_turn
from her.schema import ENVIRONMENT, Message, Part, Scene, Turn, Viewer
from her.serve.said import disarmed, split_gestures, with_gestures
from her.serve.session import join_scene
from her.serve.settings import ServeSettings
from her.serve.wire import ChatRequest, Incoming
from her.simulation.actor import Actor

UNNAMED = "Character"
"""Whom the readers take the model to play where a client does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question to the model."""

    messages: tuple[Message, ...]
    speaker: str
    named: bool
    """Is the speaker known? If not, a name before the reply is recognised by the client's own prompt."""
    prefill: str = ""
    """The reply goes on from here; in the model's own format."""


def persona(request: ChatRequest, settings: ServeSettings, model: ChatModel) -> Exchange:
    """The client's messages as turns of the server's scene.

    System messages before the first turn are added to the scenario; later ones are what happens around the cast.
    """
    assert settings.scene is not None
    assert settings.character is not None
    character = settings.character
    scene, messages = settings.scene, list(request.messages)
    notes: list[str] = []
    while messages and messages[0].role in {"system", "developer"}:
        notes.append(messages.pop(0).content.strip())
    if any(notes):
        scenario = "\n\n".join([scene.scenario, *filter(None, notes)])
        scene = Scene.model_validate({**scene.model_dump(), "scenario": scenario})
    user = request.her.user or settings.user
    scene = join_scene(scene, character, user)
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        turn = _turn(message, character=character, user=user, turn_id=f"m{number}")
        if turn is None:
            continue
        if turn.speaker != ENVIRONMENT:
            scene = scene if turn.speaker == character else join_scene(scene, character, turn.speaker)
        turns.append(turn)
    prefill = ""
    if turns and turns[-1].id == f"m{len(messages) - 1}" and turns[-1].speaker == character:
        prefill = render_turn(turns.pop(), system_thinking=False)
    actor = Actor(model, history_policy=settings.history_policy, system_thinking=settings.system_thinking)
    return Exchange(messages=actor.messages(scene, turns, character), speaker=character, named=True, prefill=prefill)


def passthrough(request: ChatRequest, settings: ServeSettings) -> Exchange:
    """The client's own prompt, in the shape the model was trained on: one system message, then turns that alternate.

    Only the shape changes. A system message after the first turn keeps its place as a user's; neighbours of one role
    are joined by a blank line; a chat that the character opens begins with the marker that training puts there.
    """
    last_name = next((m.name for m in reversed(request.messages) if m.role == "assistant" and m.name), None)
    character = request.her.character or last_name or settings.character
    speaker = character or UNNAMED
    messages = list(request.messages)
    system: list[str] = []
    while messages and messages[0].role in {"system", "developer"}:
        system.append(messages.pop(0).content)
    chat: list[Message] = []
    prefill = ""
    for number, message in enumerate(messages):
        if message.role == "assistant":
            named = bool(message.name or character)
            text = _own(message, speaker=message.name or speaker, named=named, settings=settings)
            if text and number == len(messages) - 1:
                prefill = text
                break
        elif message.role == "user" and message.name and not message.content.startswith(f"{message.name}:"):
            text = f"{message.name}: {message.content}"
        else:
            text = message.content
        if text:
            chat.append(Message(role="assistant" if message.role == "assistant" else "user", content=text))
    chat = _alternate(chat)
    if not chat or chat[0].role == "assistant":
        chat.insert(0, Message(role="user", content=CONVERSATION_START))
    head = "\n\n".join(filter(None, system))
    opening = [Message(role="system", content=head)] if head else []
    return Exchange(messages=(*opening, *chat), speaker=speaker, named=character is not None, prefill=prefill)


def _turn(message: Incoming, *, character: str, user: str, turn_id: str) -> Turn | None:
    """One message as a turn of a persona's scene; None where nothing is in it."""
    if message.role == "assistant":
        return _replied(message, speaker=message.name or character, turn_id=turn_id)
    if message.role == "user":
        speaker = message.name or user
        if speaker == character:
            raise InputError(f"a user's message cannot be {character}'s; leave its name out or use another")
        parts = split_gestures(message.content)
    else:
        speaker = ENVIRONMENT
        parts = (disarmed(Part(kind="speech", text=message.content.strip())),) if message.content.strip() else ()
    return Turn(id=turn_id, speaker=speaker, parts=parts) if parts else None


def _replied(message: Incoming, *, speaker: str, turn_id: str) -> Turn | None:
    """An earlier reply: in whatever dress it comes back, hidden layers end up hidden."""
    turn: Turn | None
    try:
        turn = read_lenient(message.content, speaker=speaker, turn_id=turn_id).turn
    except TagError:
        turn = None
    thought = (message.reasoning_content or message.reasoning or "").strip()
    parts = () if turn is None else with_gestures(turn.parts)
    if thought and not any(p.kind == "thought" for p in parts):
        parts = (disarmed(Part(kind="thought", text=thought)), *parts)
    if not parts:
        return None
    plan = None if turn is None else turn.system_thinking
    return Turn(id=turn_id, speaker=speaker, system_thinking=plan, parts=parts)


def _own(message: Incoming, *, speaker: str, named: bool, settings: ServeSettings) -> str:
    """An earlier reply in the model's own format, as the character may see it again."""
    turn = _replied(message, speaker=speaker, turn_id="m")
    if turn is None:
        return ""
    seen = turn.seen_by(Viewer.character(speaker, settings.history_policy))
    return render_turn(seen, name_prefix=named)


def _alternate(messages: Sequence[Message]) -> list[Message]:
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            joined[-1] = Message(role=message.role, content=f"{joined[-1].content}\n\n{message.content}")
        else:
            joined.append(message)
    return joined
