"""Speakers: who says each utterance, by the rules a careful reader would apply, and by nothing else.

Owns attribution in code: names beside verbs of speech, pronouns and kinship words where one person alone fits, the
beat that shares a paragraph with the words, and turn-taking between two speakers. What the rules leave open goes to
the teacher (`her.synthesis.extraction.attribution`). Each answer says how it was found. Knows no model.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from her.schema import Span
from her.synthesis.extraction.scenes import SceneText, Utterance, unquoted
from her.synthesis.people import eastern
from her.synthesis.people.names import NAME, SPEECH_VERBS, Gender, Person, Roster, clean
from her.synthesis.text.wording import normalise, sentences

How = Literal["named", "pronoun", "beat", "alternation", "teacher"]
"""named: a name beside a verb of speech. pronoun: he, she or a kinship word that fits one person. beat: the paragraph's
narration is about one person alone. alternation: two people taking turns. teacher: a model chose."""

_VERB = r"(?:" + "|".join(sorted(SPEECH_VERBS, key=len, reverse=True)) + r")"
_ADVERB = r"(?:\w+ly\s+|only\s+|then\s+|had\s+|also\s+|at last\s+)?"
_NAMED = (
    re.compile(rf"^[,;\s]*{_ADVERB}{_VERB}\s+(?:\w+ly\s+)?(?P<name>{NAME.pattern})"),
    re.compile(rf"(?:^|[.!?;,]\s+|\band\s+)(?P<name>{NAME.pattern})(?:,[^,]{{1,60}},)?\s+{_ADVERB}{_VERB}\b"),
)
_PRONOUN = (
    re.compile(rf"^[,;\s]*{_VERB}\s+(?P<who>he|she)\b", re.IGNORECASE),
    re.compile(rf"(?:^|[.!?;,]\s+)(?:and\s+)?(?P<who>he|she)\s+{_ADVERB}{_VERB}\b", re.IGNORECASE),
)
_KIN = re.compile(rf"^[,;\s]*(?:{_VERB})\s+(?P<whose>his|her)\s+(?P<kin>wife|lady|husband|mother|father)\b")
_SPEAKS = re.compile(rf"\b{_VERB}\b")
_VOCATIVE = re.compile(
    rf"(?:^|[,;.!?]\s*)(?i:(?:my|dear|oh|o|well|come|now|yes|no|nay|good|old)[,\s]+)*(?P<name>{NAME.pattern})\s*(?=[,.!?;]|$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """An utterance with its speaker, or with those who could be it."""

    utterance: Utterance
    speaker: Person | None
    how: How | None
    gender: Gender
    """What the text says of the speaker where it does not name one."""
    addressed: frozenset[str]
    """Names this utterance calls out to; its speaker is none of them."""
    narrated: bool
    """Does its paragraph hold narration? Then turn-taking alone does not decide."""


def cast(text: str, scene: SceneText, roster: Roster) -> list[Person]:
    """Who is in the scene: everybody its narration mentions, and the wife or husband of such a one who is spoken of."""
    seen: dict[str, Person] = {}
    for span in scene.narration(text):
        for _, person in roster.mentioned(text[span.start : span.end]):
            seen.setdefault(person.name, person)
    for person in list(seen.values()):
        spouse = _spouse(person, roster)
        if spouse is not None and re.search(
            rf"\b{_VERB}\s+(?:his|her)\s+(?:wife|lady|husband|mother|father)\b", text[scene.span.start : scene.span.end]
        ):
            seen.setdefault(spouse.name, spouse)
    return list(seen.values())


def attribute(text: str, scene: SceneText, roster: Roster) -> list[Attributed]:
    """The scene's utterances, with a speaker wherever a rule gives one."""
    people = cast(text, scene, roster)
    found: list[Attributed] = []
    for utterance in scene.utterances:
        found.append(_one(text, scene, utterance, roster=roster, people=people, before=found))
    named = {a.speaker.name: a.speaker for a in found if a.speaker is not None}
    for i, a in enumerate(found):
        # A pronoun that fits several who are mentioned, but only one who is known to speak here.
        fitting = [p for p in named.values() if p.gender == a.gender and not _refused(a, p)]
        if a.speaker is None and a.gender != "unknown" and len(fitting) == 1:
            found[i] = replace(a, speaker=fitting[0], how="pronoun")
    pair = people if len(people) == 2 else []
    found = alternate(found, scene, pair=pair)
    for i, a in enumerate(found):
        # "Mrs. Long began to scold." and words in the next paragraph: they are hers.
        lead = _lead(text, scene, a.utterance, roster)
        if a.speaker is None and lead is not None and not _refused(a, lead) and lead.name not in beside(found, i):
            found[i] = replace(a, speaker=lead, how="beat")
    return alternate(found, scene, pair=pair)


