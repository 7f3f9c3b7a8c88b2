"""Mind reading: a thought or plan that states as fact what another thinks, feels, wants or hides.

A claim is a subject (another of the cast, a name, `he` or `she` for another, `you` with a name beside it) and a verb or
adjective of the mind. It is no fault where it is marked as a guess or a question in its own clause, where the sentence
gives evidence (`she said so`), where it is denied knowledge or a prediction, or where what it says was seen, heard or
told on the card. It is always a fault to have another's hidden thought in its own words.
"""
# ruff: noqa: RUF001  (Chinese punctuation is what is read here)

import re
from collections.abc import Iterator

from her.schema import Flag
from her.synthesis.checks import third_person_thought
from her.synthesis.checks.clauses import Sentence, split, whole_sentences
from her.synthesis.checks.lexicon import any_of
from her.synthesis.checks.people import is_han
from her.synthesis.checks.roots import COMMON, roots
from her.synthesis.checks.standpoint import Standpoint, flag
from her.synthesis.text.wording import shares_run

KIND = "mind_reading"
_RUN = 6
"""Words in a row that two thoughts do not share by chance."""
_NEARLY = 0.75
"""Share of another's thought, at least four telling words of it, that makes a thought a copy."""
_GROUNDED = 0.6
"""Share of a claim's content words that the speaker was told or shown, for the claim to count as known."""

_ADVERBS = r"(?:\s+(?:already|also|always|now|only|still|never|long|merely|just|even|all|too|must|\w+ly))*"
_BE = r"(?:is|was|are|were|(?:has|have) been|['’](?:s|re))"
_MENTAL = (
    rf"{_ADVERBS}\s+{any_of('perspective', 'mental_verbs')}(?!\w)"
    rf"|{_ADVERBS}\s*{_BE}(?:\s+(?:already|only|still|so|quite|in truth|at heart|too|\w+ly))*\s+"
    rf"{any_of('perspective', 'mental_states')}\b"
)
_INWARDLY = re.compile(rf"\b{any_of('perspective', 'inwardly')}\b")
_INNER_THING = rf"\s+{any_of('perspective', 'inner_things')}\s+(?:is|was|are|were)\s+(?:\w+ly\s+|all\s+|only\s+)?"
_INNER_THING += any_of("perspective", "feelings")
_DOUBT = re.compile(rf"\b{any_of('perspective', 'doubts')}\b", re.IGNORECASE)
_INFERENCE = re.compile(rf"\b{any_of('perspective', 'inferences')}\b")
_EVIDENCE = re.compile(rf"\b{any_of('perspective', 'evidence')}\b", re.IGNORECASE)
_DENIED = re.compile(rf"\b{any_of('perspective', 'denials')}\b")
_GOES_ON = re.compile(r"(?:and|or) (?:that|whether|if)\b")
_HEADLESS = re.compile(
    r"\b(?:what|whatever|as|when|whenever|where|than|how|why|who|whom|which|until|before|once)\s+$", re.IGNORECASE
)
"""`what he wants`, `as she likes`: no claim."""
_OBJECT = re.compile(
    r"\b(?:lets?|makes?|made|have|help|hears?|heard|sees?|saw|watch|watched|makes? sure)\s+$", re.IGNORECASE
)
"""`let him think`: the subject of no claim either."""
_NAME = r"(?:(?:Mr|Mrs|Ms|Dr|St)\. )?[A-Z][a-z][a-z'-]*(?: [A-Z][a-z][a-z'-]*)?"
_RELATION = rf"\b(?:[Hh]is|[Hh]er|[Tt]heir|[Mm]y|[Oo]ur|[Yy]our) {any_of('perspective', 'relations')}"
_NO_NAME = re.compile(any_of("perspective", "no_name"))
_HAN_DOUBT = re.compile(any_of("perspective", "doubts_zh"))
_HAN_MIND = any_of("perspective", "minds_zh")


def find(place: Standpoint) -> Iterator[Flag]:
    """Flags of the plan and of every thought."""
    for where, text in place.inner():
        if (stolen := _stolen(place, text)) is not None:
            yield flag(KIND, where, "has another's thought", stolen)
        elif (claim := _claim(place, where, text)) is not None:
            yield flag(KIND, where, "states another's mind as fact", claim)


def _stolen(place: Standpoint, text: str) -> str | None:
    """A sentence of the text that is another's hidden thought, word for word or nearly so."""
    known = roots(place.known)
    for sentence in whole_sentences(text):
        mine = roots(sentence)
        for secret in (h for h in place.hidden if h.source.endswith(" thought")):
            theirs = roots(secret.text) - known
            run = shares_run(sentence, secret.text, length=_RUN) and not shares_run(sentence, place.known, length=_RUN)
            if (run and mine & theirs) or (len(theirs) >= 4 and len(theirs & mine) >= _NEARLY * len(theirs)):
                return sentence
    return None


