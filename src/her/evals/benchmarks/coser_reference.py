"""The book's own lines of a CoSER scene, as questions to a scorer: how likely did the examined model find them?

Owns which lines are references: what a character visibly said, under the chat of `her.simulation`'s actors with the
book's lines before it. Thoughts are no reference: the book's are an editor's guess. A line that cannot be read as a
turn is neither a reference nor part of what came before.
"""

from her.errors import TagError
from her.evals.benchmarks.coser_scene import CoserItem, CoserSaid, without_thoughts
from her.llm.model import ScoreItem
from her.renderers import chat, read_coser, render_turn
from her.schema import ENVIRONMENT, Part, Turn


def references(item: CoserItem) -> tuple[ScoreItem, ...]:
    """One for every line of a character, in order."""
    scene = item.scene()
    history: list[Turn] = []
    found = []
    for number, said in enumerate(item.reference, start=1):
        turn = _turn(said, f"t{number}")
        if turn is None:
            continue
        if said.speaker in scene.names():
            asked = chat(scene, history, said.speaker, history_policy="drop_own_system", system_thinking=False)
            found.append(ScoreItem(messages=asked, text=render_turn(turn)))
        history.append(turn)
    return tuple(found)


def _turn(said: CoserSaid, turn_id: str) -> Turn | None:
    if said.speaker == ENVIRONMENT:
        text = said.message.strip()
        return Turn(id=turn_id, speaker=ENVIRONMENT, parts=(Part(kind="speech", text=text),)) if text else None
    try:
        return read_coser(without_thoughts(said.message), speaker=said.speaker, turn_id=turn_id)
    except TagError:
        return None
