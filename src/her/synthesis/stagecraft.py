"""Stagecraft: a book's chapters become dialogues of bare turns, each with its scene's card.

Owns the joining of what the smaller files find: scenes, speakers, turns, settings. Bare means: the book's words and
acts, with spans, and no thinking yet.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from her.schema import Book, Chapter, Character, Dialogue, Scene, Span, Turn, merge_parts
from her.synthesis import complete, setting
from her.synthesis.attribution import attribute_all
from her.synthesis.beats import bare_turn
from her.synthesis.names import Person, Roster, discover
from her.synthesis.result import Reject
from her.synthesis.scenes import SceneText, Utterance, body, scenes, unquoted
from her.synthesis.speakers import Attributed
from her.synthesis.teacher import Teacher

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """One scene with its turns and speakers, before it has a card."""

    scene: SceneText
    turns: tuple[Turn, ...]
    people: tuple[Person, ...]
    pieces: Mapping[str, tuple[Span, ...]]
    rejects: tuple[Reject, ...]
    attributed: Mapping[str, int]


async def extract(teacher: Teacher, *, book: Book, chapters: Sequence[Chapter], progress: Progress | None) -> Extracted:
    """Everything up to the bare dialogues of the given chapters."""
    every = {c.number: scenes(book, c) for c in book.chapters}
    narration = {c.number: _narration(book, c, *every[c.number]) for c in book.chapters}
    roster = discover("\n".join(book.text[s.start : s.end] for spans in narration.values() for s in spans))
    texts = [s for c in chapters for s in every[c.number][0]]
    rejects = [
        Reject(stage="scene", item_id=f"{book.id}.{u.id}", reason="alone") for c in chapters for u in every[c.number][1]
    ]
    texts = texts[: teacher.config.max_scenes]
    casts = await asyncio.gather(*(_cast_scene(teacher, book=book, scene=s, roster=roster) for s in texts))
    kept = [c for c in casts if len(c.turns) >= 2]
    for cast in casts:
        rejects.extend(cast.rejects)
        if len(cast.turns) < 2:
            rejects.append(Reject(stage="scene", item_id=cast.scene.id, reason="under_two_turns"))
    speaking = {p.name: p for c in kept for p in c.people}
    profiles = await _profiles(teacher, book=book, people=list(speaking.values()), narration=narration, rejects=rejects)
    dialogues = await asyncio.gather(
        *(
            _dialogue(teacher, book=book, cast=c, profiles=profiles, narration=narration[c.scene.chapter.number])
            for c in kept
        )
    )
    if progress is not None:
        progress(0, sum(len(c.turns) for c in kept), f"{len(kept)} scenes")
    return Extracted(
        dialogues=tuple(d for d, _ in dialogues),
        rejects=(*rejects, *(r for _, found in dialogues for r in found)),
        pieces={item: spans for c in kept for item, spans in c.pieces.items()},
        attributed=sum((Counter(c.attributed) for c in casts), Counter()),
        utterances=sum(len(s.utterances) for s in texts),
    )


def _narration(book: Book, chapter: Chapter, found: Sequence[SceneText], alone: Sequence[Utterance]) -> list[Span]:
    """What nobody speaks in a chapter, its heading left out."""
    pieces = [p for s in found for u in s.utterances for p in u.pieces] + [p for u in alone for p in u.pieces]
    # By paragraph, so that no sentence runs over a heading or a break.
    return [part for place in body(book, chapter) for part in unquoted(book.text, place, pieces)]


async def _cast_scene(teacher: Teacher, *, book: Book, scene: SceneText, roster: Roster) -> _Cast:
    """Speakers, then turns: consecutive utterances of one speaker are one turn, named after its first utterance."""
    found, rejects = await attribute_all(teacher, text=book.text, scene=scene, roster=roster)
    turns: list[Turn] = []
    pieces: dict[str, tuple[Span, ...]] = {}
    people: dict[str, Person] = {}
    limit = teacher.config.max_turns
    for a in found:
        if not a.utterance.balanced:
            item = f"{scene.id}/{a.utterance.id}"
            rejects.append(Reject(stage="speech", item_id=item, reason="unbalanced_quote_ended_at_paragraph"))
        if a.speaker is None:
            continue
        turn, spans = bare_turn(
            book.text, a.utterance, turn_id=a.utterance.id, speaker=a.speaker.name, person=a.speaker
        )
        if turns and turns[-1].speaker == turn.speaker:
            before = turns[-1]
            parts = merge_parts((*before.parts, *turn.parts))
            turns[-1] = Turn(id=before.id, speaker=before.speaker, parts=parts)
            pieces[f"{scene.id}/{before.id}"] += spans
            continue
        if limit is not None and len(turns) >= limit:
            left = str(len(found) - found.index(a))
            rejects.append(Reject(stage="scene", item_id=scene.id, reason="over_max_turns", detail=left))
            break
        people.setdefault(a.speaker.name, a.speaker)
        turns.append(turn)
        pieces[f"{scene.id}/{turn.id}"] = spans
    return _Cast(
        scene=scene,
        turns=tuple(turns),
        people=tuple(people.values()),
        pieces=pieces,
        rejects=tuple(rejects),
        attributed=_counted(found),
    )


def _counted(found: Sequence[Attributed]) -> dict[str, int]:
    return dict(Counter(a.how or "unattributed" for a in found))


async def _profiles(
    teacher: Teacher,
    *,
    book: Book,
    people: Sequence[Person],
    narration: Mapping[int, Sequence[Span]],
    rejects: list[Reject],
) -> dict[str, str]:
    """One profile for each speaking person, from the narration of the whole book."""
    if not teacher.config.profiles:
        return {}
    told = [s for spans in narration.values() for s in spans]
    facts = {p.name: setting.about(book, told, p, limit=5, past=False) for p in people}
    asked = [p for p in people if facts[p.name]]
    answers = await asyncio.gather(*(setting.profile(teacher, book=book, person=p, facts=facts[p.name]) for p in asked))
    rejects.extend(a.reject for a in answers if a.reject is not None)
    return {p.name: a.value for p, a in zip(asked, answers, strict=True) if a.value is not None}


async def _dialogue(
    teacher: Teacher, *, book: Book, cast: _Cast, profiles: Mapping[str, str], narration: Sequence[Span]
) -> tuple[Dialogue, list[Reject]]:
    """The scene's card, its people, and the bare turns."""
    names = [p.name for p in cast.people]
    spoken = [t.speech() for t in cast.turns]
    card = await setting.card(teacher, book=book, scene=cast.scene, names=names, dialogue=spoken)
    rejects = [card.reject] if card.reject is not None else []
    people = [Character(name=p.name, aliases=p.aliases, profile=profiles.get(p.name)) for p in cast.people]
    scene = Scene(
        id=cast.scene.id,
        book_id=book.id,
        chapter=cast.scene.chapter.number,
        scenario=card.scenario,
        topic=card.topic,
        characters=tuple(people),
        span=cast.scene.span,
    )
    motives = await asyncio.gather(
        *(setting.motivation(teacher, scene=scene, name=n, turns=cast.turns, dialogue=spoken) for n in names)
    )
    rejects += [m.reject for m in motives if m.reject is not None]
    people = [
        Character.model_validate({**c.model_dump(), "motivation": m.value})
        for c, m in zip(people, motives, strict=True)
    ]
    additions = []
    if teacher.config.completion:
        first = cast.scene.utterances[0].pieces[0].start
        # What the chapter tells before anybody speaks in this scene; later sentences would tell the future.
        known = [s for s in narration if s.end <= first]
        for i, (character, person) in enumerate(zip(people, cast.people, strict=True)):
            offered = setting.about(book, known, person, limit=5, past=True)
            if not offered:
                item = f"{scene.id}/{character.name}.background"
                rejects.append(Reject(stage="completion", item_id=item, reason="nothing_told_before"))
                continue
            answer = await complete.complete(
                teacher,
                book=book,
                chapter=cast.scene.chapter,
                scene_id=scene.id,
                character=character,
                offered=offered,
            )
            if answer.value is None:
                rejects.extend([answer.reject] if answer.reject else [])
                continue
            additions.append(answer.value)
            people[i] = complete.add(character, answer.value)
    whole = Scene.model_validate(
        {
            **scene.model_dump(),
            "characters": [c.model_dump() for c in people],
            "additions": [a.model_dump() for a in additions],
        }
    )
    return Dialogue(id=scene.id, scene=whole, turns=cast.turns, provenance="book"), rejects
