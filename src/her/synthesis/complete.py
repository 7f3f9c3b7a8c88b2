"""Setting completion: what the book has already said of a character and the card lacks (HER stage 3).

Every addition has a quote. The teacher does not write it: it chooses among numbered sentences, so that a quote is
exact by construction, and it is verified all the same. Only narration before the scene's first word is offered: a
setting describes what is so before the dialogue.
"""

import re
from collections.abc import Mapping, Sequence

from her.errors import TeacherError
from her.schema import Addition, Book, Chapter, Character, Quote, Span
from her.synthesis.perspective import check_setting, unknown_names
from her.synthesis.setting import pick
from her.synthesis.teacher import Answer, Ask, Choice, Teacher, Text, fill, finished
from her.synthesis.wording import content_words, normalise, overlap, same_words

_MAX_OFFERED = 5


def verify(book: Book, chapter: Chapter, *, text: str, span: Span) -> Quote:
    """The quote, if the chapter says it there. Raises TeacherError `quote_not_found` otherwise."""
    inside = chapter.span.start <= span.start and span.end <= chapter.span.end
    if not inside or not same_words(text, book.text[span.start : span.end]):
        raise TeacherError(text, "quote_not_found")
    return Quote(text=text, span=span)


def find(book: Book, chapter: Chapter, text: str) -> Quote:
    """The place of a quote that came without one, whatever its spacing. Raises TeacherError `quote_not_found`."""
    words = normalise(text).split()
    pattern = r"\s+".join(re.escape(w) for w in words)
    match = re.compile(pattern).search(book.text, chapter.span.start, chapter.span.end) if words else None
    if match is None:
        raise TeacherError(text, "quote_not_found")
    return verify(book, chapter, text=normalise(text), span=Span(start=match.start(), end=match.end()))


async def complete(
    teacher: Teacher, *, book: Book, chapter: Chapter, scene_id: str, character: Character, offered: Sequence[Span]
) -> Answer[Addition]:
    """One addition to a character's background: what it knows of itself and the card does not say."""
    spans = list(offered)[:_MAX_OFFERED]
    told = [normalise(book.text[s.start : s.end]) for s in spans]
    name = character.name
    values = {"sentences": "\n".join(f"{n}. {t}" for n, t in enumerate(told, start=1)), "name": name}
    example = " ".join(m.content for m in fill("complete", {**values, "fault": ""})[:-1])
    if teacher.config.guided:
        picked = await pick(
            teacher, book=book, spans=spans, name=name, item_id=f"{scene_id}/{name}.background", stage="completion"
        )
        if picked.value is None:
            return Answer(value=None, reject=picked.reject)
        quote = verify(book, chapter, text=picked.value.text, span=picked.value.span)
        return Answer(value=Addition(field=f"{name}.background", text=quote.text, quote=quote), reject=None)
    card = " ".join(f for f in (character.profile, character.background) if f)

    def check(answer: Mapping[str, str]) -> Addition:
        if not answer["number"].isdigit() or not 1 <= int(answer["number"]) <= len(spans):
            raise TeacherError(answer["number"], "quote_not_found")
        k = int(answer["number"]) - 1
        quote = verify(book, chapter, text=told[k], span=spans[k])
        fact = check_setting(finished(answer["fact"]), dialogue=(), max_words=40, example=example)
        if len(content_words(fact) & content_words(quote.text)) < 2:
            raise TeacherError(fact, "not_supported")
        if strangers := unknown_names(fact, [name, *character.aliases], quote.text):
            raise TeacherError(f"{strangers}: {fact}", "unknown_name")
        if overlap(fact, card) > 0.8:
            raise TeacherError(fact, "nothing_new")
        return Addition(field=f"{name}.background", text=fact, quote=quote)

    return await teacher.ask(
        Ask(
            stage="completion",
            item_id=f"{scene_id}/{name}.background",
            prompt="complete",
            values=values,
            fields={"number": Choice(options=tuple(str(n + 1) for n in range(len(spans)))), "fact": Text(chars=140)},
            check=check,
            max_tokens=60,
        )
    )


def add(character: Character, addition: Addition) -> Character:
    """The character with the addition behind what its background says already."""
    whole = " ".join(t for t in (character.background, addition.text) if t)
    return Character.model_validate({**character.model_dump(), "background": whole})
