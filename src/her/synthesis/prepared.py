"""Prepared: a source as dialogues of bare turns, each a task of its own, and what was counted on the way.

Owns the choice of chapters, the limits of curated files, and the last thing that a whole book is needed for there: the
backgrounds that a guided teacher picks. Turns that cannot be written in tags are left out here, before anything is
spent on them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from her.errors import InputError, TagError
from her.renderers import render_turn
from her.schema import Book, Chapter, Dialogue, Turn
from her.synthesis.extraction.stagecraft import Extracted, extract
from her.synthesis.extraction.told import Told
from her.synthesis.people.names import Person
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.settings import setting
from her.synthesis.settings.complete import complete
from her.synthesis.settings.demand import added
from her.synthesis.sources.curated import Curated
from her.synthesis.tally import Tally
from her.synthesis.teacher import Teacher
from her.synthesis.text.passage import Passage, passage_of
from her.synthesis.text.prose import Prose
from her.synthesis.worked import Task

Progress = Callable[[int, int, str], None]
_FEWEST = 2
"""Turns of a dialogue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A source whose dialogues wait to be worked."""

    book: Book
    found: Extracted
    tasks: tuple[Task, ...]
    """One for each dialogue of `found`, in its order."""
    tally: Tally
    """What extraction asked of the teacher."""


async def prepare(source: Book | Curated, teacher: Teacher, *, progress: Progress | None = None) -> Prepared:
    """Find the source's dialogues. Raises InputError for a choice of chapters in which nobody speaks."""
    if isinstance(source, Curated):
        book, found = source.book, _from_curated(source, teacher.config)
        if teacher.config.guided and teacher.config.completion:
            found = await _completed(teacher, book, found)
    else:
        book = source
        chapters = chosen(book, teacher.config.chapters)
        found = await extract(teacher, book=book, chapters=chapters, progress=progress)
    found = _writable(found)
    if not found.dialogues:
        raise InputError(
            f"{book.title}: no scene with two attributed utterances in the chosen chapters "
            f"({len(found.rejects)} items refused); choose others with --chapters"
        )
    tasks = tuple(Task(dialogue=d, passage=_passage(book, d, found)) for d in found.dialogues)
    return Prepared(book=book, found=found, tasks=tasks, tally=teacher.counts.tally())


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
        plots=source.plots,
    )


async def _completed(teacher: Teacher, book: Book, found: Extracted) -> Extracted:
    """Curated dialogues with a background for everybody who has none and of whom the plot's own text tells one."""
    told = Told.of(Prose.of(book))
    chapters = {c.number: c for c in book.chapters}
    done = await asyncio.gather(
        *(_with_backgrounds(teacher, told, d, chapter=chapters.get(d.scene.chapter or 0)) for d in found.dialogues)
    )
    rejects = (*found.rejects, *(r for _, refused in done for r in refused))
    return replace(found, dialogues=tuple(d for d, _ in done), rejects=rejects)


async def _with_backgrounds(
    teacher: Teacher, told: Told, dialogue: Dialogue, *, chapter: Chapter | None
) -> tuple[Dialogue, list[Reject]]:
    scene, rejects = dialogue.scene, list[Reject]()
    for character in scene.characters if chapter is not None else ():
        if character.background is not None or chapter is None:
            continue
        person = Person(name=character.name, aliases=character.aliases, gender="unknown", mentions=0)
        offered = setting.about(told.prose, told.narration[chapter.number], person, limit=5, past=True)
        if not offered:
            item = f"{scene.id}/{character.name}.background"
            rejects.append(Reject(stage="completion", item_id=item, reason="nothing_told"))
            continue
        answer = await complete(
            teacher,
            book=told.prose.book,
            chapter=chapter,
            scene_id=scene.id,
            character=character,
            offered=offered,
        )
        scene = added(scene, answer.value) if answer.value is not None else scene
        rejects += [answer.reject] if answer.reject is not None else []
    return dialogue.model_copy(update={"scene": scene}), rejects


def _writable(found: Extracted) -> Extracted:
    """The dialogues without turns that no tags can hold: a source may say `<role_thinking>`, and a sample may not."""
    kept, rejects = [], list(found.rejects)
    for dialogue in found.dialogues:
        bad = [(t, fault) for t in dialogue.turns if (fault := _fault(t)) is not None]
        for turn, fault in bad:
            item = f"{dialogue.id}/{turn.id}"
            rejects.append(Reject(stage="speech", item_id=item, reason="unwritable", detail=fault[:200]))
        if not bad:
            kept.append(dialogue)
        elif len(dialogue.turns) - len(bad) < _FEWEST:
            rejects.append(Reject(stage="scene", item_id=dialogue.id, reason="under_two_turns"))
        else:
            lost = {t.id for t, _ in bad}
            kept.append(dialogue.model_copy(update={"turns": tuple(t for t in dialogue.turns if t.id not in lost)}))
    return replace(found, dialogues=tuple(kept), rejects=tuple(rejects))


def _fault(turn: Turn) -> str | None:
    try:
        render_turn(turn)
    except TagError as e:
        return str(e)
    return None
