"""Speaking for others: words or acts of somebody else in a turn's speech or action.

Five ways: a line that opens with another's name and a colon (as `renderers.foreign_names` finds it), the same inside a
line, a quotation given to somebody present who has not said it, an action whose subject is another, and a dialogue
played out with both its parts. What a character imagines in a thought is its own.
"""
# ruff: noqa: RUF001  (typographic and Chinese marks are what is read here)

import re
from collections.abc import Iterator

from her.renderers import foreign_names
from her.schema import ENVIRONMENT, Flag
from her.synthesis.checks.clauses import quotations, unquoted
from her.synthesis.checks.lexicon import any_of
from her.synthesis.checks.people import is_han
from her.synthesis.checks.standpoint import Standpoint, flag
from her.synthesis.people.names import SPEECH_VERBS
from her.synthesis.text.wording import words

KIND = "speaks_for_others"
_SAYS = rf"(?:{'|'.join(sorted(SPEECH_VERBS))}|{any_of('perspective', 'says_now')})\b"
_SAYS_HAN = "(?:说|道|答|喊|问|哭)"
_ELSEWHERE = re.compile(rf"\b{any_of('perspective', 'elsewhere')}\b", re.IGNORECASE)
_OPENS_CLAUSE = r"(?:^|[;,.]\s*|\b(?:and|while|as|so that|then)\s+)"
_ACT = (
    r"(?:\s*,[^,]{1,30},)?(?:\s+(?:\w+ly|then|now|only|never|always|still|at last|just))*\s+"
    rf"(?!{any_of('perspective', 'no_acts')}\b){any_of('perspective', 'acts')}\b"
)
_BODY_ACT = rf"\s+{any_of('perspective', 'body')}\s+(?:\w+ly\s+)?{any_of('perspective', 'body_acts')}\b"
_LOOKED_FOR = re.compile(rf"\b{any_of('perspective', 'looked_for')}\b[^,;.]*$")
_YOU = re.compile(r"(?:^|[,;]\s*(?:and|while|as)\s+)you\s+[a-z]+", re.IGNORECASE)
_HAN_ACT = any_of("perspective", "acts_zh")
_WILL = r"(?:'ll|’ll| will| shall)"
_SAY = r"(?:say|tell|ask|answer|swear|deny|confess)"
_PLAYS = re.compile(
    rf"\byou{_WILL} {_SAY}\b.*\bI{_WILL} {_SAY}\b.*\byou{_WILL}\b"
    rf"|\byou{_WILL} {_SAY}\b[^.!?]*\band (?:you{_WILL} |then )?(?:weep|go pale|turn pale|blush|faint|fall|kneel|cry)\b"
    rf"|\byou{_WILL} {_SAY}\b[^.!?]*\band your (?:heart|face|hands?|eyes|voice) [a-z]+",
    re.IGNORECASE | re.DOTALL,
)
_NEAR = 60
"""Characters around a quotation in which its speaker is looked for."""


def find(place: Standpoint) -> Iterator[Flag]:
    """Flags of every spoken and acted part."""
    others = tuple(form for f in place.others for form in f.forms)
    if (names := foreign_names(place.turn, others)) != ():
        yield flag(KIND, "speech", "a line under another's name", ", ".join(names))
        return
    for part in place.parts("speech", "action"):
        fault = _labelled(place, part.text) or _quoted(place, part.text)
        if fault is None:
            fault = _acts(place, part.text) if part.kind == "action" else _plays_both(part.text)
        if fault is not None:
            yield flag(KIND, part.kind, *fault)


def _labelled(place: Standpoint, text: str) -> tuple[str, str] | None:
    """`Mr. Tull: It is waiting.` inside a line: another's name alone between a stop and a colon."""
    names = [*(f.pattern() for f in place.others), ENVIRONMENT]
    stop = r"(?:^|(?<!Mr)(?<!Mrs)(?<!Dr)(?<!Ms)[.!?…\"”*]\s*|\n\s*)"
    match = re.search(rf"{stop}(?:\*\*|_)?(?:{'|'.join(names)})(?:\*\*|_)?\s*[:：](?:\*\*)?\s*(?=\S)", text)
    return ("words under another's name", text[match.start() :]) if match else None


def _quoted(place: Standpoint, text: str) -> tuple[str, str] | None:
    """A quotation with `says NAME`, of somebody present who did not say it."""
    if _ELSEWHERE.search(text):
        return None
    for start, end in quotations(text):
        ahead, behind = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
        for figure in place.others:
            who = figure.pattern()
            after = rf"\s*(?:{_SAYS}\s+{who}|(?:the\s+)?{who}\s+(?:\w+ly\s+)?{_SAYS}|{who}[^。，]{{0,4}}{_SAYS_HAN})"
            before = rf"{who}[^.!?]{{0,30}}\b{_SAYS}[,:]?\s*$|{who}[^。！？]{{0,6}}{_SAYS_HAN}[：:，,]?\s*$"
            given = re.match(after, behind) or re.search(before, ahead)
            if given and not _was_said(place, figure.name, text):
                return "gives words to somebody present", text[start:end]
    return None


def _was_said(place: Standpoint, name: str, text: str) -> bool:
    """Does everything quoted stand in what `name` has said before?"""
    said = " ".join(words(" ".join(t.speech() for t in place.before if t.speaker == name)))
    return all(" ".join(words(text[a:b])) in said for a, b in quotations(text))


def _acts(place: Standpoint, text: str) -> tuple[str, str] | None:
    """An action, or a clause of one, whose subject is another."""
    bare = unquoted(text)
    for figure in place.others:
        who = figure.pattern()
        if is_han(bare):
            act = rf"(?:^|[，；。]\s*){who}(?:便|就|也|已|却|立刻|马上|忽然|吓得)?[^，。的]{{0,4}}?{_HAN_ACT}"
        else:
            act = rf"{_OPENS_CLAUSE}(?:the\s+)?{who}(?:{_ACT}|['’]s{_BODY_ACT})"
        for match in re.finditer(act, bare, re.IGNORECASE):
            if bare[match.start()] in ";." or not _LOOKED_FOR.search(bare, 0, match.start()):
                return "an act of another", bare[match.start() :]
    # `and her face softens`, where she can only be another.
    for figure in place.others:
        if figure.gender in ("he", "she") and place.me.gender != figure.gender:
            whose = "his" if figure.gender == "he" else "her"
            body = re.search(rf"{_OPENS_CLAUSE}{whose}{_BODY_ACT}", bare, re.IGNORECASE)
            if body and not _LOOKED_FOR.search(bare, 0, body.start()):
                return "an act of another", bare[body.start() :]
    pronoun = {"he": "she", "she": "he"}.get(place.me.gender, "(?:he|she)")
    of_another = re.search(rf"{_OPENS_CLAUSE}(?:{pronoun}|you){_ACT}", bare, re.IGNORECASE) or _YOU.search(bare)
    return ("an act of another", bare[of_another.start() :]) if of_another else None


def _plays_both(text: str) -> tuple[str, str] | None:
    """`You'll say this, and I'll say that, and you'll weep`; or what the listener will say, and its body do."""
    match = _PLAYS.search(unquoted(text))
    return ("plays the other's part", match.group()) if match else None
