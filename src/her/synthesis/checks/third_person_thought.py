"""Third person: a character that thinks of itself by name, or as he or she.

A name is a fault where it is the subject of a finite verb or owns something. It is none in a quotation, in an address
to oneself (`Steady, Mara, keep still`), behind a word of kinship (a namesake), or where the character always speaks of
itself so. A pronoun is a fault only where nobody else can be meant.
"""
# ruff: noqa: RUF001  (typographic and Chinese marks are what is read here)

import re
from collections.abc import Iterator

from her.schema import Flag
from her.synthesis.checks.clauses import split, unquoted
from her.synthesis.checks.lexicon import any_of
from her.synthesis.checks.people import FIRST, HE, OWN_HAN, SHE, is_han, mentioned
from her.synthesis.checks.standpoint import Standpoint, flag
from her.synthesis.text.wording import words

KIND = "third_person_thought"
FINITE = (
    r"(?:\s+(?:never|always|now|still|already|only|just|also|\w+ly))*\s+" + any_of("perspective", "finite") + r"(?!\w)"
)
"""Behind a subject: a verb that makes it one."""
_KIN = re.compile(rf"\b{any_of('perspective', 'kin')}\s+$")
_CALLED = re.compile(r"\b(?:call(?:s|ed)? me|named|name is)\s+$")
_INVERTED = re.compile(r"\b(?:thought|thinks|mused|muses|wondered|wonders)\s+$")
_ASKED = re.compile(r"\b(?:does|do|did|is|was|has|had|will|would|can|could|should|must)\s+$")
_OWNS = re.compile(r"['’]s\s+[a-z]")
_INNER = any_of("perspective", "inner")
_SEEN_FROM_OUTSIDE = rf"^(?:\w+(?:ing|s) )?(?:his|her|their) (?:\w+ )?{any_of('perspective', 'own_body')}\b"
_PERCEIVES = re.compile(r"(?:watch|see|hear|read|notic|search|avoid|follow|meet|catch|study)\w*\b", re.IGNORECASE)
_HAN_FACE = re.compile("脸|心|手|眼|把")


def find(place: Standpoint) -> Iterator[Flag]:
    """Flags of every thought."""
    for part in place.parts("thought"):
        if (evidence := self_as_other(place, part.text)) is not None:
            yield flag(KIND, "thought", "thinks of itself in the third person", evidence)


def self_as_other(place: Standpoint, text: str) -> str | None:
    """Where a thought speaks of its own thinker as of another."""
    if is_han(text):
        return None if OWN_HAN.search(text) else _by_name_han(place, text) or _by_pronoun_han(place, text)
    return _by_name(place, text) or _by_pronoun(place, text)


def speaks_so(place: Standpoint) -> bool:
    """Has the character said its own name for `I` aloud before? Then it may think so."""
    said = " ".join(t.speech() for t in place.before if t.speaker == place.turn.speaker)
    return re.search(place.me.pattern() + FINITE, said) is not None


def _by_name(place: Standpoint, text: str) -> str | None:
    if speaks_so(place):
        return None
    bare = unquoted(text)
    for match in re.finditer(place.me.pattern(), bare):
        lead, rest = bare[: match.start()], bare[match.end() :]
        if _KIN.search(lead) or _CALLED.search(lead):
            continue
        asked = _ASKED.search(lead) and re.match(r"\s+[a-z]+", rest)
        if re.match(FINITE, rest) or _INVERTED.search(lead) or _OWNS.match(rest) or asked:
            return bare[match.start() :]
    return None


def _by_pronoun(place: Standpoint, text: str) -> str | None:
    mine = place.me.gender
    said = set(words(unquoted(text)))
    if mine == "unknown" or said & FIRST:
        return None
    rivals = [f for f in place.others if f.gender in (mine, "unknown")]
    own, other = (HE, SHE) if mine == "he" else (SHE, HE)
    # `Rolling his eyes skyward`: a stage direction about the thinker, where nobody else is a he.
    outside = re.match(_SEEN_FROM_OUTSIDE, text, re.IGNORECASE)
    if outside and said & own and not rivals and not _PERCEIVES.match(text):
        return text
    subject = re.compile(rf"(?:^|\band\s+|,\s+){mine}\s+(?:\w+ly\s+|never\s+|still\s+)?{_INNER}\b", re.IGNORECASE)
    for sentence in split(text):
        match = subject.search(sentence.text)
        if match is None:
            continue
        rest = sentence.text[match.end() :]
        named = mentioned(rest, place.others)
        # `She lets him believe`: he is the other, and nobody else is a she.
        counterpart = set(words(rest)) & other and any(f.gender != mine for f in place.others)
        if (named and all(f in named for f in rivals)) or (counterpart and not rivals):
            return sentence.text
    return None


def _by_name_han(place: Standpoint, text: str) -> str | None:
    """The own name at the head of a clause, unless it is called upon."""
    own = "|".join(re.escape(f) for f in place.me.forms)
    match = re.search(rf"(?:^|[，。；！？])(?:{own})(?![，,。！!？?])", unquoted(text))
    return match.group() + text[match.end() : match.end() + 20] if match else None


def _by_pronoun_han(place: Standpoint, text: str) -> str | None:
    if place.me.gender == "unknown" or any(f.gender in (place.me.gender, "unknown") for f in place.others):
        return None
    me, other = ("他", "她") if place.me.gender == "he" else ("她", "他")
    return text if re.match(rf"{me}(?!们)", text) and (other in text or _HAN_FACE.search(text)) else None
