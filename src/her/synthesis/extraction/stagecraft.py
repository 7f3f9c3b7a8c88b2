"""Stagecraft: a book's chapters become dialogues of bare turns, each with its scene's card.

Owns the choice between the two ways of extraction and the joining of what either finds: scenes, turns, settings,
profiles. Bare means: the book's words and acts, with spans, and no thinking but what the book itself tells.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from her.errors import InputError, TeacherError
from her.schema import Addition, Book, Chapter, Character, Dialogue, Plot, Scene, Span
from her.synthesis.extraction.by_rules import by_rules
from her.synthesis.extraction.by_teacher import by_teacher
from her.synthesis.extraction.told import Told
from her.synthesis.result import Reject
from her.synthesis.settings import complete, setting
from her.synthesis.staged import Staged, Staging
from her.synthesis.teacher import Teacher
from her.synthesis.text.prose import Prose

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """Dialogues without thinking, and all that was counted on the way."""

    dialogues: tuple[Dialogue, ...]
    rejects: tuple[Reject, ...]
    pieces: Mapping[str, tuple[Span, ...]]
    """`DIALOGUE/TURN` to every span of its speech."""
    attributed: Mapping[str, int]
    utterances: int
    plots: tuple[Plot, ...] = ()


async def extract(teacher: Teacher, *, book: Book, chapters: Sequence[Chapter], progress: Progress | None) -> Extracted:
    """Everything up to the bare dialogues of the given chapters."""
    told = Told.of(Prose.of(book))
    way = teacher.config.extract or ("rules" if teacher.config.guided else "teacher")
    if way == "teacher":
        staging = await by_teacher(teacher, told=told, chapters=chapters, progress=progress)
    else:
        staging = await by_rules(teacher, told=told, chapters=chapters)
    if not staging.scenes:
        _explain(book, staging)
    rejects = list(staging.rejects)
    profiles = await _profiles(teacher, told=told, staging=staging, rejects=rejects)
    dialogues = await asyncio.gather(
        *(_dialogue(teacher, told=told, staged=s, profiles=profiles) for s in staging.scenes)
    )
    if progress is not None:
        progress(0, sum(len(s.turns) for s in staging.scenes), f"{len(staging.scenes)} scenes")
    return Extracted(
        dialogues=tuple(d for d, _ in dialogues),
        rejects=(*rejects, *(r for _, found in dialogues for r in found)),
        pieces={item: spans for s in staging.scenes for item, spans in s.pieces.items()},
        attributed=staging.attributed,
        utterances=staging.utterances,
        plots=staging.plots,
    )


def _explain(book: Book, staging: Staging) -> None:
    """Raises InputError where one fault of the text explains why nothing was found."""
    lost = sum(r.reason == "run_on_paragraph" for r in staging.rejects)
    if lost:
        raise InputError(
            f"{book.title}: {lost} paragraphs hold a whole conversation each, so the text has lost its line breaks and "
            "nobody can say by rule who speaks; give it with its paragraphs, or use --extract teacher"
        )


async def _profiles(teacher: Teacher, *, told: Told, staging: Staging, rejects: list[Reject]) -> dict[str, str]:
    """One profile for each speaking person, from the whole book: what the teacher said of it chunk by chunk, else what
    the narration says."""
    if not teacher.config.profiles:
        return {}
    people = list({p.name: p for s in staging.scenes for p in s.people}.values())
    said = {p.name: staging.descriptions.get(p.name, ()) for p in people}
    known = {name: texts[0] for name, texts in said.items() if len(texts) == 1}
    book, narration = told.prose.book, told.everywhere()
    asked = [p for p in people if len(said[p.name]) > 1]
    facts = {
        p.name: found
        for p in people
        if not said[p.name] and (found := setting.about(told.prose, narration, p, limit=5, past=False))
    }
    answers = await asyncio.gather(
        *(setting.described(teacher, book_id=book.id, person=p, told=said[p.name]) for p in asked),
        *(setting.profile(teacher, book=book, person=p, facts=facts[p.name]) for p in people if p.name in facts),
    )
    rejects.extend(a.reject for a in answers if a.reject is not None)
    # The longest single account serves where several could not be made one.
    known |= {p.name: max(said[p.name], key=len) for p in asked}
    names = [*(p.name for p in asked), *(p.name for p in people if p.name in facts)]
    return known | {name: a.value for name, a in zip(names, answers, strict=True) if a.value is not None}


async def _dialogue(
    teacher: Teacher, *, told: Told, staged: Staged, profiles: Mapping[str, str]
) -> tuple[Dialogue, list[Reject]]:
    """The scene's card, its people, and the bare turns."""
    prose, names = told.prose, [p.name for p in staged.people]
    spoken = [t.speech() for t in staged.turns]
    if staged.scenario is not None:
        card = setting.said_card(staged, prose=prose, dialogue=spoken)
    else:
        card = await setting.card(teacher, prose=prose, scene=staged, names=names, dialogue=spoken)
    rejects = [card.reject] if card.reject is not None else []
    people = [Character(name=p.name, aliases=p.aliases, profile=profiles.get(p.name)) for p in staged.people]
    scene = Scene(
        id=staged.id,
        book_id=prose.book.id,
        chapter=staged.chapter.number,
        scenario=card.scenario,
        topic=card.topic,
        characters=tuple(people),
        span=staged.span,
        plot_id=staged.plot_id,
    )
    motives = await _motives(teacher, staged, scene=scene, prose=prose, spoken=spoken, rejects=rejects)
    people = [c.model_copy(update={"motivation": motives.get(c.name)}) for c in people]
    additions: list[Addition] = []
    if teacher.config.completion and teacher.config.guided:
        people = await _complete(teacher, told, staged, people, additions=additions, rejects=rejects)
    whole = Scene.model_validate(
        {
            **scene.model_dump(),
            "characters": [c.model_dump() for c in people],
            "additions": [a.model_dump() for a in additions],
        }
    )
    return Dialogue(id=staged.id, scene=whole, turns=staged.turns, provenance="book"), rejects


