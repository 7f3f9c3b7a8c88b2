"""Names: who is spoken of in a book, under which names, and as he or she.

Owns the discovery of names beside verbs of speech, titles, the merging of aliases (conservative: two names are one
person only where no other reading is possible) and grammatical gender from titles and pronouns. Knows nothing of
scenes.
"""
# ruff: noqa: RUF001  (typographic marks are what is read here)

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from her.synthesis.wording import normalise

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
_WORD = r"[A-Z][a-z’'A-Z-]*[a-z]"
_TITLE = r"(?:" + "|".join(sorted(TITLES, key=len, reverse=True)) + r")\b\.?"
NAME = re.compile(
    rf"(?:(?:{_TITLE})\s+)?(?:(?:de|von|van|du|la)\s+)?{_WORD}(?:\s+(?:de|von|van|du|la)\s+{_WORD}|\s+{_WORD})?"
)
_VERB = r"(?:" + "|".join(sorted(SPEECH_VERBS, key=len, reverse=True)) + r")"
_CJK_SAID = re.compile(r"([一-鿿]{2,4})(?:说道|问道|答道|说|道|问)[:：,，]")
_DIMINUTIVES = {
    "Lizzy": "Elizabeth", "Lizzie": "Elizabeth", "Eliza": "Elizabeth", "Beth": "Elizabeth", "Tom": "Thomas",
    "Will": "William", "Bill": "William", "Dick": "Richard", "Bob": "Robert", "Jim": "James", "Kate": "Katherine",
    "Ned": "Edward", "Harry": "Henry", "Molly": "Mary", "Peggy": "Margaret", "Meg": "Margaret", "Sam": "Samuel",
    "Joe": "Joseph", "Nick": "Nicholas", "Kit": "Christopher", "Nell": "Eleanor", "Fanny": "Frances", "Jack": "John",
}  # fmt: skip


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
class Roster:
    """Everybody who speaks or could speak, most mentioned first."""

    people: tuple[Person, ...]
    _by_form: dict[str, Person] = field(default_factory=dict)

    def person(self, form: str) -> Person | None:
        """Who is meant by this form of a name; None where nobody, or more than one, is."""
        return self._by_form.get(normalise(form))

    def mentioned(self, text: str) -> list[tuple[int, Person]]:
        """Who is mentioned in `text` and where, in order. Longer forms win: `Joanne` is not `Ann`."""
        found = []
        for match in NAME.finditer(text):
            form = clean(match.group())
            person = self.person(form) or self.person(form.rsplit(" ", 1)[0])
            if person is not None:
                found.append((match.start(), person))
        return found


def clean(form: str) -> str:
    """A name as it is compared: one space, no possessive, no leading word that only begins the sentence."""
    form = re.sub(r"['’]s?$", "", normalise(form))
    head, _, rest = form.partition(" ")
    return rest if rest and head in _NOT_NAMES and head.rstrip(".") not in TITLES else form


def _plausible(form: str) -> bool:
    parts = form.split()
    return not any(p in _NOT_NAMES for p in parts[1 if title_of(form) else 0 :]) and not form.isupper()


def discover(narration: str) -> Roster:
    """The roster of a book from its narration (its text without quoted speech)."""
    text = " ".join(narration.split())
    speakers: Counter[str] = Counter()
    after = re.compile(rf"\b{_VERB}\s+({NAME.pattern})")
    before = re.compile(rf"({NAME.pattern})\s+(?:\w+ly\s+|only\s+|had\s+|then\s+)?{_VERB}\b")
    for pattern in (after, before):
        for match in pattern.finditer(text):
            form = clean(match.group(1))
            if _plausible(form):
                speakers[form] += 1
    for match in _CJK_SAID.finditer(text):
        speakers[match.group(1)] += 1
    forms: Counter[str] = Counter()
    for match in NAME.finditer(text):
        form = clean(match.group())
        # A name that is only ever capitalised at the start of sentences is more likely a common word.
        if _plausible(form):
            forms[form] += 1
    known = {f for f in speakers if speakers[f] >= 2 or title_of(f) or forms[f] >= 2}
    known |= {f for f, n in forms.items() if n >= 2 and " " in f and any(part in known for part in f.split())}
    for form in speakers:
        forms.setdefault(form, speakers[form])
    # "Had Elizabeth": a common word that only begins a sentence before a well-known name.
    known -= {
        f for f in known if title_of(f) is None and " " in f and forms[f] * 20 < forms.get(f.rsplit(" ", 1)[1], 0)
    }
    return _merge({f: max(forms[f], 1) for f in known}, text)


