"""Thought in speech: what should have stayed inside stands in what others see or hear.

Five ways: a label or a bracket that says so, the words of the thought or of the plan again, an act that only a mind can
do, a speaker who narrates itself, and a secret kept from the listener in the listener's own hearing. When a thought was
copied is asked of `renderers.spoken_thought`, like the gates of training; shorter thoughts that are spoken whole are
found here.
"""

import re
from collections.abc import Iterator

from her.renderers.spoken_thought import RUN_WORDS, runs
from her.schema import Flag, Part
from her.synthesis.checks import third_person_thought
from her.synthesis.checks.clauses import unquoted, whole_sentences
from her.synthesis.checks.lexicon import any_of
from her.synthesis.checks.people import HE, OWN, SHE
from her.synthesis.checks.roots import roots
from her.synthesis.checks.standpoint import Standpoint, flag
from her.synthesis.text.wording import shares_run, words

KIND = "thought_in_speech"
_LABEL = re.compile(any_of("perspective", "thought_labels"), re.IGNORECASE)
_MIND = any_of("perspective", "acts_of_mind")
_MINDED = re.compile(
    rf"^(?:\w+ly\s+)?{_MIND}\b|,\s+(?:remember|think|wonder|reali[sz]|recall)ing\b"
    rf"|\b{any_of('perspective', 'moves_a_mind')}\b",
    re.IGNORECASE,
)
_MINDED_HAN = re.compile(any_of("perspective", "acts_of_mind_zh"))
_SECRET = re.compile(any_of("perspective", "secrets"), re.IGNORECASE)
_SECRET_HAN = re.compile(any_of("perspective", "secrets_zh"))
_ABSENT = re.compile(any_of("perspective", "absent"))
_TELLS = any_of("perspective", "tells_of_itself")
_MOST = 0.8
"""Share of a thought's telling words, at least four, that makes its speaking a repetition."""


def find(place: Standpoint) -> Iterator[Flag]:
    """Flags of every spoken and acted part."""
    for part in place.parts("speech", "action"):
        if (fault := _fault(place, part)) is not None:
            yield flag(KIND, part.kind, *fault)


def _fault(place: Standpoint, part: Part) -> tuple[str, str] | None:
    """Why, and the words."""
    text = part.text
    if (label := _LABEL.search(text)) is not None:
        return "is marked as a thought", text[label.start() :]
    if (copied := _copied(place, text)) is not None:
        return copied, text
    if part.kind == "action":
        if _MINDED.search(text) or _MINDED_HAN.search(text):
            return "an act of the mind", text
        return ("an action in the first person", text) if set(words(unquoted(text))) & OWN else None
    if (told := _narrates(place, text)) is not None:
        return "narrates itself", told
    secret = _told_secret(place, text)
    return ("keeps a secret aloud", secret) if secret is not None else None


def _copied(place: Standpoint, text: str) -> str | None:
    """Does the part say the turn's thought, or its plan, again?"""
    for part in place.parts("thought"):
        if runs(text, RUN_WORDS) & runs(part.text, RUN_WORDS):
            return "says the thought's words"
        thought = roots(part.text)
        if len(thought) >= 4 and len(thought & roots(text)) >= _MOST * len(thought):
            return "says the thought again"
    plan = place.turn.system_thinking
    for sentence in whole_sentences(text) if plan is not None else ():
        # A plan may draft the reply in quotation marks; what it says about the character is not for saying.
        about = place.me.named_in(sentence) or not set(words(sentence)) & OWN
        if about and shares_run(sentence, unquoted(plan or ""), length=RUN_WORDS):
            return "says the plan's words"
    return None


def _narrates(place: Standpoint, text: str) -> str | None:
    """`Lydia said that it had been so`, spoken by Lydia."""
    if third_person_thought.speaks_so(place):
        return None
    own = rf"(?:^|[.!?]\s+|\band\s+){place.me.pattern()}\s+(?:\w+ly\s+)?{_TELLS}\b"
    match = re.search(own, unquoted(text))
    return match.group() if match else None


def _told_secret(place: Standpoint, text: str) -> str | None:
    """A wish that `he` may not learn something, where he can only be the one who hears it."""
    if len(place.others) != 1:
        return None
    listener = place.others[0]
    for sentence in whole_sentences(unquoted(text)):
        if _SECRET_HAN.search(sentence):
            return sentence
        match = _SECRET.search(sentence)
        # Somebody outside the scene, named before, is who is meant.
        if match is None or _ABSENT.search(sentence, 0, match.start()):
            continue
        who = next(g for g in match.groups() if g is not None).lower()
        gender = "he" if who in HE else "she" if who in SHE else "unknown"
        if "unknown" in (gender, listener.gender) or gender == listener.gender:
            return sentence
    return None
