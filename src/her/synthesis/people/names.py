"""Names: who is spoken of in a book, under which names, and as he or she.

Owns the discovery of names beside verbs of speech, titles, and grammatical gender from titles and pronouns. Which
names are one person is decided in `her.synthesis.people.aliases`. Knows nothing of scenes.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from her.synthesis.people import eastern
from her.synthesis.text.wording import normalise

Gender = Literal["he", "she", "unknown"]

_TITLES_TEXT: dict[Gender, str] = {
    "he": "Mr Sir Lord Monsieur Uncle King Prince Duke Count Father Brother Master",
    "she": "Mrs Ms Miss Lady Madame Aunt Queen Princess Duchess Countess Mother Sister Mistress",
    "unknown": "Dr Doctor Captain Colonel Major Professor Reverend Saint Old",
}
TITLES: dict[str, Gender] = {title: gender for gender, titles in _TITLES_TEXT.items() for title in titles.split()}

_SPEECH_VERBS_TEXT = """
said says asked replied cried answered returned continued added exclaimed observed whispered murmured muttered
shouted called repeated remarked rejoined resumed began inquired enquired demanded declared insisted suggested
agreed admitted explained snapped sighed laughed interrupted protested announced promised warned begged pleaded
urged told offered objected concluded sneered growled hissed roared screamed yelled breathed mumbled stammered
responded retorted confessed ordered commanded ventured wondered mused croaked grunted sobbed chuckled went put
"""
SPEECH_VERBS = frozenset(_SPEECH_VERBS_TEXT.split())
_NOT_NAMES_TEXT = """
The A An I He She It They We You His Her Its Their My Our Your This That These Those There Then Here Now And But Or
Nor For So Yet If When While As At In On Of To By From With Without After Before Not No Yes Oh Ah Well What Who Whom
Whose Which Why How Where Nobody Everyone Someone Everybody Nothing Something God Heaven Lord Christ Sunday Monday
Tuesday Wednesday Thursday Friday Saturday January February March April May June July August September October
November December English French Christmas Easter Chapter Do Don't Did Is Are Was Were Will Would Could Should Can
May Must Let Come Go Never Only Perhaps One Two Three All Such Each Both Either Neither Another Other Some Any Every
Good Dear Sir Madam Ma'am Miss Mr Mrs Lady
"""
_NOT_NAMES = frozenset(_NOT_NAMES_TEXT.split())
_WORD = r"[A-Z][a-z’'A-Z-]{0,40}[a-z]"
_TITLE = r"(?:" + "|".join(sorted(TITLES, key=len, reverse=True)) + r")\b\.?"
NAME = re.compile(
    rf"(?:(?:{_TITLE})\s+)?(?:(?:de|von|van|du|la)\s+)?{_WORD}(?:\s+(?:de|von|van|du|la)\s+{_WORD}|\s+{_WORD})?"
)
_VERB = r"(?:" + "|".join(sorted(SPEECH_VERBS, key=len, reverse=True)) + r")"
_SPEAKS_AFTER = re.compile(rf"\b{_VERB}\s+({NAME.pattern})")
_SPEAKS_BEFORE = re.compile(rf"({NAME.pattern})\s+(?:\w+ly\s+|only\s+|had\s+|then\s+)?{_VERB}\b")
_PRONOUN = re.compile(r"\b(he|him|his|himself|she|her|herself)\b")
_OPENING = re.compile(r"(He|She)\b")
_MOST_WITNESSES = 400
"""So many mentions of a name are asked for its gender, the first ones."""


def title_of(name: str) -> str | None:
    """The title a name begins with, without its point."""
    first = name.split(" ", 1)[0].rstrip(".")
    return first if first in TITLES and " " in name else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person of the book. `name` is the form the book uses most."""

    name: str
    aliases: tuple[str, ...]
    gender: Gender
    mentions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The forms of names that a book uses: how often, and as he or she."""

    counts: Mapping[str, int]
    votes: Mapping[str, Counter[str]]
    """Pronouns beside each form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody who speaks or could speak, most mentioned first."""

    people: tuple[Person, ...]
    by_form: Mapping[str, Person] = field(default_factory=dict)
    """`key(form)` to who is meant."""

    def person(self, form: str) -> Person | None:
        """Who is meant by this form of a name; None where nobody, or more than one, is."""
        return self.by_form.get(key(form))

    def mentioned(self, text: str) -> list[tuple[int, Person]]:
        """Who is mentioned in `text` and where, in order. Longer forms win: `Joanne` is not `Ann`."""
        found = []
        for match in NAME.finditer(text):
            form = clean(match.group())
            person = self.person(form) or self.person(form.rsplit(" ", 1)[0])
            if person is not None:
                found.append((match.start(), person))
        for at, form in eastern.mentions(text, self.by_form):
            found.append((at, self.by_form[form]))
        return sorted(found, key=lambda pair: pair[0])


def key(form: str) -> str:
    """A form as it is looked up: one space, no point behind a title."""
    return normalise(form).replace(". ", " ")


def clean(form: str) -> str:
    """A name as it is compared: one space, no possessive, no leading word that only begins the sentence."""
    form = re.sub(r"['’]s?$", "", normalise(form))
    head, _, rest = form.partition(" ")
    return rest if rest and head in _NOT_NAMES and head.rstrip(".") not in TITLES else form


def _plausible(form: str) -> bool:
    parts = form.split()
    return not any(p in _NOT_NAMES for p in parts[1 if title_of(form) else 0 :]) and not form.isupper()


def forms(narration: str, *, told: Iterable[str] = ()) -> Forms:
    """The names of a book's narration (its text without quoted speech), and those that somebody `told` of besides."""
    text = " ".join(narration.split())
    speakers: Counter[str] = Counter(eastern.speakers(text))
    for pattern in (_SPEAKS_AFTER, _SPEAKS_BEFORE):
        for match in pattern.finditer(text):
            form = clean(match.group(1))
            if _plausible(form):
                speakers[form] += 1
    counts: Counter[str] = Counter()
    places: dict[str, list[int]] = defaultdict(list)
    for match in NAME.finditer(text):
        form = clean(match.group())
        if _plausible(form):
            counts[form] += 1
            if counts[form] <= _MOST_WITNESSES:
                places[form].append(match.end())
    known = {f for f in speakers if speakers[f] >= 2 or title_of(f) or counts[f] >= 2}
    known |= {f for f, n in counts.items() if n >= 2 and " " in f and any(part in known for part in f.split())}
    for form in speakers:
        counts.setdefault(form, speakers[form])
    # "Had Elizabeth": a common word that only begins a sentence before a well-known name.
    known -= {
        f for f in known if title_of(f) is None and " " in f and counts[f] * 20 < counts.get(f.rsplit(" ", 1)[1], 0)
    }
    spelt = {key(f) for f in known}
    known |= {f for f in map(clean, told) if f and key(f) not in spelt}
    return Forms(
        counts={f: max(counts[f], 1) for f in known},
        votes={f: _votes(text, places[f]) for f in known},
    )


