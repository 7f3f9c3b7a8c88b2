"""Setting completion on demand: what a dialogue presupposes, the card lacks and the source says (HER stage 3).

Owns one request about a scene and the judging of each addition that comes back: its quote stands in the source where a
setting may be read from, the sentence says no more than the quote, and a secret goes where its owner alone sees it.
What fails is refused by itself, with its reason; nothing that was there before is changed or lost.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from her.errors import TeacherError
from her.llm import Reply
from her.schema import Addition, Character, Dialogue, Quote, Scene, Viewer
from her.synthesis import view
from her.synthesis.people.names import TITLES
from her.synthesis.reading import read_object
from her.synthesis.result import Reject, SynthConfig
from her.synthesis.settings.complete import add
from her.synthesis.teacher import FreeAsk, Teacher, fill, object_of
from her.synthesis.text.estimate import length, tokens
from her.synthesis.text.evidence import find
from her.synthesis.text.language import LANGUAGES, language, mixes
from her.synthesis.text.passage import Passage
from her.synthesis.text.perspective import check_setting, unknown_names
from her.synthesis.text.voice import FIRST_ZH, unquoted
from her.synthesis.text.wording import content_words, overlap, shares_run

Field = Literal["scenario", "profile", "background", "motivation"]
_FIELDS: tuple[Field, ...] = ("scenario", "profile", "background", "motivation")
_PUBLIC = ("scenario", "profile")
_SECRET = re.compile(
    r"\b(?:secret(?:ly|s)?|nobody knew|no one knew|never told|without telling|conceal(?:s|ed)?|kept from|keeps from|"
    r"hid(?:es|den)?|unknown to|pretend(?:s|ed)?|lied|lies to|disguise[ds]?|confess(?:es|ed)?)\b|"
    r"秘密|隐瞒|瞒着|没有告诉|从未告诉|无人知晓|没人知道|偷偷|暗中|假装|谎称",
    re.IGNORECASE,
)
"""Words of a thing that is kept from somebody. A teacher may call it public; it is not put where all can see it."""
_NEAR = 400
"""A quote is about a person who is named in it, or so many characters before it."""
_MOST = 12
"""Additions to one scene that are looked at. More is not a demand but a retelling."""
_SUPPORT = 0.3
"""Least share of an addition's content words that the quote or the card has: a paraphrase keeps about half of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """One addition as the teacher wrote it."""

    field: str
    name: str
    text: str
    quote: str
    turn: str
    known_to: str


async def demand(teacher: Teacher, dialogue: Dialogue, *, passage: Passage | None) -> tuple[Dialogue, list[Reject]]:
    """The dialogue with its setting completed, as far as additions passed."""
    source = excerpt(passage, budget=teacher.config.source_tokens, end_first=dialogue.provenance != "imported")
    if passage is None or not source:
        reason = "no_source" if passage is None else "nothing_told_before"
        return dialogue, [Reject(stage="completion", item_id=f"{dialogue.id}/setting", reason=reason)]
    answer = await teacher.ask_free(ask(teacher.config, dialogue, source=source))
    if answer.value is None:
        return dialogue, [answer.reject] if answer.reject is not None else []
    scene, rejects = dialogue.scene, list[Reject]()
    for number, wish in enumerate(answer.value, start=1):
        try:
            if number > _MOST:
                raise TeacherError(wish.text, "too_many")
            addition = judge(wish, scene=scene, dialogue=dialogue, passage=passage)
        except TeacherError as e:
            item = f"{dialogue.id}/{_target(wish)}"
            rejects.append(Reject(stage="completion", item_id=item, reason=e.reason, detail=str(e)[:200]))
            teacher.refuse("completion", e.reason)
        else:
            scene = added(scene, addition)
    return dialogue.model_copy(update={"scene": scene}), rejects