def _merge(forms: dict[str, int], text: str) -> Roster:
    groups: dict[str, set[str]] = {f: {f} for f in forms}

    def join(a: str, b: str) -> None:
        union = groups[a] | groups[b]
        for form in union:
            groups[form] = union

    untitled = [f for f in forms if title_of(f) is None]
    full = [f for f in untitled if len(f.split()) == 2]
    for form in full:
        first, last = form.split()
        if first in forms and sum(f.split()[0] == first for f in full) == 1:
            join(form, first)
        titled = [t for t in forms if title_of(t) and t.split()[1:] == [last]]
        if len(titled) == 1 and sum(f.split()[1] == last for f in full) == 1:
            join(form, titled[0])
    for form in untitled:
        if " " not in form and f"Mr. {form}" in forms and not any(f.split()[0] == form for f in full):
            # A bare surname is the man of that name.
            join(form, f"Mr. {form}")
    for form in forms:
        longer = [f for f in forms if f.startswith(f"{form} ")]
        if title_of(form) and len(longer) == 1:
            join(form, longer[0])
    for short, long in _DIMINUTIVES.items():
        owner = [f for f in untitled if f.split()[0] == long]
        if short in forms and owner and all(groups[o] == groups[owner[0]] for o in owner):
            join(short, owner[0])
    for form in [f for f in forms if title_of(f) and len(f.split()) == 3]:
        _, first, last = form.split()
        if first in forms:
            join(form, first)
        elif f"{first} {last}" in forms:
            join(form, f"{first} {last}")
    people: list[Person] = []
    by_form: dict[str, Person] = {}
    for union in {frozenset(g) for g in groups.values()}:
        ranked = sorted(union, key=lambda f: (-forms[f], len(f), f))
        person = Person(
            name=ranked[0],
            aliases=tuple(ranked[1:]),
            gender=_gender(union, text),
            mentions=sum(forms[f] for f in union),
        )
        people.append(person)
        by_form.update(dict.fromkeys(union, person))
    for short, long in _DIMINUTIVES.items():
        if short not in by_form and long in by_form:
            by_form[short] = by_form[long]
    people.sort(key=lambda p: (-p.mentions, p.name))
    return Roster(people=tuple(people), _by_form=by_form)


def _gender(forms: frozenset[str], text: str) -> Gender:
    """From the title; else from the first pronoun after each mention, where three in four agree."""
    for form in sorted(forms):
        title = title_of(form)
        if title and TITLES[title] != "unknown":
            return TITLES[title]
    votes: Counter[str] = Counter()
    for form in sorted(forms):
        for match in re.finditer(rf"\b{re.escape(form)}\b", text):
            sentence, _, following = text[match.end() : match.end() + 160].partition(". ")
            pronoun = re.search(r"\b(he|him|his|himself|she|her|herself)\b", sentence[:80])
            # Another name in between makes the pronoun ambiguous.
            if pronoun and not re.search(r"[A-Z]", sentence[: pronoun.start()]):
                votes["she" if pronoun.group(1) in {"she", "her", "herself"} else "he"] += 1
            if not re.search(r"[A-Z]", sentence) and (opening := re.match(r"(He|She)\b", following)):
                # The subject of the next sentence is the better witness.
                votes[opening.group(1).lower()] += 3
    total = votes["he"] + votes["she"]
    if total >= 2 and votes["he"] >= 0.7 * total:
        return "he"
    if total >= 2 and votes["she"] >= 0.7 * total:
        return "she"
    return "unknown"