def beside(found: Sequence[Attributed], at: int) -> set[str]:
    """Who speaks just before and just after: in two paragraphs, two people."""
    near = [found[k].speaker for k in (at - 1, at + 1) if 0 <= k < len(found)]
    return {p.name for p in near if p is not None}


def _one(
    text: str, scene: SceneText, utterance: Utterance, *, roster: Roster, people: list[Person], before: list[Attributed]
) -> Attributed:
    around = unquoted(text, utterance.paragraph, utterance.pieces)
    narration = [normalise(text[s.start : s.end]) for s in around]
    base = Attributed(
        utterance=utterance,
        speaker=None,
        how=None,
        gender="unknown",
        addressed=_addressed(text, utterance, roster),
        narrated=bool(narration),
    )
    for stretch in narration:
        for pattern in _NAMED:
            for said in pattern.finditer(stretch):
                person = roster.person(clean(said.group("name")))
                if person is not None:
                    return replace(base, speaker=person, how="named", gender=person.gender)
        heard = {p.name: p for _, p in roster.mentioned(stretch)} if eastern.speaks(stretch) else {}
        if len(heard) == 1:
            person = next(iter(heard.values()))
            return replace(base, speaker=person, how="named", gender=person.gender)
    lead = _lead(text, scene, utterance, roster)
    for stretch in narration:
        if match := _KIN.search(stretch):
            wanted: Gender = "he" if match.group("kin") in {"husband", "father"} else "she"
            kin = {s.name: s for p in people if (s := _spouse(p, roster)) is not None and s.gender == wanted}
            if len(kin) == 1:
                return replace(base, speaker=next(iter(kin.values())), how="pronoun", gender=wanted)
            return replace(base, gender=wanted)
        for pattern in _PRONOUN:
            if match := pattern.search(stretch):
                gender: Gender = "he" if match.group("who").lower() == "he" else "she"
                return _by_pronoun(replace(base, gender=gender), people=people, lead=lead, before=before)
    subjects = {p.name: p for s in narration for p in _subjects(s, roster)}
    others = {p.name for s in narration for _, p in roster.mentioned(s)} - set(subjects)
    if len(subjects) == 1 and not others and not _refused(base, next(iter(subjects.values()))):
        person = next(iter(subjects.values()))
        return replace(base, speaker=person, how="beat", gender=person.gender)
    for stretch in narration:
        if match := re.match(r"(He|She)\b", stretch):
            return _by_pronoun(replace(base, gender=match.group(1).lower()), people=people, lead=lead, before=before)  # type: ignore[arg-type]
    return base


def _by_pronoun(base: Attributed, *, people: list[Person], lead: Person | None, before: list[Attributed]) -> Attributed:
    """The one person in the scene whom the pronoun fits; of several, the one the sentence before is about."""
    fitting = [p for p in people if p.gender == base.gender and not _refused(base, p)]
    if len(fitting) == 1:
        return replace(base, speaker=fitting[0], how="pronoun")
    if lead is not None and lead.gender == base.gender and not _refused(base, lead):
        return replace(base, speaker=lead, how="pronoun")
    last = before[-1].speaker if before else None
    recent = {a.speaker.name: a.speaker for a in before[-3:] if a.speaker is not None and a.speaker in fitting}
    # Two paragraphs of one man are rarer than an answer, so the last speaker is not taken.
    others = [p for p in recent.values() if last is not None and p.name != last.name]
    if len(others) == 1:
        return replace(base, speaker=others[0], how="pronoun")
    return base


def _lead(text: str, scene: SceneText, utterance: Utterance, roster: Roster) -> Person | None:
    """Whom the narration right before the utterance is about: the only subject of the preceding silent paragraph."""
    earlier = [p for p in scene.paragraphs if p.end <= utterance.paragraph.start]
    if not earlier:
        return None
    place = earlier[-1]
    if any(u.paragraph.start <= place.start < u.paragraph.end for u in scene.utterances):
        return None
    subjects = {p.name: p for p in _subjects(normalise(text[place.start : place.end]), roster)}
    return next(iter(subjects.values())) if len(subjects) == 1 else None


