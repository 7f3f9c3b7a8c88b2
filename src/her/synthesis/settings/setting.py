"""Setting: the card of a scene and of its people, written by the teacher from what stands before the first word.

Owns what the teacher is shown for it: the narration that opens the scene, sentences about a person, and the person's
own lines. Scenario, topic, motivation and profile are each checked; a field that no answer fills stays None
(scenario: the book's own opening sentence), and is counted.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from her.errors import TeacherError
from her.schema import Book, Quote, Scene, Span, Turn
from her.synthesis import view
from her.synthesis.people.names import Person
from her.synthesis.result import Reject, Stage
from her.synthesis.staged import Staged
from her.synthesis.teacher import Answer, Ask, Choice, Teacher, Text, exact, fill, finished
from her.synthesis.text.language import mixes
from her.synthesis.text.perspective import check_setting, unknown_names
from her.synthesis.text.prose import Prose
from her.synthesis.text.wording import clip, ends_properly, normalise, overlap, sentences

_OPENING_WORDS = 110
_SUPPORTED = 0.6
"""Share of a card's content words that must stand in what the teacher was shown."""
_SUPPORTED_FREELY = 0.4
"""The same for a strong teacher, which says in its own words what it read in a whole chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Scenario and topic of a scene."""

    scenario: str
    topic: str | None
    reject: Reject | None


def opening(prose: Prose, scene: Staged) -> str:
    """The narration before the scene's first word; where there is next to none, the scene's first narration."""
    before = [s for s in scene.narration if s.end <= scene.first_word]
    chosen = before if sum(s.end - s.start for s in before) > 80 else scene.narration[:6]
    whole = [normalise(prose.text[s.start : s.end]) for s in chosen]
    kept = [t[a:b] for t in whole for a, b in sentences(t)]
    # The end of the narration is nearest to the first word; the beginning says where we are.
    head = clip(kept, limit_words=_OPENING_WORDS)
    return head or scene.chapter.title


def _from_book(source: str) -> str:
    """The book's own opening as a scenario."""
    return clip((source[a:b] for a, b in sentences(source)), limit_words=60)


def said_card(scene: Staged, *, prose: Prose, dialogue: Sequence[str]) -> Card:
    """Scenario and topic as a teacher gave them when it read the chunk. What does not pass is replaced as in `card`."""
    names = [p.name for p in scene.people]
    source = normalise(prose.text[scene.span.start : scene.span.end])
    known = [*names, *(a for p in scene.people for a in p.aliases)]
    try:
        scenario = _said(scene.scenario or "", source=source, known=known, max_words=90, dialogue=dialogue)
    except TeacherError as e:
        reject = Reject(stage="setting", item_id=f"{scene.id}/scenario", reason=e.reason, detail=str(e)[:200])
        return Card(scenario=_from_book(opening(prose, scene)), topic=None, reject=reject)
    topic = (scene.topic or "").rstrip(".")
    return Card(scenario=scenario, topic=topic if 0 < len(topic.split()) <= 14 else None, reject=None)


def said_motive(motive: str, *, scene: Staged, prose: Prose, dialogue: Sequence[str]) -> str:
    """What a person wants, as a teacher gave it when it read the chunk. Raises TeacherError where it cannot be used."""
    source = normalise(prose.text[scene.span.start : scene.span.end])
    known = [f for p in scene.people for f in (p.name, *p.aliases)]
    return _said(motive, source=source, known=known, max_words=60, dialogue=dialogue, least=0.0)


def summary(text: str, *, source: str) -> str:
    """A plot's summary. Raises TeacherError for one that cannot be used."""
    return _said(text, source=source, known=(), max_words=150)


def description(text: str, *, source: str) -> str:
    """Who a person is, by one chunk. Raises TeacherError for one that cannot be used."""
    return _said(text, source=source, known=(), max_words=60, least=0.0)


