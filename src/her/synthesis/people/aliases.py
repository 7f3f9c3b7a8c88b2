"""Aliases: which names of a book are one person.

Conservative: two forms are joined only where no other reading is possible. A full name and its first or last part;
a surname alone and the one man, or the one person with a rank, who bears it; a title with and without the given name;
a diminutive and its only owner. Never across he and she, and never because one name stands inside another: `Ann` is
not `Joanne`, and Mr. and Mrs. Bennet stay two. Knows no text.
"""

from collections.abc import Iterable

from her.synthesis.people.names import TITLES, Forms, Gender, Person, Roster, forms, gender, key, title_of

_DIMINUTIVES_TEXT = """
Elizabeth: Lizzy Lizzie Eliza Beth Betty Bess Bessie Liz Libby; Thomas: Tom Tommy; William: Will Bill Billy Willy
Willie; Richard: Dick Dickie Rick; Robert: Bob Bobby Rob Robin; James: Jim Jimmy Jamie; Katherine: Kate Kitty Katie Kit;
Catherine: Kate Kitty Cathy Katie; Edward: Ned Ted Teddy Eddie; Henry: Harry Hal; Mary: Molly Polly; Margaret: Peggy
Meg Maggie Madge Daisy; Samuel: Sam Sammy; Joseph: Joe Joey; Nicholas: Nick; Christopher: Kit Chris; Eleanor: Nell
Nellie Ellie; Helen: Nell Nellie; Frances: Fanny; John: Jack Johnny; Charles: Charlie Charley; George: Georgie;
David: Davy Dave; Daniel: Dan Danny; Benjamin: Ben; Michael: Mike; Matthew: Matt; Andrew: Andy Drew; Anthony: Tony;
Alexander: Alec Alex Sandy; Francis: Frank; Frederick: Fred Freddy; Susan: Sue Susie; Sarah: Sally; Rebecca: Becky;
Dorothy: Dolly Dot; Martha: Patty; Jane: Jenny; Georgiana: Georgy; Amelia: Emmy; Philip: Pip Phil; Peter: Pete
"""
_DIMINUTIVES: dict[str, frozenset[str]] = {}
for _entry in _DIMINUTIVES_TEXT.replace("\n", " ").split(";"):
    _long, _shorts = _entry.split(":")
    for _short in _shorts.split():
        _DIMINUTIVES[_short] = _DIMINUTIVES.get(_short, frozenset()) | {_long.strip()}


class _Groups:
    """Forms, and which of them are one person so far."""

    def __init__(self, names: Forms) -> None:
        self.names = names
        self.of: dict[str, frozenset[str]] = {f: frozenset({f}) for f in names.counts}

    def join(self, a: str, b: str) -> None:
        """One person, unless one is a man and the other a woman."""
        genders: set[Gender] = {gender(self.of[f], self.names.votes) for f in (a, b)}
        if {"he", "she"} <= genders:
            return
        union = self.of[a] | self.of[b]
        for form in union:
            self.of[form] = union

    def one(self, forms: Iterable[str]) -> str | None:
        """A form of the single person whom all these forms name; None where they name nobody or several."""
        found = {self.of[f] for f in forms}
        return min(next(iter(found))) if len(found) == 1 else None


def discover(narration: str, *, told: Iterable[str] = ()) -> Roster:
    """The roster of a book from its narration and from the names that a teacher `told`."""
    return roster(forms(narration, told=told))


def roster(names: Forms) -> Roster:
    """Everybody whom the given forms name."""
    groups = _Groups(names)
    every = sorted(names.counts)
    titled = [f for f in every if title_of(f)]
    untitled = [f for f in every if title_of(f) is None]
    full = [f for f in untitled if len(f.split()) == 2]
    spelt: dict[str, str] = {}
    for form in every:
        groups.join(form, spelt.setdefault(key(form), form))  # `Mr` and `Mr.`
    _full_names(groups, full=full, titled=titled)
    for form in (f for f in titled if len(f.split()) == 3):
        _, first, last = form.split()
        if first in names.counts:
            groups.join(form, first)
        elif f"{first} {last}" in names.counts:
            groups.join(form, f"{first} {last}")
    for form in titled:
        title, _, name = form.partition(" ")
        if title.rstrip(".") in ("Miss", "Master") and name in names.counts and not _is_surname(name, titled, full):
            groups.join(form, name)
        longer = [f for f in every if f.startswith(f"{form} ")]
        if len(longer) == 1:
            groups.join(form, longer[0])
    _surnames(groups, untitled=untitled, full=full, titled=titled)
    _diminutives(groups, untitled=untitled, titled=titled)
    return _people(groups)


def _is_surname(name: str, titled: list[str], full: list[str]) -> bool:
    return any(f.split()[-1] == name and title_of(f) not in ("Miss", "Master") for f in (*titled, *full))


def _full_names(groups: _Groups, *, full: list[str], titled: list[str]) -> None:
    for form in full:
        first, last = form.split()
        if first in groups.of and sum(f.split()[0] == first for f in full) == 1:
            groups.join(form, first)
        known = gender([form, first], groups.names.votes)
        bearers = [
            t for t in titled if t.split()[1:] == [last] and known in ("unknown", gender([t], groups.names.votes))
        ]
        owner = groups.one(bearers)
        if owner is not None and sum(f.split()[1] == last for f in full) == 1:
            groups.join(form, owner)


def _surnames(groups: _Groups, *, untitled: list[str], full: list[str], titled: list[str]) -> None:
    """A bare surname is the man of that name; where there is none, the one person who bears it with a rank."""
    for form in untitled:
        if " " in form or any(f.split()[0] == form for f in full):
            continue
        bearers = [t for t in titled if t.split()[-1] == form]
        men = [t for t in bearers if (title_of(t) or "") == "Mr"]
        ranks = [t for t in bearers if TITLES[title_of(t) or ""] == "unknown"]
        owner = groups.one(men) if men else groups.one(ranks)
        if owner is not None:
            groups.join(form, owner)


def _diminutives(groups: _Groups, *, untitled: list[str], titled: list[str]) -> None:
    for short, longs in sorted(_DIMINUTIVES.items()):
        if short not in groups.of:
            continue
        owner = groups.one(f for f in untitled if f.split()[0] in longs)
        # Lady Catherine is a Catherine too: then nobody knows whose Kitty is meant.
        others = [t for t in titled if t.split()[1] in longs and owner is not None and t not in groups.of[owner]]
        if owner is not None and not others:
            groups.join(short, owner)


def _people(groups: _Groups) -> Roster:
    counts = groups.names.counts
    people: list[Person] = []
    by_form: dict[str, Person] = {}
    for union in set(groups.of.values()):
        ranked = sorted(union, key=lambda f: (-counts[f], len(f), f))
        person = Person(
            name=ranked[0],
            aliases=tuple(ranked[1:]),
            gender=gender(union, groups.names.votes),
            mentions=sum(counts[f] for f in union),
        )
        people.append(person)
        by_form.update({key(f): person for f in union})
    people.sort(key=lambda p: (-p.mentions, p.name))
    for short, longs in sorted(_DIMINUTIVES.items()):
        owners = {by_form[f].name: by_form[f] for f in longs if f in by_form}
        if short not in by_form and len(owners) == 1:
            by_form[short] = next(iter(owners.values()))
    return Roster(people=tuple(people), by_form=by_form)