async def _motives(
    teacher: Teacher, staged: Staged, *, scene: Scene, prose: Prose, spoken: Sequence[str], rejects: list[Reject]
) -> dict[str, str]:
    """What everybody wants: as the teacher said when it read the chunk, else asked for."""
    if staged.scenario is None:
        answers = await asyncio.gather(
            *(
                setting.motivation(teacher, scene=scene, name=p.name, turns=staged.turns, dialogue=spoken)
                for p in staged.people
            )
        )
        rejects.extend(a.reject for a in answers if a.reject is not None)
        return {p.name: a.value for p, a in zip(staged.people, answers, strict=True) if a.value is not None}
    found = {}
    for person in staged.people:
        try:
            found[person.name] = setting.said_motive(
                staged.motives.get(person.name, ""), scene=staged, prose=prose, dialogue=spoken
            )
        except TeacherError as e:
            item = f"{staged.id}/{person.name}.motivation"
            rejects.append(Reject(stage="setting", item_id=item, reason=e.reason, detail=str(e)[:200]))
    return found


async def _complete(
    teacher: Teacher,
    told: Told,
    staged: Staged,
    people: Sequence[Character],
    *,
    additions: list[Addition],
    rejects: list[Reject],
) -> list[Character]:
    """A background for everybody of whom the chapter tells one before the scene's first word; later sentences would
    tell the future."""
    narration = [s for s in told.narration[staged.chapter.number] if s.end <= staged.first_word]
    done = []
    for character, person in zip(people, staged.people, strict=True):
        offered = setting.about(told.prose, narration, person, limit=5, past=True)
        if not offered:
            item = f"{staged.id}/{character.name}.background"
            rejects.append(Reject(stage="completion", item_id=item, reason="nothing_told_before"))
            done.append(character)
            continue
        answer = await complete.complete(
            teacher,
            book=told.prose.book,
            chapter=staged.chapter,
            scene_id=staged.id,
            character=character,
            offered=offered,
        )
        if answer.value is None:
            rejects.extend([answer.reject] if answer.reject else [])
            done.append(character)
            continue
        additions.append(answer.value)
        done.append(complete.add(character, answer.value))
    return done