def _claim(place: Standpoint, where: str, text: str) -> str | None:
    if is_han(text):
        return _claim_han(place, where, text)
    claim = _claims(place, where, text)
    inner = _inner_claims(place, where)
    for sentence in split(text):
        if sentence.asks or _EVIDENCE.search(sentence.text):
            continue
        for clause in _undoubted(sentence):
            claims = [*claim.finditer(clause), *inner.finditer(clause)]
            if _INWARDLY.search(clause):
                claims += _others_named(place, clause)
            if any(_is_fault(place, m, clause, sentence.text) for m in claims):
                return clause
    return None


def _claims(place: Standpoint, where: str, text: str) -> re.Pattern[str]:
    """Whoever may be the subject of a claim, and the claim. A pronoun is one only where it cannot be the thinker."""
    who = [*(f.pattern() for f in place.others), _RELATION, rf"\b{_NAME}", r"\b[Yy]ou"]
    if where == "thought" and third_person_thought.self_as_other(place, text) is None:
        who.append(r"\b(?:[Hh]e|[Ss]he|[Tt]hey)")
    return re.compile(rf"(?P<who>{'|'.join(who)})(?:,[^,]{{1,40}},)?(?:{_MENTAL})")


def _inner_claims(place: Standpoint, where: str) -> re.Pattern[str]:
    """`Paul's silence is jealousy`, and in a thought `his silence` too."""
    whose = [rf"{f.pattern()}['’]s" for f in place.others]
    if where == "thought":
        whose += [r"\b(?:[Hh]is|[Tt]heir)", r"\b[Hh]er"]
    return re.compile(rf"(?P<who>{'|'.join(whose)})(?:{_INNER_THING})") if whose else re.compile(r"(?!)(?P<who>)")


def _others_named(place: Standpoint, clause: str) -> list[re.Match[str]]:
    """Others as the subject of some verb, near the head of a clause."""
    who = "|".join(f.pattern() for f in place.others)
    found = re.search(rf"(?P<who>{who})\s+(?:\w+ly\s+)?[a-z]+(?:s|ed)\b", clause) if who else None
    return [found] if found else []


def _is_fault(place: Standpoint, match: re.Match[str], clause: str, sentence: str) -> bool:
    lead = clause[: match.start()]
    if _HEADLESS.search(lead) or _OBJECT.search(lead) or _INFERENCE.search(lead):
        return False
    if not _is_another(place, match["who"], sentence) or _DENIED.search(clause, match.start()):
        return False
    return not _is_known(place, clause, match["who"])


def _is_another(place: Standpoint, who: str, sentence: str) -> bool:
    if who.lower() == "you":
        # Without another's name beside it, `you` is everybody, or oneself.
        return any(f.named_in(sentence) for f in place.others) and not place.me.named_in(sentence)
    if re.fullmatch(place.me.pattern(), who):
        return False
    others = [r"(?i:he|she|they|his|her|their)", _RELATION, *(rf"{f.pattern()}(?:['’]s)?" for f in place.others)]
    return any(re.fullmatch(other, who) for other in others) or not _NO_NAME.fullmatch(who.split()[0])


def _undoubted(sentence: Sentence) -> Iterator[str]:
    """The clauses that no mark of a guess reaches. `and that ...` goes on with the clause before."""
    doubted = False
    for clause in sentence.clauses:
        doubted = bool(_DOUBT.search(clause)) or (doubted and bool(_GOES_ON.match(clause)))
        if not doubted:
            yield clause


def _is_known(place: Standpoint, clause: str, subject: str) -> bool:
    """Was the substance of the claim shown to the speaker, or told on its card?"""
    names = {r for f in (*place.others, place.me) for r in f.roots}
    content = roots(clause) - names - roots(subject) - COMMON
    return bool(content) and len(content & roots(place.known)) >= _GROUNDED * len(content)


def _claim_han(place: Standpoint, where: str, text: str) -> str | None:
    subjects = [*(re.escape(form) for f in place.others for form in f.forms), "对方", "那人"]
    if where == "thought" and third_person_thought.self_as_other(place, text) is None:
        subjects.append("[他她]")
    claim = re.compile(rf"(?<![让对跟给向替被把])(?:{'|'.join(subjects)})(?!们)[^，。；？！]{{0,4}}?{_HAN_MIND}")
    own = re.compile("|".join(["我", "朕", *(re.escape(form) for form in place.me.forms)]))
    for sentence in re.split("[。；！\n]", text):
        if _HAN_DOUBT.search(sentence):
            continue
        for clause in sentence.split("，"):
            match = claim.search(clause)
            if match and not own.search(clause, 0, match.start()) and clause not in place.known:
                return clause
    return None