def _said(
    text: str,
    *,
    source: str,
    known: Sequence[str],
    max_words: int,
    dialogue: Sequence[str] = (),
    least: float = _SUPPORTED_FREELY,
) -> str:
    if not text:
        raise TeacherError("", "empty")
    written = text if ends_properly(text) else f"{text}."
    checked = check_setting(written, dialogue=dialogue, max_words=max_words)
    if mixes(checked, source):
        raise TeacherError(checked, "other_language")
    if strangers := unknown_names(checked, known, source):
        raise TeacherError(f"{strangers}: {checked}", "unknown_name")
    if overlap(checked, f"{source} {' '.join(known)}") < least:
        raise TeacherError(checked, "not_supported")
    return checked


async def card(teacher: Teacher, *, prose: Prose, scene: Staged, names: Sequence[str], dialogue: Sequence[str]) -> Card:
    """Scenario and topic. Where the teacher fails, the book's own opening serves, and the reject says so."""
    source = opening(prose, scene)
    values = {"opening": source, "names": ", ".join(names)}
    example = _example("scene_card", values)

    def check(answer: Mapping[str, str]) -> tuple[str, str]:
        scenario = check_setting(finished(answer["scenario"]), dialogue=dialogue, max_words=70, example=example)
        if strangers := unknown_names(scenario, names, source):
            raise TeacherError(f"{strangers}: {scenario}", "unknown_name")
        if overlap(scenario, f"{source} {' '.join(names)}") < _SUPPORTED:
            raise TeacherError(scenario, "not_supported")
        topic = answer["topic"].rstrip(".")
        if len(topic.split()) > 14 or any(topic.lower() in d.lower() for d in dialogue if len(topic.split()) > 3):
            raise TeacherError(topic, "topic")
        return scenario, topic

    answer = await teacher.ask(
        Ask(
            stage="setting",
            item_id=f"{scene.id}/scenario",
            prompt="scene_card",
            values=values,
            fields={"scenario": Text(chars=260), "topic": Text(chars=50)},
            check=check,
            max_tokens=95,
        )
    )
    if answer.value is None:
        return Card(scenario=_from_book(source), topic=None, reject=answer.reject)
    return Card(scenario=answer.value[0], topic=answer.value[1], reject=None)


async def motivation(
    teacher: Teacher, *, scene: Scene, name: str, turns: Sequence[Turn], dialogue: Sequence[str]
) -> Answer[str]:
    """What `name` wants, read off its own first lines: the motive explains what it will say."""
    said = [_spoken_line(t) for t in turns if t.speaker == name and t.speech()][:3]
    return await _field(
        teacher,
        prompt="motivation",
        field="motivation",
        item_id=f"{scene.id}/{name}.motivation",
        name=name,
        values={"scenario": view.short(scene.scenario, limit_words=60), "said": "\n".join(said), "name": name},
        opening=f"{exact(name)} (wants|hopes|means|tries) to ",
        dialogue=dialogue,
        known=[*scene.names(), scene.scenario, *said],
    )


async def profile(teacher: Teacher, *, book: Book, person: Person, facts: Sequence[Span]) -> Answer[str]:
    """Who this is, from what the book's narration says of it. Book-wide: one profile serves every scene."""
    if teacher.config.guided:
        # A small model invents when it describes; the book's own sentence, chosen by number, does not.
        chosen = await pick(
            teacher, book=book, spans=facts, name=person.name, item_id=f"{book.id}/{person.name}.profile"
        )
        return Answer(value=chosen.value.text if chosen.value else None, reject=chosen.reject)
    told = [normalise(book.read(s)) for s in facts]
    return await described(teacher, book_id=book.id, person=person, told=told)


async def described(teacher: Teacher, *, book_id: str, person: Person, told: Sequence[str]) -> Answer[str]:
    """One profile out of several accounts of a person; a single one that a teacher gave serves as it is."""
    facts = clip(told, limit_words=200)
    return await _field(
        teacher,
        prompt="profile",
        field="profile",
        item_id=f"{book_id}/{person.name}.profile",
        name=person.name,
        values={"facts": facts, "name": person.name},
        opening=f"{exact(person.name)} (is|was|has) ",
        dialogue=(),
        known=[person.name, *person.aliases, facts],
    )