def _votes(text: str, ends: Sequence[int]) -> Counter[str]:
    """He or she, by the first pronoun after each mention that nobody else can own."""
    votes: Counter[str] = Counter()
    for end in ends:
        sentence, _, following = text[end : end + 160].partition(". ")
        pronoun = _PRONOUN.search(sentence[:80])
        # Another name in between makes the pronoun ambiguous.
        if pronoun and not re.search(r"[A-Z]", sentence[: pronoun.start()]):
            votes["she" if pronoun.group(1) in {"she", "her", "herself"} else "he"] += 1
        if not re.search(r"[A-Z]", sentence) and (opening := _OPENING.match(following)):
            # The subject of the next sentence is the better witness.
            votes[opening.group(1).lower()] += 3
    return votes


def gender(names: Iterable[str], votes: Mapping[str, Counter[str]]) -> Gender:
    """From the title; else from the pronouns of all these forms, where two in three agree."""
    ordered = sorted(names)
    for form in ordered:
        title = title_of(form)
        if title and TITLES[title] != "unknown":
            return TITLES[title]
    cast = sum((votes[f] for f in ordered if f in votes), Counter[str]())
    total = cast["he"] + cast["she"]
    if total >= 2 and 3 * cast["he"] >= 2 * total:
        return "he"
    if total >= 2 and 3 * cast["she"] >= 2 * total:
        return "she"
    return "unknown"
