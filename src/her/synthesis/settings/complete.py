"""Setting completion for a teacher led by the hand: what the source says of a character and its card lacks.

Every addition has a quote. The teacher does not write it: it chooses among numbered sentences, so that a quote is
exact by construction, and it is verified all the same. What a strong teacher does instead is in `demand`.
"""

from collections.abc import Sequence

from her.errors import TeacherError
from her.schema import Addition, Book, Chapter, Character, Span
from her.synthesis.result import Reject
from her.synthesis.settings.setting import pick
from her.synthesis.teacher import Answer, Teacher
from her.synthesis.text.evidence import verify

_MAX_OFFERED = 5


async def complete(
    teacher: Teacher, *, book: Book, chapter: Chapter, scene_id: str, character: Character, offered: Sequence[Span]
) -> Answer[Addition]:
    """One addition to a character's background: what it knows of itself and the card does not say."""
    item = f"{scene_id}/{character.name}.background"
    picked = await pick(
        teacher, book=book, spans=list(offered)[:_MAX_OFFERED], name=character.name, item_id=item, stage="completion"
    )
    if picked.value is None:
        return Answer(value=None, reject=picked.reject)
    try:
        quote = verify(book, chapter, text=picked.value.text, span=picked.value.span)
    except TeacherError as e:
        return Answer(value=None, reject=Reject(stage="completion", item_id=item, reason=e.reason, detail=str(e)[:200]))
    return Answer(value=Addition(field=f"{character.name}.background", text=quote.text, quote=quote), reject=None)


def add(character: Character, addition: Addition) -> Character:
    """The character with the addition behind what its field says already."""
    field = addition.field.rpartition(".")[2]
    fields = character.model_dump()
    whole = " ".join(t for t in (fields[field], addition.text) if t)
    return Character.model_validate({**fields, field: whole})