def ask(config: SynthConfig, dialogue: Dialogue, *, source: str) -> FreeAsk[tuple[_Wish, ...]]:
    """The request about a scene. Of the dialogue it holds what can be heard and seen."""
    spoken = language(" ".join(t.speech() for t in dialogue.turns) or dialogue.scene.scenario)
    heard = [(t.id, view.line(t.seen_by(Viewer.reader()), max_words=60)) for t in dialogue.turns]
    values = {
        "scenario": dialogue.scene.scenario or "(Not told.)",
        "cast": view.cast(dialogue.scene),
        "source": source,
        "dialogue": "\n".join(json.dumps({"id": i, "said": s}, ensure_ascii=False) for i, s in heard if s),
        "language": LANGUAGES[spoken],
    }
    text = {"type": "string"}
    row = object_of(
        {
            "turn": text,
            "field": {"type": "string", "enum": list(_FIELDS)},
            "name": text,
            "text": text,
            "quote": text,
            "known_to": {"type": "string", "enum": ["all", "self"]},
        }
    )
    return FreeAsk(
        stage="completion",
        item_id=f"{dialogue.id}/setting",
        messages=lambda fault: fill("demand", {**values, "fault": fault}),
        read=_read,
        max_tokens=150 * min(_MOST, 2 * len(dialogue.scene.characters) + 2),
        schema=object_of({"additions": {"type": "array", "items": row}}),
    )


def excerpt(passage: Passage | None, *, budget: int, end_first: bool) -> str:
    """The paragraphs that may be quoted, one a line behind a bar, as far as they fit: those nearest to the scene first,
    or in a curated plot the first ones."""
    text = passage.quotable_text() if passage is not None else ""
    lines = [" ".join(p.split()) for p in re.split(r"\n\s*\n", text.replace("\f", " "))]
    kept: list[str] = []
    for line in reversed([x for x in lines if x]) if end_first else [x for x in lines if x]:
        budget -= tokens(line)
        if budget < 0 and kept:
            break
        kept.append(f"| {line}")
    return "\n".join(reversed(kept) if end_first else kept)


def judge(wish: _Wish, *, scene: Scene, dialogue: Dialogue, passage: Passage) -> Addition:
    """The addition in its place. Raises TeacherError with the reason of the first fault:

    unknown_field, unknown_character, unknown_turn   it is about nothing that is there
    quote_not_found, quote_too_late, quote_length    of the quote
    quotes_dialogue    quote or sentence repeats what is said in the scene
    not_about_character   nobody of that name near the quote
    length, unfinished, not_third_person, copies_example, markup, ...   of the sentence, as for all settings
    unknown_name, not_supported   it says more than the quote
    nothing_new        the card says it already
    secret_in_public   a thing that is kept from somebody, for all to see and nobody's own
    """
    if wish.field not in _FIELDS:
        raise TeacherError(wish.field, "unknown_field")
    person = next((c for c in scene.characters if c.name == wish.name), None)
    if wish.field != "scenario" and person is None:
        raise TeacherError(wish.name, "unknown_character")
    if wish.turn not in {t.id for t in dialogue.turns}:
        raise TeacherError(wish.turn, "unknown_turn")
    quote = find(passage, wish.quote)
    said = [t.speech() for t in dialogue.turns]
    if not 4 <= length(quote.text) <= 80:
        raise TeacherError(quote.text, "quote_length")
    spoken = language(" ".join(said) or scene.scenario)
    if any(shares_run(quote.text, s, length=10 if spoken == "zh" else 6) for s in said):
        raise TeacherError(quote.text, "quotes_dialogue")
    if wish.field != "scenario" and person is not None and not _is_about(quote, person, passage):
        raise TeacherError(quote.text, "not_about_character")
    card = _card(scene, person)
    text = _sentence(wish.text, quote=quote, scene=scene, said=said, card=card, chinese=spoken == "zh")
    field = wish.field
    if field in _PUBLIC and (wish.known_to != "all" or _SECRET.search(text) or _SECRET.search(quote.text)):
        if person is None:
            raise TeacherError(text, "secret_in_public")
        field = "background"
    target = "scenario" if field == "scenario" or person is None else f"{person.name}.{field}"
    return Addition(field=target, text=text, quote=quote)


