"""The pipeline: a book or a curated file in, two-layer dialogues with their rejects and counts out.

Owns the running of all stages in one process: dialogues are found (`prepared`), worked side by side (`worked`) and
joined (`join`). Other engines run the same three.
"""

import asyncio
from dataclasses import dataclass

from her.llm import ChatModel
from her.schema import Book
from her.synthesis.join import join
from her.synthesis.prepared import Progress, prepare
from her.synthesis.result import SynthConfig, SynthResult
from her.synthesis.sources.curated import Curated
from her.synthesis.teacher import Teacher
from her.synthesis.worked import work


async def synthesize(
    source: Book | Curated, *, teacher: ChatModel, config: SynthConfig, progress: Progress | None = None
) -> SynthResult:
    """Work a source through all stages. Raises InputError for a choice of chapters in which nobody speaks."""
    room = asyncio.Semaphore(config.concurrency)
    prepared = await prepare(source, Teacher(teacher, config=config, room=room), progress=progress)
    steps = _Steps(total=sum(len(t.dialogue.turns) for t in prepared.tasks), progress=progress)
    worked = await asyncio.gather(
        *(work(teacher, task, config=config, room=room, step=steps.step) for task in prepared.tasks)
    )
    return join(prepared, worked, teacher=teacher.name, fingerprint=teacher.fingerprint)


@dataclass(slots=True, kw_only=True)
class _Steps:
    """Turns done, for whoever watches."""

    total: int
    progress: Progress | None
    done: int = 0

    def step(self, note: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total, note)