def _subjects(stretch: str, roster: Roster) -> list[Person]:
    """People whose name begins a sentence of the stretch (not as a possessive)."""
    found = []
    begins = re.compile(rf"({NAME.pattern})(?!['’]s)")
    for start, _ in sentences(stretch):
        match = begins.match(stretch, start)
        person = roster.person(clean(match.group(1))) if match else None
        if person is not None:
            found.append(person)
    return found


def _addressed(text: str, utterance: Utterance, roster: Roster) -> frozenset[str]:
    called = set()
    for piece in utterance.pieces:
        said = normalise(text[piece.start : piece.end])
        for start, end in sentences(said):
            sentence = said[start:end]
            # A name alone is an answer, and one's own name is not a call.
            if len(sentence.split()) <= 2 or re.search(r"\b(?:I am|I'm|name is|name's)\s+[A-Z]", sentence):
                continue
            for match in _VOCATIVE.finditer(sentence):
                name = match.group("name")
                person = roster.person(clean(name)) if name[0].isupper() else None
                if person is not None:
                    called.add(person.name)
    return frozenset(called)


def _refused(base: Attributed, person: Person) -> bool:
    return person.name in base.addressed or (
        base.gender != "unknown" and person.gender != "unknown" and person.gender != base.gender
    )


def _spouse(person: Person, roster: Roster) -> Person | None:
    for form in (person.name, *person.aliases):
        title, _, rest = form.partition(" ")
        if title in ("Mr.", "Mr"):
            return roster.person(f"Mrs {rest}")
        if title in ("Mrs.", "Mrs"):
            return roster.person(f"Mr {rest}")
    return None


def alternate(found: Sequence[Attributed], scene: SceneText, *, pair: Sequence[Person] = ()) -> list[Attributed]:
    """Fill gaps in an unbroken exchange: after A and B, A speaks; before B and A, A spoke; where the scene has only two
    speakers (`pair`: only two people at all), the one who answers the other is the other one.

    Only paragraphs that follow one another directly count, and nobody is given words that address or exclude them.
    """
    filled = list(found)
    order = {p.start: i for i, p in enumerate(scene.paragraphs)}
    known = {a.speaker.name: a.speaker for a in found if a.speaker is not None}
    two = list(known.values()) if len(known) == 2 else list(pair) if set(known) <= {p.name for p in pair} else []

    def adjacent(i: int, j: int) -> bool:
        if not 0 <= min(i, j) <= max(i, j) < len(filled):
            return False
        a, b = filled[min(i, j)].utterance, filled[max(i, j)].utterance
        last = max((s for s in order if s < a.paragraph.end), default=a.paragraph.start)
        return order[b.paragraph.start] - order[last] == 1

    def candidate(i: int) -> Person | None:
        for step in (-1, 1):
            if not adjacent(i, i + step):
                continue
            beside = filled[i + step].speaker
            if beside is None:
                continue
            if len(two) == 2 and beside in two:
                choice = two[1] if beside.name == two[0].name else two[0]
            elif adjacent(i + step, i + 2 * step) and (far := filled[i + 2 * step].speaker) is not None:
                choice = far
            else:
                continue
            if choice.name != beside.name and not _refused(filled[i], choice):
                return choice
        return None

    changed = True
    while changed:
        changed = False
        for i, here in enumerate(filled):
            if here.speaker is None and (person := candidate(i)) is not None:
                filled[i] = replace(here, speaker=person, how="alternation")
                changed = True
    return filled


def excerpt(text: str, scene: SceneText, utterance: Utterance, *, words_each_side: int) -> tuple[str, str, str]:
    """What stands before, in and after the utterance's paragraphs, for a model to read."""
    before = normalise(text[scene.span.start : utterance.paragraph.start]).split()[-words_each_side:]
    here = normalise(text[utterance.paragraph.start : utterance.paragraph.end])
    after = normalise(text[utterance.paragraph.end : scene.span.end]).split()[:words_each_side]
    return " ".join(before), here, " ".join(after)


def said_pieces(text: str, pieces: Sequence[Span]) -> list[str]:
    """The words of each piece. A comma that only leads to `said X.` is a full stop once those words are gone."""
    found = []
    for i, piece in enumerate(pieces):
        said = normalise(text[piece.start : piece.end])
        between = text[piece.end : pieces[i + 1].start].strip(' \n\t"“”‘’«»') if i + 1 < len(pieces) else "."
        if said.endswith(",") and between.endswith((".", "!", "?", ":")):
            said = f"{said[:-1]}."
        found.append(said)
    return found


def spoken(text: str, pieces: Sequence[Span]) -> str:
    """The words of an utterance in one run."""
    return " ".join(said_pieces(text, pieces))