async def pick(
    teacher: Teacher, *, book: Book, spans: Sequence[Span], name: str, item_id: str, stage: Stage = "setting"
) -> Answer[Quote]:
    """The sentence of the book that tells most about somebody. One alone needs no teacher."""
    told = [normalise(book.read(s)) for s in spans]
    if len(told) == 1:
        return Answer(value=Quote(text=told[0], span=spans[0]), reject=None)

    def check(answer: Mapping[str, str]) -> Quote:
        if answer["number"] not in {str(n + 1) for n in range(len(told))}:
            raise TeacherError(answer["number"], "no_such_number")
        k = int(answer["number"]) - 1
        return Quote(text=told[k], span=spans[k])

    return await teacher.ask(
        Ask(
            stage=stage,
            item_id=item_id,
            prompt="pick",
            values={"sentences": "\n".join(f"{n}. {t}" for n, t in enumerate(told, start=1)), "name": name},
            fields={"number": Choice(options=tuple(str(n + 1) for n in range(len(told))))},
            check=check,
            max_tokens=12,
        )
    )


async def _field(
    teacher: Teacher,
    *,
    prompt: str,
    field: str,
    item_id: str,
    name: str,
    values: Mapping[str, str],
    opening: str,
    dialogue: Sequence[str],
    known: Sequence[str],
) -> Answer[str]:
    example = _example(prompt, values)

    def check(answer: Mapping[str, str]) -> str:
        text = check_setting(finished(answer[field]), dialogue=dialogue, max_words=45, example=example)
        if strangers := unknown_names(text, known, ""):
            raise TeacherError(f"{strangers}: {text}", "unknown_name")
        if overlap(text, f"{' '.join(known)} {' '.join(values.values())}") < _SUPPORTED:
            raise TeacherError(text, "not_supported")
        if name not in text:
            raise TeacherError(text, "not_about_character")
        return text

    return await teacher.ask(
        Ask(
            stage="setting",
            item_id=item_id,
            prompt=prompt,
            values=values,
            fields={field: Text(chars=100, opening=opening) if teacher.config.guided else Text(chars=240)},
            check=check,
            max_tokens=50,
        )
    )


def about(prose: Prose, narration: Sequence[Span], person: Person, *, limit: int, past: bool) -> list[Span]:
    """Sentences of narration whose subject is the person and that say what it is, in reading order.

    `past`: also what it had done or lived through. That may be its secret, so it belongs to its background, which it
    alone sees, and not to its profile, which everyone in the scene sees.
    """
    found: list[Span] = []
    forms = "|".join(re.escape(f) for f in (person.name, *person.aliases))
    told = r"was (?:a|an|the|one|so|very|not a)|is (?:a|an|the)|had (?:a|an)"
    if past:
        told = rf"{told}|was|is|had (?:no|been|always|never|known|loved|lived|once|lost|made)|always|never|used to"
    describes = re.compile(rf"(?:^|, )(?:{forms})(?:, [^,]{{1,60}},)? (?:{told})\b")
    for stretch in narration:
        body = prose.text[stretch.start : stretch.end]
        if not any(form in body for form in (person.name, *person.aliases)):
            continue
        for a, b in sentences(body):
            sentence = normalise(body[a:b])
            if describes.search(sentence) and 6 <= len(sentence.split()) <= 45 and sentence[0].isupper():
                found.append(Span(start=stretch.start + a, end=stretch.start + b))
    return found[:limit]


def _example(prompt: str, values: Mapping[str, str]) -> str:
    return " ".join(m.content for m in fill(prompt, {**values, "fault": ""})[:-1])


def _spoken_line(turn: Turn) -> str:
    return f"{turn.speaker} says: {' '.join(turn.speech().split()[:30])}"
