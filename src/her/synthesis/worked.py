"""Worked: one dialogue after the thinking stages, and the one function that makes it.

`work` is a function of a teacher, a task and the settings, and of nothing else: no clock, no neighbour, no shared
count. Any engine may run tasks in any order and in any process; `her.synthesis.join` makes the same result of them.
Owns the order of the stages of one dialogue.
"""

import asyncio
from collections.abc import Callable

from her.llm import ChatModel
from her.schema import Dialogue, Record
from her.synthesis.by_turn import by_turn
from her.synthesis.passage import Passage
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.tally import Tally
from her.synthesis.teacher import Teacher


class Task(Record):
    """One dialogue to be worked, with all that its work needs of the book."""

    dialogue: Dialogue
    passage: Passage | None
    """None for a scene that no book tells."""


class Worked(Record):
    """What became of a task."""

    dialogue: Dialogue
    rejects: tuple[Reject, ...]
    tally: Tally


async def work(
    model: ChatModel,
    task: Task,
    *,
    config: SynthConfig,
    room: asyncio.Semaphore | None = None,
    step: Callable[[str], None] | None = None,
) -> Worked:
    """Complete the setting, then think for every speaking character. `room` bounds the calls in flight across tasks of
    one process; `step` is told each turn that is done. Raises ModelError for a teacher that cannot be reached."""
    teacher = Teacher(model, config=config, room=room)
    dialogue = task.dialogue
    turns, rejects = await by_turn(teacher, dialogue, passage=task.passage, step=step or _nobody)
    return Worked(
        dialogue=Dialogue(
            id=dialogue.id,
            scene=dialogue.scene,
            turns=turns,
            provenance="teacher",
            perspective=dialogue.perspective,
        ),
        rejects=tuple(rejects),
        tally=teacher.counts.tally(),
    )


def _nobody(item: str) -> None:
    """Nobody watches."""