def added(scene: Scene, addition: Addition) -> Scene:
    """The scene with one addition behind what the field says already."""
    fields = {**scene.model_dump(), "additions": [*scene.additions, addition]}
    if addition.field == "scenario":
        fields["scenario"] = " ".join(t for t in (scene.scenario, addition.text) if t)
        return Scene.model_validate(fields)
    name = addition.field.rpartition(".")[0]
    return Scene.model_validate(fields).with_characters(add(scene.character(name), addition))


def _sentence(text: str, *, quote: Quote, scene: Scene, said: Sequence[str], card: str, chinese: bool) -> str:
    """The sentence, if it is fit for a card and the quote supports it."""
    example = " ".join(m.content for m in fill("demand", _NOTHING)[:-1])
    checked = check_setting(text.strip(), dialogue=said, max_words=90 if chinese else 45, example=example)
    if chinese and FIRST_ZH.search(unquoted(checked)):
        raise TeacherError(checked, "not_third_person")
    known = f"{quote.text} {card} {' '.join(scene.names())}"
    if mixes(checked, f"{known} {scene.scenario} {' '.join(said)}"):
        raise TeacherError(checked, "mixes_languages")
    if strangers := unknown_names(checked, [n for c in scene.characters for n in (c.name, *c.aliases)], known):
        raise TeacherError(f"{strangers}: {checked}", "unknown_name")
    shared = _plain_words(checked) & _plain_words(quote.text)
    numbers = set(re.findall(r"\d+", checked)) - set(re.findall(r"\d+", known))
    if len(shared) < 2 or len(shared) < _SUPPORT * len(_plain_words(checked) - _plain_words(card)) or numbers:
        raise TeacherError(checked, "not_supported")
    if overlap(checked, card) > 0.8:
        raise TeacherError(checked, "nothing_new")
    return checked


_NOTHING = dict.fromkeys(("scenario", "cast", "source", "dialogue", "language", "fault"), "")


def _plain_words(text: str) -> set[str]:
    """Content words without the possessive."""
    return {w.removesuffix("'s").rstrip("'") for w in content_words(text)}


def _card(scene: Scene, person: Character | None) -> str:
    if person is None:
        return scene.scenario
    return " ".join(f for f in (person.name, person.profile, person.background, person.motivation) if f)


def _is_about(quote: Quote, person: Character, passage: Passage) -> bool:
    """Is the person named in the quote or a little before it? A narrator who says `I` names nobody."""
    at = quote.span.start - passage.start
    near = passage.text[max(0, at - _NEAR) : quote.span.end - passage.start]
    words = (w for w in person.name.split() if len(w) > 2 and not w.islower() and w.rstrip(".") not in TITLES)
    forms = {person.name, *person.aliases, *words}
    return any(form in near for form in forms) or bool(re.search(r"\b(?:I|my)\b|我", quote.text))


def _target(wish: _Wish) -> str:
    return "scenario" if wish.field == "scenario" else f"{wish.name[:40]}.{wish.field[:20]}"


def _read(reply: Reply) -> tuple[_Wish, ...]:
    """Every addition of an answer. Raises TeacherError `not_json` where one is not an object of texts."""
    listed = read_object(reply, ("additions",))["additions"]
    if not isinstance(listed, list):
        raise TeacherError("additions is no list", "not_json")
    return tuple(_wish(entry) for entry in listed)


def _wish(entry: object) -> _Wish:
    if not isinstance(entry, Mapping):
        raise TeacherError(f"an addition is no object: {str(entry)[:60]}", "not_json")
    texts = {key: entry.get(key, "") for key in ("field", "name", "text", "quote", "turn", "known_to")}
    if bad := next((key for key, value in texts.items() if not isinstance(value, str)), None):
        raise TeacherError(f"{bad!r} of an addition is no text", "not_json")
    return _Wish(**{key: str(value) for key, value in texts.items()})
