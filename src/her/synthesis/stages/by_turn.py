"""A dialogue worked turn by turn, for a teacher that is led by the hand: thought and draft together, then the plan.

Owns the order of the questions about one turn and nothing of what they ask. Every request about a turn depends on
earlier turns of its own dialogue alone.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

from her.schema import ENVIRONMENT, Dialogue, Part, Turn
from her.synthesis.result import Reject
from her.synthesis.stages import system_thinking
from her.synthesis.stages.layout import arrange
from her.synthesis.stages.role_thinking import think
from her.synthesis.teacher import Teacher
from her.synthesis.text.passage import Passage


async def by_turn(
    teacher: Teacher, dialogue: Dialogue, *, passage: Passage | None, step: Callable[[str], None]
) -> tuple[tuple[Turn, ...], list[Reject]]:
    """The turns with both kinds of thinking, as far as answers passed their checks. `step` is told each turn done."""
    done: list[Turn] = []
    rejects: list[Reject] = []
    for turn in dialogue.turns:
        item = f"{dialogue.id}/{turn.id}"
        if thinks(dialogue, turn):
            # Nobody's draft depends on the thought of the same turn, so the two are asked for together.
            drafting = teacher.ask(
                system_thinking.draft_question(
                    teacher.config, scene=dialogue.scene, before=done, name=turn.speaker, item_id=item
                )
            )
            thinking = _with_thought(teacher, dialogue, turn, before=done, passage=passage, rejects=rejects)
            draft, full = await asyncio.gather(drafting, thinking)
            if draft.reject is not None:
                rejects.append(system_thinking.without_draft(draft.reject))
            plan = await system_thinking.plan(
                teacher, scene=dialogue.scene, before=done, turn=full, item_id=item, draft=draft.value
            )
            if plan.reject is not None:
                rejects.append(plan.reject)
            turn = remade(full, full.parts, plan=plan.value)
        done.append(turn)
        step(item)
    return tuple(done), rejects


def thinks(dialogue: Dialogue, turn: Turn) -> bool:
    """Is the turn a character's whose mind this dialogue may know?"""
    return turn.speaker != ENVIRONMENT and dialogue.perspective in (None, turn.speaker)


def remade(turn: Turn, parts: Sequence[Part], *, plan: str | None = None) -> Turn:
    """The same turn with other parts, and with a plan where there is a new one."""
    return Turn(
        id=turn.id,
        speaker=turn.speaker,
        system_thinking=plan if plan is not None else turn.system_thinking,
        parts=tuple(parts),
        gains=turn.gains,
        flags=turn.flags,
    )


async def _with_thought(
    teacher: Teacher,
    dialogue: Dialogue,
    turn: Turn,
    *,
    before: Sequence[Turn],
    passage: Passage | None,
    rejects: list[Reject],
) -> Turn:
    """The turn with a thought, and perhaps an action, in an order that varies. A turn that has a thought keeps it."""
    if any(p.kind == "thought" for p in turn.parts):
        return turn
    item = f"{dialogue.id}/{turn.id}"
    rng = random.Random(f"{teacher.config.seed}/{item}/action")
    wants_action = not any(p.kind == "action" for p in turn.parts) and rng.random() < teacher.config.actions
    answer = await think(teacher, scene=dialogue.scene, before=before, turn=turn, item_id=item, action=wants_action)
    if answer.reject is not None:
        rejects.append(answer.reject)
    thought = answer.value
    parts = arrange(
        turn.parts,
        thought=thought.text if thought else None,
        action=thought.action if thought else None,
        past=[t.layout() for t in before if t.speaker != ENVIRONMENT],
        seed=f"{teacher.config.seed}/{item}/layout",
        passage=passage,
    )
    return remade(turn, parts)
