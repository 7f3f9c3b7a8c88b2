"""By rules: scenes, speakers and turns of a book found by code; the teacher chooses a speaker where no rule does.

The way for small teachers: nothing is found that the text does not say.
"""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from her.schema import Chapter, Span, Turn, merge_parts
from her.synthesis.extraction.attribution import attribute_all
from her.synthesis.extraction.beats import bare_turn
from her.synthesis.extraction.chunks import chunks
from her.synthesis.extraction.plots import plots_of
from her.synthesis.extraction.scenes import SceneText
from her.synthesis.extraction.told import Told
from her.synthesis.people.aliases import discover
from her.synthesis.people.names import Person, Roster
from her.synthesis.result import Reject
from her.synthesis.staged import Staged, Staging
from her.synthesis.teacher import Teacher
from her.synthesis.text.prose import Prose


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """One scene with its turns and speakers."""

    staged: Staged | None
    rejects: tuple[Reject, ...]
    attributed: Counter[str]


async def by_rules(teacher: Teacher, *, told: Told, chapters: Sequence[Chapter]) -> Staging:
    """Everything that rules find in the chosen chapters."""
    prose, config = told.prose, teacher.config
    roster = discover(told.text())
    stretches = [k for c in chapters for k in chunks(prose, c, budget=config.chunk_tokens)]
    texts = [s for c in chapters for s in told.scenes[c.number]][: config.max_scenes]
    rejects = [
        Reject(stage="speech", item_id=f"{prose.book.id}.{u.id}", reason="run_on_paragraph")
        if u.run_on(prose.text)
        else Reject(stage="scene", item_id=f"{prose.book.id}.{u.id}", reason="alone")
        for c in chapters
        for u in told.alone[c.number]
    ]
    starts = [k.span.start for k in stretches]
    plots = [stretches[bisect_right(starts, s.span.start) - 1].id for s in texts]
    casts = await asyncio.gather(
        *(_cast(teacher, prose=prose, scene=s, roster=roster, plot_id=p) for s, p in zip(texts, plots, strict=True))
    )
    scenes = tuple(c.staged for c in casts if c.staged is not None)
    return Staging(
        scenes=scenes,
        plots=plots_of(stretches, scenes, prose=prose, roster=roster),
        rejects=(*rejects, *(r for c in casts for r in c.rejects)),
        attributed=sum((c.attributed for c in casts), Counter[str]()),
        utterances=sum(len(s.utterances) for s in texts),
    )


async def _cast(teacher: Teacher, *, prose: Prose, scene: SceneText, roster: Roster, plot_id: str) -> _Cast:
    """Speakers, then turns: consecutive utterances of one speaker are one turn, named after its first utterance."""
    text, rejects = prose.text, list[Reject]()
    if run_on := [u for u in scene.utterances if u.run_on(text)]:
        rejects = [Reject(stage="speech", item_id=f"{scene.id}/{u.id}", reason="run_on_paragraph") for u in run_on]
        return _Cast(staged=None, rejects=tuple(rejects), attributed=Counter({"unattributed": len(scene.utterances)}))
    found, unclear = await attribute_all(teacher, text=text, scene=scene, roster=roster)
    rejects += unclear
    turns: list[Turn] = []
    pieces: dict[str, tuple[Span, ...]] = {}
    people: dict[str, Person] = {}
    limit = teacher.config.max_turns
    parted = False
    for a in found:
        if not a.utterance.balanced:
            item = f"{scene.id}/{a.utterance.id}"
            rejects.append(Reject(stage="speech", item_id=item, reason="unbalanced_quote_ended_at_paragraph"))
        if a.speaker is None:
            # Somebody spoke in between: what follows is a new turn, whoever speaks.
            parted = True
            continue
        turn, spans = bare_turn(text, a.utterance, turn_id=a.utterance.id, speaker=a.speaker.name, person=a.speaker)
        if turns and turns[-1].speaker == turn.speaker and not parted:
            before = turns[-1]
            turns[-1] = before.model_copy(update={"parts": merge_parts((*before.parts, *turn.parts))})
            pieces[f"{scene.id}/{before.id}"] += spans
            continue
        if limit is not None and len(turns) >= limit:
            left = str(len(found) - found.index(a))
            rejects.append(Reject(stage="scene", item_id=scene.id, reason="over_max_turns", detail=left))
            break
        parted = False
        people.setdefault(a.speaker.name, a.speaker)
        turns.append(turn)
        pieces[f"{scene.id}/{turn.id}"] = spans
    attributed: Counter[str] = Counter(a.how or "unattributed" for a in found)
    if len(turns) < 2:
        rejects.append(Reject(stage="scene", item_id=scene.id, reason="under_two_turns"))
        return _Cast(staged=None, rejects=tuple(rejects), attributed=attributed)
    staged = Staged(
        id=scene.id,
        chapter=scene.chapter,
        plot_id=plot_id,
        span=scene.span,
        first_word=scene.utterances[0].pieces[0].start,
        narration=tuple(scene.narration(text)),
        turns=tuple(turns),
        people=tuple(people.values()),
        pieces=pieces,
    )
    return _Cast(staged=staged, rejects=tuple(rejects), attributed=attributed)
