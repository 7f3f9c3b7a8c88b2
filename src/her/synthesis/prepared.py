"""Prepared: a source as dialogues of bare turns, each a task of its own, and what was counted on the way.

Owns the choice of chapters and the limits of curated files. For a text, extraction asks the teacher; a curated file
asks nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from her.errors import InputError
from her.schema import Book, Chapter, Dialogue, Plot
from her.synthesis.curated import Curated
from her.synthesis.passage import Passage, passage_of
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.stagecraft import Extracted, extract
from her.synthesis.tally import Tally
from her.synthesis.teacher import Teacher
from her.synthesis.worked import Task

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A source whose dialogues wait to be worked."""

    book: Book
    found: Extracted
    tasks: tuple[Task, ...]
    """One for each dialogue of `found`, in its order."""
    plots: tuple[Plot, ...]
    tally: Tally
    """What extraction asked of the teacher."""


async def prepare(source: Book | Curated, teacher: Teacher, *, progress: Progress | None = None) -> Prepared:
    """Find the source's dialogues. Raises InputError for a choice of chapters in which nobody speaks."""
    plots: tuple[Plot, ...] = ()
    if isinstance(source, Curated):
        book, plots, found = source.book, source.plots, _from_curated(source, teacher.config)
    else:
        book = source
        chapters = chosen(book, teacher.config.chapters)
        found = await extract(teacher, book=book, chapters=chapters, progress=progress)
    if not found.dialogues:
        raise InputError(
            f"{book.title}: no scene with two attributed utterances in the chosen chapters "
            f"({len(found.rejects)} items refused); choose others with --chapters"
        )
    tasks = tuple(Task(dialogue=d, passage=_passage(book, d, found)) for d in found.dialogues)
    return Prepared(book=book, found=found, tasks=tasks, plots=plots, tally=teacher.counts.tally())


def chosen(book: Book, choice: str | None) -> list[Chapter]:
    """The chapters named by `3`, `1-2` or `1,4-5`. Raises InputError for a choice that names none."""
    if choice is None:
        return list(book.chapters)
    numbers: set[int] = set()
    for piece in choice.split(","):
        low, _, high = piece.strip().partition("-")
        if not low.isdigit() or (high and not high.isdigit()):
            raise InputError(f"--chapters {choice!r} is not like 3, 1-2 or 1,4-5")
        numbers.update(range(int(low), int(high or low) + 1))
    found = [c for c in book.chapters if c.number in numbers]
    if not found:
        raise InputError(f"--chapters {choice!r}: {book.title} has chapters 1 to {len(book.chapters)}")
    return found


def _passage(book: Book, dialogue: Dialogue, found: Extracted) -> Passage | None:
    spans = [s for t in dialogue.turns for s in found.pieces.get(f"{dialogue.id}/{t.id}", ())]
    return passage_of(book, dialogue, spoken=spans)


def _from_curated(source: Curated, config: SynthConfig) -> Extracted:
    """Curated dialogues within the limits asked for; nobody had to be attributed."""
    kept, rejects = [], list(source.rejects)
    dialogues: Sequence[Dialogue] = source.dialogues
    if config.chapters is not None:
        numbers = {c.number for c in chosen(source.book, config.chapters)}
        dialogues = [d for d in dialogues if d.scene.chapter in numbers]
    for dialogue in dialogues[: config.max_scenes]:
        turns = dialogue.turns[: config.max_turns]
        if len(turns) < len(dialogue.turns):
            left = str(len(dialogue.turns) - len(turns))
            rejects.append(Reject(stage="curated", item_id=dialogue.id, reason="over_max_turns", detail=left))
        kept.append(
            Dialogue(
                id=dialogue.id,
                scene=dialogue.scene,
                turns=turns,
                provenance=dialogue.provenance,
                perspective=dialogue.perspective,
            )
        )
    return Extracted(
        dialogues=tuple(kept),
        rejects=tuple(rejects),
        pieces={},
        attributed={},
        utterances=sum(len(d.turns) for d in kept),
    )
