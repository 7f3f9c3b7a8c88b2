"""Worked: one dialogue after the thinking stages, and the one function that makes it.

`work` is a function of a teacher, a task and the settings, and of nothing else: no clock, no neighbour, no shared
count. Any engine may run tasks in any order and in any process; `her.synthesis.join` makes the same result of them.
Owns the order of the stages of one dialogue.
"""

import asyncio
from collections.abc import Callable

from her.llm import ChatModel
from her.schema import Dialogue, Record, Turn
from her.synthesis.checks.checker import flagged
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.settings.demand import demand
from her.synthesis.stages.by_turn import by_turn
from her.synthesis.stages.enrich import enrich
from her.synthesis.stages.plan import plans
from her.synthesis.tally import Tally
from her.synthesis.teacher import Teacher
from her.synthesis.text.passage import Passage


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
    """Complete the setting, think for every speaking character, and flag what the checker doubts. `room` bounds the
    calls in flight across tasks of one process; `step` is told each turn that is done. Raises ModelError for a teacher
    that cannot be reached."""
    teacher = Teacher(model, config=config, room=room)
    work_on = _led if config.guided else _freely
    dialogue, rejects = await work_on(teacher, task, step or _nobody)
    return Worked(dialogue=flagged(dialogue), rejects=tuple(rejects), tally=teacher.counts.tally())


async def _led(teacher: Teacher, task: Task, step: Callable[[str], None]) -> tuple[Dialogue, list[Reject]]:
    """Turn by turn. The setting was completed where the dialogue was found: that takes the whole book."""
    turns, rejects = await by_turn(teacher, task.dialogue, passage=task.passage, step=step)
    return _with(task.dialogue, turns), rejects


async def _freely(teacher: Teacher, task: Task, step: Callable[[str], None]) -> tuple[Dialogue, list[Reject]]:
    """Setting, then thoughts by conversation, then a plan for every turn."""
    dialogue, rejects = task.dialogue, list[Reject]()
    if teacher.config.completion:
        dialogue, refused = await demand(teacher, dialogue, passage=task.passage)
        rejects += refused
    turns, refused = await enrich(teacher, dialogue, passage=task.passage)
    rejects += refused
    turns, refused = await plans(teacher, _with(dialogue, turns), step=step)
    return _with(dialogue, turns), [*rejects, *refused]


def _with(dialogue: Dialogue, turns: tuple[Turn, ...]) -> Dialogue:
    return Dialogue(
        id=dialogue.id, scene=dialogue.scene, turns=turns, provenance="teacher", perspective=dialogue.perspective
    )


def _nobody(item: str) -> None:
    """Nobody watches."""
