"""The one builder of a character's prompt: who it is, and what it has seen so far.

Training, simulation, evaluation and serving all call `chat`; what a model is taught on is what it will meet. Owns the
order of sections (HER §1.7) and the merging of others' turns (HER §1.6). Whether something may be seen is asked of
`Turn.seen_by`; how a turn is written, of `tags`.
"""

from collections.abc import Sequence

from her.renderers.tags import render_turn
from her.renderers.template import fill, read_template
from her.schema import Character, HistoryPolicy, Message, Scene, Turn, Viewer

CONVERSATION_START = "===Conversation Start==="


def system_prompt(scene: Scene, character: str, *, system_thinking: bool) -> str:
    """What a character is told of itself and its scene. Others' background and motivation are never in it."""
    me = scene.character(character)
    form = "roleplay_with_system.txt" if system_thinking else "roleplay_without_system.txt"
    requirements = (
        f"{fill(read_template(form), name=me.name)}\n{fill(read_template('roleplay_rules.txt'), name=me.name)}"
    )
    values = {
        "name": me.name,
        "profile": me.profile or "",
        "background": me.background or "",
        "scenario": scene.scenario,
        "others": "\n".join(_known(c) for c in scene.characters if c.name != me.name),
        "motivation": me.motivation or "",
        "requirements": requirements,
    }
    sections = read_template("roleplay_system.txt").split("\n\n")
    kept = (s for s in sections if not any(f"{{{key}}}" in s and not value for key, value in values.items()))
    return fill("\n\n".join(kept), **values)


def chat(
    scene: Scene,
    history: Sequence[Turn],
    character: str,
    *,
    history_policy: HistoryPolicy,
    system_thinking: bool,
) -> tuple[Message, ...]:
    """The prompt from which `character` speaks next: system, then user and assistant in turn.

    The first message after the system prompt is the user's and begins with the marker, even where the character spoke
    first; a turn of which nothing can be seen is left out. The last message is always the user's, so that a model is
    asked to speak. Where nobody else was seen after a turn of the character's own, the user's message is `CONTINUE`.
    """
    viewer = Viewer.character(character, history_policy)
    messages = [Message(role="system", content=system_prompt(scene, character, system_thinking=system_thinking))]
    waiting = [CONVERSATION_START]
    for turn in history:
        seen = turn.seen_by(viewer)
        if not seen.parts:
            continue
        text = render_turn(seen)
        if turn.speaker != character:
            waiting.append(text)
            continue
        messages.append(Message(role="user", content="\n\n".join(waiting) or CONTINUE))
        messages.append(Message(role="assistant", content=text))
        waiting = []
    messages.append(Message(role="user", content="\n\n".join(waiting) or CONTINUE))
    return tuple(messages)


CONTINUE = "(No one else speaks.)"
"""The user message between two turns of one character: chat templates want roles to alternate."""


def _known(character: Character) -> str:
    return f"{character.name}: {character.profile}" if character.profile else character.name
